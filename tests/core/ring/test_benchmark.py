"""The report on the ring: results are stored, resumed, and shown as they are."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from command import run
from conftest import REPOSITORY
from matplotlib.figure import Figure
from torch import nn

from core.ring import benchmark
from core.ring import eight_gaussians as ring
from core.ring.benchmark import (
    Result,
    adapting,
    begin,
    digest,
    load,
    measure,
    on_the_ring,
    samples,
    spread,
    survey,
    write,
)
from core.ring.settings import SETTINGS, settings_of
from core.theory.distributions import Delta
from core.training.step import TrainState


@pytest.fixture
def short(monkeypatch):
    """Two steps for every recipe, and a look at a classifier after each."""
    for name in (*on_the_ring(), *adapting()):
        settings = settings_of(name)
        changed = settings.replace(train=settings.train.replace(steps=2))
        monkeypatch.setitem(SETTINGS, name, changed)
    monkeypatch.setattr(benchmark, "CURVE_STEPS", 1)


@pytest.fixture
def trained(monkeypatch):
    """The trainings that are measured, by name and seed."""
    done: list[tuple[str, int]] = []

    def measured(name: str, seed: int) -> Result:
        done.append((name, seed))
        return measure(name, seed)

    monkeypatch.setattr(benchmark, "measure", measured)
    return done


def result(name: str, seed: int, **measures: float) -> Result:
    common = {"seconds": 10.0 + seed, "parameters": 1234.0}
    labels = np.array([0, 3]) if name in adapting() else np.zeros(0, int)
    return Result(name, seed, digest(name), measures | common, np.ones((2, 2)), labels)


def test_a_result_comes_back_as_it_was_stored(tmp_path):
    stored = result("dann", 2, ring=0.99, shifted=0.75, best=0.8)
    stored.save(folder := tmp_path / "new" / "results")
    found = load(folder, "dann", 2)
    assert found is not None
    assert (found.measures, found.labels.tolist()) == (stored.measures, [0, 3])
    assert found.points.tolist() == [[1, 1], [1, 1]]
    assert load(folder, "dann", 1) is None


def test_a_result_of_other_settings_does_not_count(tmp_path, monkeypatch):
    result("gan", 0, good=0.9, modes=8, mmd=0.01).save(tmp_path)
    assert load(tmp_path, "gan", 0)
    gan = settings_of("gan")
    faster = gan.train.replace(learner=gan.train.learner.replace(learning_rate=0.5))
    monkeypatch.setitem(SETTINGS, "gan", gan.replace(train=faster))
    assert load(tmp_path, "gan", 0) is None


def test_a_digest_depends_on_weights_networks_and_what_a_recipe_begins_with(monkeypatch):
    before = {name: digest(name) for name in ("wae_mmd", "vae_flow", "dann", "gan", "vae")}
    changes = (
        ("wae_mmd", {"weights": {"match_z": 301.0}}),
        ("vae_flow", {"latent": 3}),
        ("classifier", {"train": settings_of("classifier").train.replace(steps=401)}),
        ("gan", {"stabilisers": settings_of("gan").stabilisers.replace(pool=50)}),
    )
    for name, change in changes:
        changed = settings_of(name).replace(**change)
        monkeypatch.setitem(SETTINGS, name, changed)
    changed = {name for name, old in before.items() if digest(name) != old}
    assert changed == {"wae_mmd", "vae_flow", "dann", "gan"}


def test_a_digest_depends_on_the_game_of_a_recipe_and_not_on_the_process():
    assert digest("gan") != digest("gan_minimax")
    here = "from core.ring.benchmark import digest; print(digest('gan'))"
    other = subprocess.run([sys.executable, "-c", here], cwd=REPOSITORY, capture_output=True)
    assert other.stdout.decode().strip() == digest("gan")


def test_a_survey_repeats_only_what_is_missing(tmp_path, short, trained):
    first = list(survey(["vae", "nice"], [0], tmp_path))
    assert trained == [("vae", 0), ("nice", 0)]
    assert [(r.name, r.points.shape) for r in first] == [("vae", (1000, 2)), ("nice", (1000, 2))]
    trained.clear()
    resumed = list(survey(["nice", "vae"], [0, 1], tmp_path))
    assert trained == [("nice", 1), ("vae", 1)]
    assert [(r.name, r.seed) for r in resumed] == [
        ("nice", 0),
        ("vae", 0),
        ("nice", 1),
        ("vae", 1),
    ]
    assert resumed[1].measures == first[0].measures


def test_a_training_that_is_cut_short_is_resumed(tmp_path, short, trained):
    list(survey(["vae"], [0], tmp_path))
    (tmp_path / "vae.0.json").unlink()
    list(survey(["vae"], [0], tmp_path))
    assert trained == [("vae", 0), ("vae", 0)]


def test_classifiers_are_judged_at_the_end_and_by_their_best_on_the_way(short, monkeypatch):
    shares = iter([(0.5, 0.75), (0.5, 0.25), (1.0, 0.25)])

    def accuracy(state: TrainState) -> tuple[float, float]:
        return next(shares)

    def classify(state: TrainState, x: torch.Tensor) -> torch.Tensor:
        return torch.eye(8)[torch.arange(len(x)) % 8]

    monkeypatch.setattr(benchmark, "accuracy", accuracy)
    monkeypatch.setattr(benchmark, "classify", classify)
    measured = measure("classifier", 0)
    assert {k: measured.measures[k] for k in ("ring", "shifted", "best")} == {
        "ring": 1.0,
        "shifted": 0.25,
        "best": 0.75,
    }
    assert measured.labels.tolist() == [n % 8 for n in range(1000)]


def test_the_shifted_points_are_the_real_ones_turned_and_moved():
    """Moved back by 0.3 to the left and turned by -0.25 they are what has the labels."""
    moved = benchmark.shifted_points() - torch.tensor([0.3, 0.0])
    turn = torch.polar(torch.tensor(1.0), torch.tensor(-0.25))
    back = torch.view_as_real(torch.view_as_complex(moved.contiguous()) * turn)
    torch.testing.assert_close(back, benchmark.REAL, atol=1e-5, rtol=0)


def test_a_picture_shows_the_share_of_good_samples_or_of_labels_on_the_shifted_ring():
    assert result("gan", 0, good=0.9, modes=8, mmd=0.01).score == 0.9
    assert result("dann", 0, ring=0.99, shifted=0.75, best=0.8).score == 0.75


def test_a_picture_names_each_model_and_its_share(tmp_path, monkeypatch):
    figures: list[Figure] = []
    monkeypatch.setattr(benchmark, "write_figure", lambda figure, path: figures.append(figure))
    results = [result("gan", 0, good=0.904), result("dann", 0, ring=1.0, shifted=0.75)]
    benchmark.draw(results, tmp_path / "ring.png")
    (figure,) = figures
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == [
        "gan  90%",
        "dann  75%",
    ]


def test_adaptation_begins_with_what_the_classifier_learned(short):
    """Its encoder twice: one is kept as the source's, the other adapts."""
    learned, networks = benchmark.learn("classifier", 3).ema, begin("adda", 3).networks
    pairs = (("encoder", "encoder"), ("encoder", "source"), ("classifier", "classifier"))
    for origin, name in pairs:
        wanted, found = (n.state_dict() for n in (learned[origin], networks[name]))
        assert wanted.keys() == found.keys()
        assert all(torch.equal(wanted[key], found[key]) for key in wanted)


