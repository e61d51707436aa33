"""Latent commands over a domain of numbers: what is decoded, written and drawn, by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fake_domain import fake_domain
from torch import Tensor, nn

from core.app.configuration import ModelConfig
from core.app.domain import Examples
from core.app.latent import LatentPoints, LatentSpace
from core.app.latent_commands import arithmetic, interpolate, place, reconstruct, translate, vary
from core.app.model import Model
from core.app.output import Output
from core.theory.distributions import Delta
from core.theory.passes import Networks


class Scaled(nn.Module):
    """scale * value, a point."""

    def __init__(self, scale: float):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, value: Tensor, c: Tensor | None = None) -> Delta:
        return Delta(self.scale * value)


class Numbers(Model):
    """Items are tensors of two numbers each; z is half of them, and comes back threefold."""

    def to_x(self, items: Any) -> Tensor:
        return items

    def from_x(self, x: Tensor) -> Any:
        return x

    def sampled_like(self, examples: Examples, seed: int) -> Any:
        raise NotImplementedError


FILES = {"a.mid": [[6.0, 0.0], [9.0, 9.0]], "b.mid": [[0.0, 4.0]], "c.mid": [[2.0, 2.0]]}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A model whose domain notes what is written and drawn, as (titles, rows)."""
    domain: Any = fake_domain()
    noted = SimpleNamespace(written={}, drawn={}, sources={}, files=dict(FILES))

    def read(self: Any, model: Any, path: Path) -> Examples:
        items = noted.files[path.name]
        return Examples(torch.tensor(items), None, [f"{path.stem}{n}" for n in range(len(items))])

    def write(
        self: Any, model: Any, items: Tensor, titles: Any, name: str, to: Output, sources: Any
    ):
        noted.written[name] = (list(titles), items.tolist())
        noted.sources[name] = list(sources)
        yield to.folder / f"{name}.mid"

    def show(self: Any, model: Any, items: Tensor, titles: Any, path: Path) -> None:
        noted.drawn[path.name] = (list(titles), items.tolist())
        path.touch()

    kind = type(domain)
    monkeypatch.setattr(kind, "read", read)
    monkeypatch.setattr(kind, "write", write)
    monkeypatch.setattr(kind, "show", show)
    parts = Networks({"encoder": Scaled(0.5), "decoder": Scaled(3.0)})
    for recipe in ("ae", "cyclegan"):
        model = type("Own", (Numbers,), {"domain": domain})(
            parts, ModelConfig(recipe=recipe), None, recipe
        )
        setattr(noted, recipe, model)
    return noted


def test_interpolation_goes_from_the_first_item_to_the_last(world, tmp_path):
    """z from (3, 0) to (0, 2), half way at a right angle (3, 2) / sqrt 2."""
    to = tmp_path / "a" / "to"
    paths = list(interpolate(world.ae, "a.mid", "b.mid", 3, Output(to), 0))
    titles, rows = world.written["ae-seed0-interpolation-a-b"]
    assert paths == [
        to / "ae-seed0-interpolation-a-b.mid",
        to / "ae-seed0-interpolation-a-b-all.png",
    ]
    assert world.drawn["ae-seed0-interpolation-a-b-all.png"] == (titles, rows)
    assert titles == ["a.mid", "50%", "b.mid"]
    half = 3 / 2**0.5
    expected = torch.tensor([[9, 0], [3 * half, 2 * half], [0, 6]])
    torch.testing.assert_close(torch.tensor(rows), expected, atol=1e-5, rtol=0)


def test_a_file_of_which_only_the_beginning_counts_is_named(world, tmp_path, caplog):
    """The first file has two items."""
    list(interpolate(world.ae, "a.mid", "b.mid", 3, Output(tmp_path), 0))
    list(vary(world.ae, "b.mid", 0.5, 1, Output(tmp_path), 0))
    (said,) = (record.getMessage() for record in caplog.records)
    assert said.startswith("a.mid is longer") and said.endswith(
        "its beginning counts, 1 part of 2"
    )


def test_a_text_that_names_no_file_is_a_point_of_the_prior_with_its_condition(
    world, monkeypatch: pytest.MonkeyPatch
):
    """The domain reads RED out of it, and the seed 7."""
    drawn: list[Any] = []
    point = world.ae.encode(torch.tensor([[6.0, 0.0]]), None)

    def draw(self: Any, *asked: Any) -> LatentPoints:
        drawn.append(asked)
        return point

    kind, model = type(world.ae.domain), type(world.ae)
    monkeypatch.setattr(kind, "condition", lambda self, text, seed: ([text.upper()], seed + 4))
    monkeypatch.setattr(model, "warn_of", lambda self, conditions: drawn.append(conditions))
    monkeypatch.setattr(model, "read_conditions", lambda self, conditions: None)
    monkeypatch.setattr(LatentSpace, "draw", draw)
    assert place(world.ae, "red", 3) == (point, "RED")
    assert drawn == [["RED"], (1, None, 7)]


