"""The ring as a third domain: every recipe and every command, from the shared parts."""

import json
import math
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import torch
from command import run
from fake_domain import fake_model

from core.app import fit
from core.app.commands.group import group_of
from core.errors import ConfigError, UserError
from core.recipes import RECIPES
from core.ring.benchmark import on_the_ring
from core.ring.commands import RingCommands
from core.ring.data import DrawnRing, PointCollection, parse_points, prepare
from core.ring.eight_gaussians import to_symbols
from core.ring.model import DOMAIN, Model, train
from core.theory.divergences import mmd
from core.theory.passes import Networks

RING = DrawnRing()
TINY = ["train.steps=2", "train.sample_every_steps=2", "train.batch_size=8"]
CSV = "2,0,0\n0,2.5,2\n-2,0.25,4\n"


@pytest.fixture(autouse=True)
def quick_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure few points while a model trains."""
    monkeypatch.setattr("core.ring.domain.MEASURED", 100)


def tiny(folder: Path, model: str) -> Model:
    other = DrawnRing("small") if RECIPES[model].other else None
    return train(RING, folder, model, "tiny", "cpu", TINY, other)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_and_samples(tmp_path: Path, name: str):
    if RECIPES[name].needs - DOMAIN.offers:
        with pytest.raises(ConfigError, match=f"{name} needs what ring lacks"):
            tiny(tmp_path / "run", name)
        return
    tiny(tmp_path / "run", name)
    model = Model.load(tmp_path / "run", "cpu")
    assert (tmp_path / "run/samples/step-00000002.png").stat().st_size > 1000
    examples = DOMAIN.examples(RING, 20, seed=1)
    points = model.generate(examples, seed=3)
    assert points.shape == (20, 2)
    assert torch.isfinite(points).all()
    assert torch.equal(points[:3], model.generate(examples.first(3), seed=3))


def test_batches_of_the_ring_are_functions_of_their_number_seed_and_split():
    first = RING.batch(3, 8, seed=1)[0]
    assert torch.equal(first, RING.batch(3, 8, seed=1)[0])
    for other in (RING.batch(4, 8, 1), RING.batch(3, 8, 2), RING.batch(3, 8, 1, "test")):
        assert not torch.equal(first, other[0])
    points, labels = RING.batch(0, 500, seed=0)
    angle = torch.atan2(points[:, 1], points[:, 0]) % (2 * torch.pi)
    assert torch.equal((angle / (torch.pi / 4)).round().long() % 8, labels)


def test_the_ring_command_trains_all_that_the_report_shows():
    learned = {name for name, recipe in RECIPES.items() if recipe.needs <= DOMAIN.offers}
    assert learned == {*on_the_ring()}
    assert learned >= {"vae", "cvae", "gan_cls", "cyclegan", "musegan", "ppca", "pixelcnn"}
    assert not learned & {"classifier", "dann", "adda"}  # which no command asks for labels


@pytest.mark.parametrize("other", [None, DrawnRing("small")])
def test_while_training_what_the_model_makes_is_measured_against_held_out_points(
    other, monkeypatch
):
    """A model that returns what it is given is the data; given another ring, it is not."""
    monkeypatch.setattr("core.ring.domain.MEASURED", 1000)
    config = fit.configure(DOMAIN, RING, "ae", "tiny", assignments=["train.seed=6"])
    same = fake_model(DOMAIN, Networks({}), "ae", "same")
    monkeypatch.setattr(same, "generate", lambda examples, seed: examples.items + (seed - 6))
    distance = DOMAIN.measures(RING, config, other)(same)["distance"]
    assert distance < 0.01 if other is None else distance > 0.1


def test_points_are_read_from_lines():
    record = parse_points(CSV.encode())
    assert record.points.tolist() == [[2, 0], [0, 2.5], [-2, 0.25]]
    assert record.labels.tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("1,2\n3\n", "line 2 is not x,y"),
        ("1,2,8\n", "line 1 is out of range"),
        ("nan,2\n", "line 1 is out of range"),
        ("1,-1e300\n", "line 1 is out of range"),  # of single precision
        ("", "no line"),
    ],
)
def test_a_bad_file_is_rejected_with_its_line(tmp_path: Path, lines: str, reason: str):
    (tmp_path / "bad.csv").write_text(lines)
    with pytest.raises(UserError, match=reason):
        DOMAIN.read(None, tmp_path / "bad.csv")  # type: ignore[arg-type]
    (tmp_path / "good.csv").write_text(CSV)
    summary = prepare([str(tmp_path)], tmp_path / "data", jobs=0)
    assert (summary.kept, summary.rejects.total()) == (1, 1)
    assert reason in (tmp_path / "data" / "rejects.jsonl").read_text()


def test_a_prepared_collection_gives_the_files_points(tmp_path: Path):
    for number in range(3):
        (tmp_path / f"{number}.csv").write_text(f"{number},0.5,{number}\n{number},1.5,7\n")
    prepare([str(tmp_path)], to := tmp_path / "new" / "data", jobs=0)
    data = PointCollection.open(to)
    assert len(data.indices("test")) == 2
    points, labels = data.batch(0, 200, seed=0)
    rows = {(*point, label) for point, label in zip(points.tolist(), labels.tolist(), strict=True)}
    every = {(float(n), 0.5, n) for n in range(3)} | {(float(n), 1.5, 7) for n in range(3)}
    held_out = {row[0] for row in every - rows}
    assert len(rows) == 4 and rows < every and len(held_out) == 1
    examples = DOMAIN.examples(data, 50, seed=0)
    assert {x for x, _ in examples.items.tolist()} == held_out
    assert {int(label) for label in examples.conditions or ()} == {*map(int, held_out), 7}
    config = fit.configure(DOMAIN, data, "cvae", "tiny")
    batch = DOMAIN.batches(data, config, torch.device("cpu"))(0)
    assert batch.c is not None
    assert torch.equal(batch.c.argmax(1), data.batch(0, len(batch.x), config.train.seed)[1])


def test_every_command_of_the_ring(tmp_path: Path):
    """From files to points, with no code of its own but what the domain hands over."""
    (tmp_path / "mine.csv").write_text(CSV)
    budget = ("--preset", "tiny", "--steps", 1, "--device", "cpu")
    data, cvae, between = tmp_path / "data", tmp_path / "cvae", tmp_path / "between"
    mine, to = tmp_path / "mine.csv", tmp_path / "to"
    for command in (
        ("prepare", mine, "--to", data),
        ("train", data, "--model", "cvae", *budget, "--to", cvae),
        ("train", "--model", "cyclegan", "--other", "small", *budget, "--to", between),
        ("sample", cvae, "--count", 3, "--to", to / "new" / "points"),
        ("evaluate", cvae, "--count", 10, "--to", to),
        ("compare", "--model", "ae", "--model", "gan", *budget, "--count", 9, "--to", to / "all"),
        ("interpolate", cvae, mine, 3, "--points", 4, "--to", to),
        ("arithmetic", cvae, 0, 1, 2, "--to", to),
        ("reconstruct", cvae, mine, "--to", to),
        ("vary", cvae, 3, "--count", 2, "--to", to),
        ("translate", between, mine, "--back", "--to", to),
    ):
        code, printed, complaint = run("ring", *command)
        assert code == 0, complaint
        assert printed
    written = {path.name for path in to.iterdir()}
    for name in (
        "evaluation.json",
        "cvae-seed0-interpolation-mine-3.csv",
        "cvae-seed0-interpolation-mine-3-all.png",
        "cvae-seed0-arithmetic-0-1-2.csv",
        "cvae-seed0-arithmetic-0-1-2-all.png",
        "cvae-seed0-reconstruction-mine.csv",
        "cvae-seed0-reconstruction-mine-both.png",
        "cvae-seed0-variation-3-1.csv",
        "cvae-seed0-variation-3-2.csv",
        "between-translation-back-mine.csv",
    ):
        assert name in written
    assert len((to / "new" / "points" / "points.csv").read_text().splitlines()) == 3
    assert len((to / "cvae-seed0-interpolation-mine-3.csv").read_text().splitlines()) == 4
    assert "| gan |" in (to / "all" / "comparison.md").read_text()


def test_the_command_that_prepares_shows_its_progress_and_takes_settings(tmp_path: Path):
    ticks: list[tuple[int, int]] = []
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "b.csv").write_text(CSV + "1,1\n")
    summary = RingCommands().prepare(
        jobs=0,
        tick=lambda *state: ticks.append(state),
        sources=[str(tmp_path / "a.csv"), str(tmp_path / "b.csv")],
        to=tmp_path / "data",
        seed=4,
        settings=["test_share=0.5"],
    )
    assert ticks == [(1, 2), (2, 2)]
    assert summary.folder == tmp_path / "data"
    assert (tmp_path / "data" / "summary.txt").read_text().splitlines() == summary.lines
    stored = json.loads((tmp_path / "data" / "prepare.json").read_text())
    assert (stored["config"]["seed"], stored["config"]["test_share"]) == (4, 0.5)


def test_every_command_has_examples_of_its_own():
    commands = {command.name for command in group_of(RingCommands()).registered_commands}
    assert commands == {*RingCommands.examples}
    for name, lines in RingCommands.examples.items():
        assert {line.split()[0] for line in lines} == {name}


def test_a_file_of_settings_names_the_model_unless_the_command_does():
    settings = {"model": {"recipe": "gan"}}
    for named, model in ((None, "gan"), ("ae", "ae")):
        found = fit.configure(DOMAIN, RING, named, "tiny", settings=settings)
        assert found.model.recipe == model
    assert fit.configure(DOMAIN, RING, None, "tiny", settings={}).model.recipe == "vae"
    with pytest.raises(ConfigError):
        fit.configure(DOMAIN, RING, None, "tiny", settings={"model": "gan"})


def test_a_run_takes_the_settings_by_which_its_recipe_learns_the_ring():
    gan = fit.configure(DOMAIN, RING, "gan")
    assert (gan.train.steps, gan.train.decay, gan.model.stabilisers.r1) == (4000, "cosine", 0.1)
    aae = fit.configure(DOMAIN, RING, "aae", assignments=["train.steps=7"])
    assert (aae.train.steps, aae.train.critic.learning_rate) == (7, 2e-3)
    assert aae.model.weights == {"match_z": 50.0}
    assert fit.configure(DOMAIN, RING, "wgan_gp").model.critic_steps == 3


def test_sampled_points_have_the_labels_in_turn(tmp_path: Path):
    """Ten points of a model with labels: of the labels 0 to 7, then 0 and 1."""
    folder, budget = tmp_path / "cvae", ("--preset", "tiny", "--steps", 1, "--device", "cpu")
    assert run("ring", "train", "--model", "cvae", *budget, "--to", folder)[0] == 0
    assert run("ring", "sample", folder, "--count", 10, "--seed", 5, "--to", tmp_path)[0] == 0
    labels = [str(label) for label in (*range(8), 0, 1)]
    expected = Model.load(folder, "cpu").points(10, 5, labels)
    lines = "".join(f"{x:.6f},{y:.6f}\n" for x, y in expected.tolist())
    assert (tmp_path / "points.csv").read_text() == lines


def test_batches_of_a_run_are_drawn_by_its_seed_and_number_from_both_collections():
    small, size = DrawnRing("small"), ["train.seed=6", "train.batch_size=5"]
    config = fit.configure(DOMAIN, RING, "cyclegan", "tiny", assignments=size, other=small)
    batch = DOMAIN.batches(RING, config, torch.device("cpu"), small)(3)
    assert torch.equal(batch.x, RING.batch(3, 5, seed=6)[0])
    assert batch.other is not None
    assert torch.equal(batch.other, small.batch(3, 5, seed=6)[0])
    assert batch.c is None
    symbols = fit.configure(DOMAIN, RING, "pixelcnn", "tiny", assignments=size)
    drawn = DOMAIN.batches(RING, symbols, torch.device("cpu"))(3)
    assert torch.equal(drawn.x, to_symbols(batch.x))


@pytest.mark.parametrize(("recipe", "seen"), [("ae", RING), ("cyclegan", DrawnRing("small"))])
def test_models_are_evaluated_beside_other_held_out_points_and_a_gaussian(
    recipe, seen, monkeypatch
):
    """A model that returns what it is given is the data, and a copy of the other ring is not."""
    same: Any = fake_model(DOMAIN, Networks({}), recipe, "same")
    monkeypatch.setattr(same, "generate", lambda examples, seed: examples.items)
    before = torch.get_rng_state()
    evaluation = DOMAIN.evaluate([same], RING, 800, 4, DrawnRing("small"))
    report = evaluation.report
    (table,) = evaluation.tables(report)
    legend = [line.split(":")[0] for line in str(table.caption).splitlines()]
    assert legend == [f"- {column.header}" for column in table.columns[1:]]
    assert torch.equal(torch.get_rng_state(), before), "it depends on the seed alone"
    given, held_out, gaussian = report.rows
    points = seen.batch(0, 800, 4, "test")[0]
    assert given.discrepancy == pytest.approx(mmd(points, RING.batch(0, 800, 4, "test")[0]).item())
    assert (given.name, given.kind, given.count) == ("same", "generated", 800)
    assert (held_out.kind, held_out.modes) == ("real", 8) and held_out.good > 0.97
    itself = mmd(real := RING.batch(0, 800, 4, "test")[0], real).item()
    assert itself + 1e-3 < held_out.discrepancy < 0.01  # of other points, or it were the least
    near = 8 * 0.3**2 / (2 * 1.96) * math.exp(-(2**2) / (2 * 1.96))  # of N(0, 1.4^2), by area
    assert gaussian.kind == "baseline" and gaussian.good == pytest.approx(near, abs=0.025)
    assert given.good > 0.97 if recipe == "ae" else given.good < 0.1


def test_nothing_is_neither_encoded_nor_decoded_nor_translated(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    model, between = tiny(tmp_path / "run", "vae"), tiny(tmp_path / "between", "cyclegan")
    points = model.encode(RING.batch(0, 2, 1)[0])
    items: list[Any] = [[], torch.zeros(0, 2), None]
    for wrong in items:
        with pytest.raises(ConfigError, match="nothing to encode: give at least one point"):
            model.encode(wrong)
        with pytest.raises(ConfigError, match="nothing to translate: give at least one point"):
            between.translate(wrong)
    places: list[Any] = [[], points[:0], None]
    for wrong in places:
        with pytest.raises(ConfigError, match="nothing to decode: give latent points"):
            model.decode(wrong)