class Labelled(nn.Module):
    """Prior and decoder that give each label its mode."""

    def forward(self, z: int | torch.Tensor, c: torch.Tensor) -> Delta:
        return Delta(c @ ring.modes())


def test_samples_of_a_model_that_reads_labels_are_of_those_of_real_points():
    state = begin("cvae")
    state.ema.update({"condition": nn.Identity(), "prior": Labelled(), "decoder": Labelled()})
    assert torch.equal(samples(state), benchmark.labels() @ ring.modes())


def test_samples_of_a_translation_are_translated_points_of_the_other_ring():
    state = begin("cyclegan")
    other = ring.other_points(2000, seed=999_998)
    with torch.no_grad():
        expected = state.ema["decoder"](other, None).representative
    torch.testing.assert_close(samples(state), expected)


def test_a_table_shows_means_spreads_seeds_and_what_is_missing(tmp_path):
    for seed, (good, modes) in enumerate(((0.9, 8), (0.92, 7), (0.97, 8))):
        result("gan", seed, good=good, modes=modes, mmd=0.001 * seed).save(tmp_path)
    result("hinge", 1, good=0.5, modes=8, mmd=0.25).save(tmp_path)
    result("adda", 0, ring=1.0, shifted=0.75, best=0.875).save(tmp_path)
    table, picture, folder = write(range(3), tmp_path, tmp_path / "docs")
    lines = table.read_text().splitlines()
    steps = f"{settings_of('gan').train.steps:,}"
    row = f"| `gan` | 93.0 ± 3.6 | 7 | 0.001 ± 0.001 | 0, 1, 2 | {steps} | 10 | 1,234 |"
    assert sum(line.startswith(row) for line in lines) == 1
    assert sum(line.startswith("| `hinge` | 50.0 | 8 | 0.250 | 1 |") for line in lines) == 1
    assert sum(line.startswith("| `adda` | 100.0 | 75.0 | 87.5 | 0 |") for line in lines) == 1
    assert sum(line.startswith("| `vae` | | | | none yet |") for line in lines) == 1
    assert sorted(p.name for p in folder.iterdir()) == ["adda.png", "gan.png", "hinge.png"]
    assert picture.stat().st_size > 3000


def test_one_value_has_no_spread():
    assert spread([0.5]) == "50.0"
    assert spread([0.0, 0.2], 1, 2) == "0.10 ± 0.14"


def test_the_command_trains_the_models_that_it_is_given(tmp_path, short):
    code, out, _ = run("models", "--report", tmp_path, "--seeds", 2, "--model", "vae")
    assert code == 0
    assert "models.md" in out
    stored = sorted(path.name for path in (tmp_path / "results").glob("*.json"))
    assert stored == ["vae.0.json", "vae.1.json"]
    assert json.loads((tmp_path / "results" / "vae.1.json").read_text())["seed"] == 1


def test_the_command_refuses_an_unknown_model(tmp_path):
    code, _, err = run("models", "--report", tmp_path, "--model", "gann")
    assert code != 0
    assert "did you mean 'gan'" in err