def test_numbers_of_samples_are_called_seeds(world, tmp_path, monkeypatch: pytest.MonkeyPatch):
    """By themselves, 1 - 2 would be a sum of numbers."""
    point, kind = world.ae.encode(torch.tensor([[6.0, 0.0]]), None), type(world.ae.domain)
    monkeypatch.setattr(kind, "condition", lambda self, text, seed: (None, int(text)))
    monkeypatch.setattr(LatentSpace, "draw", lambda *_: point)
    list(interpolate(world.ae, "07", "b.mid", 3, Output(tmp_path), 0))
    list(arithmetic(world.ae, ["1", "2", "b.mid"], Output(tmp_path), 0))
    assert world.written["ae-seed0-interpolation-07-b"][0] == ["seed 7", "50%", "b.mid"]
    assert world.written["ae-seed0-arithmetic-1-2-b"][0] == ["seed 1 - seed 2 + b.mid"]


def test_arithmetic_writes_the_sum_and_draws_all_four(world, tmp_path):
    """(3, 0) - (0, 2) + (1, 1) = (4, -1)."""
    paths = list(arithmetic(world.ae, ["a.mid", "b.mid", "c.mid"], Output(tmp_path), 0))
    assert world.written == {
        "ae-seed0-arithmetic-a-b-c": (["a.mid - b.mid + c.mid"], [[12.0, -3.0]])
    }
    assert world.drawn["ae-seed0-arithmetic-a-b-c-all.png"] == (
        ["+ a.mid", "- b.mid", "+ c.mid", "="],
        [[9.0, 0.0], [0.0, 6.0], [3.0, 3.0], [12.0, -3.0]],
    )
    assert paths == [
        tmp_path / "ae-seed0-arithmetic-a-b-c.mid",
        tmp_path / "ae-seed0-arithmetic-a-b-c-all.png",
    ]


def test_variations_that_do_not_vary_are_named_with_a_cure(world, tmp_path, monkeypatch, caplog):
    """Items follow from the first half of z, and hardly from the second."""

    def change(strength: float, keep: str = "") -> list[str]:
        caplog.clear()
        list(vary(world.ae, "d.mid", strength, 2, Output(tmp_path), 0, keep))
        return [record.getMessage() for record in caplog.records]

    world.files["d.mid"] = [[4.0, 2.0]]
    parts = {"first": torch.tensor([True, False]), "second": torch.tensor([False, True])}
    monkeypatch.setattr(type(world.ae), "latent_parts", parts)
    share = torch.tensor([1.0, 0.01])
    monkeypatch.setattr(type(world.ae), "output", lambda self, p: p.representative * share)
    said = "the variations hardly differ from the original {}: {}"
    of_first = "it follows from 'first', which stays. Keep another part, or leave out --keep"
    assert (change(0.5), change(0.5, "second"), change(0.0)) == ([], [], [])
    assert change(0.5, "first") == [said.format(world.ae.domain.item, of_first)]
    assert change(1e-4) == [said.format(world.ae.domain.item, "a higher --strength changes more")]


def test_what_is_written_has_the_sources_of_the_files_that_it_comes_from(world, tmp_path):
    """On the way from a to b half of the points, and that in the middle, are nearer to a."""
    list(interpolate(world.ae, "a.mid", "b.mid", 5, Output(tmp_path), 0))
    list(arithmetic(world.ae, ["a.mid", "b.mid", "c.mid"], Output(tmp_path), 0))
    list(vary(world.ae, "b.mid", 0.5, 2, Output(tmp_path), 0))
    list(reconstruct(world.ae, Path("a.mid"), Output(tmp_path), 0))
    list(translate(world.cyclegan, Path("a.mid"), Output(tmp_path)))
    assert world.sources == {
        "ae-seed0-interpolation-a-b": ["a0", "a0", "a0", "b0", "b0"],
        "ae-seed0-arithmetic-a-b-c": ["a0"],
        "ae-seed0-variation-b-1": ["b0"],
        "ae-seed0-variation-b-2": ["b0"],
        "ae-seed0-reconstruction-a": ["a0", "a1"],
        "cyclegan-translation-a": ["a0", "a1"],
    }


def test_variations_of_strength_0_are_the_point_itself(world, tmp_path):
    list(vary(world.ae, "b.mid", 0.0, 2, Output(tmp_path), 5))
    assert world.written == {
        "ae-seed5-variation-b-1": (["b.mid, strength 0"], [[0.0, 6.0]]),
        "ae-seed5-variation-b-2": (["b.mid, strength 0"], [[0.0, 6.0]]),
    }
    titles, rows = world.drawn["ae-seed5-variations-b-all.png"]
    assert titles == ["b.mid", "variation 1", "variation 2"] and rows == [[0.0, 6.0]] * 3


