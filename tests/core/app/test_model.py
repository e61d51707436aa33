"""A trained model of numbers: what it loads, samples, reconstructs and translates."""

from pathlib import Path
from typing import Any

import pytest
import torch
from fake_domain import fake_domain
from torch import Tensor, nn

from core.app.configuration import ModelConfig, RunConfig
from core.app.domain import Domain, Examples
from core.app.model import Model
from core.errors import UserError
from core.theory.distributions import Delta, Gaussian
from core.theory.passes import Networks
from core.training.loop import TrainConfig
from core.training.run import Run


class Affine(nn.Module):
    """N(scale * value + shift, 0.5^2)."""

    def __init__(self, scale: float, shift: float):
        super().__init__()
        self.scale, self.shift = (nn.Parameter(torch.tensor([v])) for v in (scale, shift))

    def forward(self, value: Tensor, c: Tensor | None = None) -> Gaussian:
        mean = self.scale * value + self.shift
        return Gaussian(mean, torch.full_like(mean, 0.5).log())


class Spread(nn.Module):
    """A prior whose z is 7."""

    def forward(self, batch: int, c: Tensor | None = None) -> Delta:
        return Delta(torch.full((batch, 1), 7.0))


class Numbers(Model):
    """Items are lists of numbers."""

    def to_x(self, items: Any) -> Tensor:
        return torch.tensor(items)[:, None]

    def from_x(self, x: Tensor) -> Any:
        return x.squeeze(1).tolist()

    def sampled_like(self, examples: Examples, seed: int) -> Any:
        return [float(seed)] * len(examples)


class NumbersRun(RunConfig):
    spec: str = "numbers"


def networks(config: Any) -> Networks:
    parts = {
        "encoder": Affine(2.0, 1.0),
        "decoder": Affine(10.0, 0.5),
        "critic_x": Affine(1.0, 1.0),
    }
    return Networks(parts)


def numbers(domain: Domain) -> type[Numbers]:
    return type("OwnNumbers", (Numbers,), {"domain": domain})


def model(recipe: str, **others: nn.Module) -> Numbers:
    parts = Networks({"encoder": Affine(2.0, 1.0), "decoder": Affine(10.0, 0.5), **others})
    return numbers(fake_domain())(parts, ModelConfig(recipe=recipe), None, "mine")


def test_reconstructions_go_through_the_means_of_z():
    """10 (2 x + 1) + 0.5."""
    assert model("ae").reconstruct([1.0, -2.0]) == [30.5, -29.5]
    assert model("ae").transform([0.0]) == [10.5]
    assert model("ae").encode([1.0, -2.0]).u.tolist() == [[3], [-3]]


def test_translations_go_one_way_or_back_and_reconstructions_there_and_back():
    translating = model("cyclegan")
    assert translating.translate([3.0]) == [30.5]
    assert translating.translate([3.0], back=True) == [7.0]
    assert translating.transform([3.0]) == [30.5]
    assert translating.reconstruct([3.0]) == [10 * 7 + 0.5]
    with pytest.raises(UserError, match="mine does not translate"):
        model("ae").translate([3.0])


def test_it_samples_where_it_can_and_else_shows_what_becomes_of_examples():
    examples = Examples([1.0, 2.0])
    assert model("vae").generate(examples, seed=5) == [5.0, 5.0]
    assert model("ae").generate(examples, seed=5) == [30.5, 50.5]
    assert model("cyclegan").generate(examples, seed=5) == [10.5, 20.5]


@pytest.mark.parametrize(
    "change",
    [
        lambda m, seed: m.decode(m.encode([1.0, -2.0]), seed),
        lambda m, seed: m.transform([1.0, -2.0], None, seed),
        lambda m, seed: m.reconstruct([1.0, -2.0], None, seed),
        lambda m, seed: m.generate(Examples([1.0, -2.0]), seed),
    ],
    ids=["decode", "transform", "reconstruct", "generate"],
)
def test_a_decoder_that_samples_does_so_by_the_seed(change, monkeypatch):
    monkeypatch.setattr(Numbers, "output", lambda self, decoded: decoded.rsample())
    sampling = model("ae")
    assert change(sampling, 3) == change(sampling, 3) != change(sampling, 4)


def test_the_prior_is_its_own():
    assert model("vae", prior=Spread()).prior(3).rsample().tolist() == [[7], [7], [7]]


def test_its_size_is_that_of_all_its_weights():
    assert model("ae").size == 4
    assert repr(model("ae")) == "music model mine (ae, 4 weights)"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Numbers]:
    """A run that is saved at steps 1, 2 and 3, of which 2 was the best: networks of n, EMA of
    10 n everywhere."""
    domain = fake_domain()
    monkeypatch.setattr(type(domain), "networks", lambda self, config: networks(config))
    monkeypatch.setattr(type(domain), "config", NumbersRun, raising=False)
    config = NumbersRun(train=TrainConfig(steps=3), model=ModelConfig(recipe="vae"))
    with Run.open(tmp_path / "mine", config.model_dump(mode="json")) as run:
        for step, distance in ((1, 0.5), (2, 0.25), (3, 0.75)):
            ema = {name: w for name, w in filled(10.0 * step).items() if "critic" not in name}
            state = {"networks": filled(step), "ema": ema}
            run.save(step, state, {"step": step, "seconds": 0.0})
            run.save_if_best(distance, state, {"step": step, "seconds": 0.0})
    return numbers(domain)


def filled(value: float) -> dict[str, Tensor]:
    state = networks(None).state_dict()
    return {name: torch.full_like(weight, value) for name, weight in state.items()}


def test_it_loads_the_averages_of_the_best_step_without_critics(runs, tmp_path):
    loaded = runs.load(tmp_path / "mine", "cpu")
    assert set(loaded.networks) == {"encoder", "decoder"}
    assert {p.item() for p in loaded.networks.parameters()} == {20.0}
    assert (loaded.name, loaded.spec, loaded.config.recipe) == ("mine", "numbers", "vae")
    assert not any(part.training for part in loaded.networks.modules())