def test_points_of_one_kind_are_kept_beside_each_other_by_their_names(world, tmp_path):
    """Those of one long name share it between them."""
    for name in ("a.mid", "b.mid", "c.mid"):
        list(vary(world.ae, name, 0.5, 1, Output(tmp_path), 0))
        list(interpolate(world.ae, "a.mid", name, 2, Output(tmp_path), 0))
        list(arithmetic(world.ae, ["a.mid", "b.mid", name], Output(tmp_path), 0))
    assert len(world.written) == len(world.drawn) == 9
    world.files[f"{'x' * 200}.mid"] = world.files["b.mid"]
    world.written.clear()
    list(arithmetic(world.ae, [f"{'x' * 200}.mid"] * 3, Output(tmp_path), 0))
    (name,) = world.written
    assert name.count("xxx-") == 3 and len(name) <= 120


def test_variations_are_of_the_seed_and_differ(world, tmp_path):
    def varied(seed: int) -> Any:
        list(vary(world.ae, "b.mid", 0.5, 2, Output(tmp_path), seed))
        return world.drawn[f"ae-seed{seed}-variations-b-all.png"][1]

    one = varied(1)
    assert one[0] == [0.0, 6.0] and one[1] != one[2]
    assert varied(1) == one != varied(2)


def test_a_reconstruction_is_drawn_below_what_it_is_of(world, tmp_path):
    paths = list(reconstruct(world.ae, Path("a.mid"), Output(tmp_path), 0))
    assert world.written["ae-seed0-reconstruction-a"][1] == [[9.0, 0.0], [13.5, 13.5]]
    titles, rows = world.drawn["ae-seed0-reconstruction-a-both.png"]
    assert titles == ["a.mid 1", "a.mid 2", "reconstruction 1", "reconstruction 2"]
    assert rows == [[6.0, 0.0], [9.0, 9.0], [9.0, 0.0], [13.5, 13.5]]
    assert paths == [
        tmp_path / "ae-seed0-reconstruction-a.mid",
        tmp_path / "ae-seed0-reconstruction-a-both.png",
    ]


def test_one_item_is_not_numbered_in_a_picture(world, tmp_path):
    list(reconstruct(world.ae, Path("b.mid"), Output(tmp_path), 0))
    titles, _ = world.drawn["ae-seed0-reconstruction-b-both.png"]
    assert titles == ["b.mid", "reconstruction"]


@pytest.mark.parametrize(
    ("back", "factor", "name"), [(False, 3.0, "translation-c"), (True, 0.5, "translation-back-c")]
)
def test_a_translation_goes_one_way_or_back(world, tmp_path, back, factor, name):
    list(translate(world.cyclegan, Path("c.mid"), Output(tmp_path), back))
    assert world.written[f"cyclegan-{name}"] == (["c.mid"], [[2 * factor, 2 * factor]])


def noise_of(world: SimpleNamespace, change: Any) -> list[Any]:
    """Return what a command writes by a decoder that adds noise, with the seeds 1, 1 and 2."""
    world.ae.output = lambda p: p.representative + torch.randn_like(p.representative)
    written = []
    for seed in (1, 1, 2):
        list(change(seed))
        written.append(dict(world.written))
    return written


COMMANDS = {
    "interpolate": lambda m, to, seed: interpolate(m, "a.mid", "b.mid", 3, to, seed),
    "arithmetic": lambda m, to, seed: arithmetic(m, ["a.mid", "b.mid", "c.mid"], to, seed),
    "vary": lambda m, to, seed: vary(m, "b.mid", 0.0, 2, to, seed),
    "reconstruct": lambda m, to, seed: reconstruct(m, Path("a.mid"), to, seed),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_decoder_that_samples_does_so_by_the_seed(world, tmp_path, name):
    one, repeated, other = noise_of(
        world, lambda seed: COMMANDS[name](world.ae, Output(tmp_path), seed)
    )
    assert one == repeated != other


def test_a_picture_shows_four_items_at_most_of_each_side(world, tmp_path):
    world.files["d.mid"] = [[float(n), 1.0] for n in range(6)]
    list(reconstruct(world.ae, Path("d.mid"), Output(tmp_path), 0))
    assert len(world.written["ae-seed0-reconstruction-d"][1]) == 6
    titles, rows = world.drawn["ae-seed0-reconstruction-d-both.png"]
    assert [first for first, _ in rows] == [0, 1, 2, 3, 0, 1.5, 3, 4.5]
    assert (titles[3], titles[4]) == ("d.mid 4", "reconstruction 1")


def test_pictures_are_left_out_where_they_are_not_wanted(world, tmp_path):
    class Plain(Output):
        @property
        def has_pictures(self) -> bool:
            return False

    paths = list(vary(world.ae, "b.mid", 0.5, 2, Plain(tmp_path), 0))
    assert [path.name for path in paths] == [f"ae-seed0-variation-b-{n}.mid" for n in (1, 2)]
    assert list(reconstruct(world.ae, Path("a.mid"), Plain(tmp_path), 0)) == [
        tmp_path / "ae-seed0-reconstruction-a.mid"
    ]
    assert world.drawn == {}
