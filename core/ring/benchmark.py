"""Every model on the ring: how near it comes, how long it takes, and what it looks like.

pianoreel models --report docs/models      writes models.md and ring.png
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from core.recipes import RECIPES, Recipe
from core.ring import domain as ring
from core.theory.divergences import mmd
from core.theory.passes import Networks, read_condition
from core.training.optimisation import Optimisation
from core.training.step import TrainState, game, step

STEPS = 4000
ADAPTING_STEPS = 400
"""The minimax game does not rest where it has arrived: much longer runs go past it."""
COLUMNS = 6
SHOWN_POINTS = 1000

_EVALUATED = ring.labelled(2000, seed=999_999)
REAL = _EVALUATED.x
"""Points that no training draws."""


def labels() -> Float[Tensor, "point mode"]:
    """The labels of `REAL`, one-hot."""
    assert _EVALUATED.c is not None
    return _EVALUATED.c


def on_the_ring() -> list[str]:
    """The recipes that a ring can be learned by; the others need what it lacks."""
    met = {"condition", "vectors", "other", "statistics", "symbols"}
    return [name for name, recipe in RECIPES.items() if recipe.needs <= met]


def adapting() -> list[str]:
    """The recipes that say labels: they make no points, and are judged on the shifted ring."""
    return [name for name, recipe in RECIPES.items() if "labels" in recipe.needs]


RATES = {
    "wake_sleep": (3e-4, 1e-3),
    "aae": (1e-3, 5e-4),
    "dann": (1e-4, 1e-3),
    "nice": (3e-4, 3e-4),
}


def rates(name: str) -> tuple[float, float]:
    """Learning rates of learner and critic: who plays fewer steps, or follows, moves slower."""
    slower = any(game(term).critic_steps > 1 for term in RECIPES[name].critics)
    return RATES.get(name, (2e-4 if slower else 1e-3, 1e-3))


def begin(name: str, before: int = STEPS) -> TrainState:
    """A recipe before its first step on the ring; the same every time.

    `before`: steps of the recipe that it begins with, if any.
    """
    recipe = RECIPES[name]
    torch.manual_seed(0)
    settings = recipe.optimisation or Optimisation()
    learner, critic = (settings.replace(learning_rate=rate) for rate in rates(name))
    networks = ring.networks(recipe)
    if recipe.begins:
        _begin_with(networks, learn(recipe.begins, before).ema)
    return TrainState(networks, recipe, learner, critic, ema_decay=0.99)


def _begin_with(networks: Networks, learned: Networks) -> None:
    """Encoders and classifier begin as those of another recipe."""
    for name, network in networks.items():
        begun = "encoder" if name == "source" else name
        if begun in learned:
            network.load_state_dict(learned[begun].state_dict())


def learn(name: str, steps: int = STEPS) -> TrainState:
    """A recipe after `steps` on the ring."""
    state = begin(name, steps)
    draw = ring.batches(state.recipe)
    for number in range(steps):
        step(state, draw, number, seed=0)
    return state


@torch.no_grad()
def made(state: TrainState) -> Float[Tensor, "point 2"]:
    """As many points as `REAL` has, for its labels where labels are read.

    Of a model without a prior what it reconstructs; of a translation what it makes of the other
    ring.
    """
    networks = state.ema
    if "density" in networks:
        drawn = networks["density"](len(REAL)).rsample()
        return ring.from_symbols(drawn) if state.recipe.sequence else drawn
    if state.recipe.other:
        return networks["decoder"](ring.other_points(len(REAL), seed=999_998)).representative
    c = read_condition(networks, labels() if "condition" in state.recipe.needs else None)
    prior = (
        networks["prior"](len(REAL), c) if "prior" in networks else networks["encoder"](REAL, c)
    )
    return networks["decoder"](prior.rsample(), c).rsample()


def shifted_points() -> Float[Tensor, "point 2"]:
    """The points of `REAL` after the ring was turned and moved."""
    return ring.shifted_points(len(REAL), seed=999_999)


@torch.no_grad()
def say(state: TrainState, x: Float[Tensor, "point 2"], encoder: str = "encoder") -> Tensor:
    """Probabilities of the labels of points."""
    networks = state.ema
    return networks["classifier"](networks[encoder](x).representative).mean


def accuracy(state: TrainState) -> tuple[float, float]:
    """Share of labels that are said right: of the ring's points, and of the shifted ring's."""
    of_the_ring = "source" if "source" in state.ema else "encoder"
    said = say(state, REAL, of_the_ring), say(state, shifted_points())
    here, there = ((s.argmax(1) == labels().argmax(1)).float().mean().item() for s in said)
    return here, there


def distance(x: Float[Tensor, "point 2"]) -> float:
    """Squared maximum mean discrepancy to the ring: 0.00 for another half of it."""
    return mmd(x, REAL).item()


@dataclass(frozen=True)
class Result:
    """What became of one recipe. `modes`: of 8; `near`: share of points within 5 std of one."""

    name: str
    recipe: Recipe
    points: Float[np.ndarray, "point 2"]
    distance: float
    modes: int
    near: float
    seconds: float
    parameters: int


def survey(
    names: Sequence[str], steps: int, tick: Callable[[int, int], None] = lambda done, total: None
) -> Iterator[Result]:
    """Train each recipe on the ring and judge what it makes."""
    for number, name in enumerate(names):
        begun = time.perf_counter()
        state = learn(name, steps)
        seconds = time.perf_counter() - begun
        x = made(state)
        modes, near = ring.coverage(x)
        size = sum(p.numel() for p in state.networks.parameters())
        tick(number + 1, len(names))
        yield Result(name, RECIPES[name], x.numpy(), distance(x), modes, near, seconds, size)


@dataclass(frozen=True)
class Adapted:
    """What became of a recipe that says labels: shares said right, here and on the shifted ring.

    `points` of the shifted ring, `said`: the label that each is given.
    """

    name: str
    recipe: Recipe
    here: float
    there: float
    points: Float[np.ndarray, "point 2"]
    said: Int[np.ndarray, " point"]


def survey_adapting(most: int = ADAPTING_STEPS) -> Iterator[Adapted]:
    """Train each recipe that says labels, for at most so many steps, and judge what it says."""
    for name in adapting():
        state = learn(name, min(most, ADAPTING_STEPS))
        shifted = shifted_points()
        yield Adapted(
            name,
            RECIPES[name],
            *accuracy(state),
            shifted.numpy(),
            say(state, shifted).argmax(1).numpy(),
        )


def write(
    results: Sequence[Result], adapted: Sequence[Adapted], steps: int, to: Path
) -> list[Path]:
    """Write the tables as models.md, all points as ring.png, each model's as ring/NAME.png."""
    (to / "ring").mkdir(parents=True, exist_ok=True)
    lines = [*_head(steps, to), *map(_row, results)]
    if adapted:
        lines += ["", *ADAPTED_HEAD, *map(_adapted_row, adapted)]
    (to / "models.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    draw(results, to / "ring.png")
    for result in results:
        draw([result], to / "ring" / f"{result.name}.png")
    for one in adapted:
        draw_adapted(one, to / "ring" / f"{one.name}.png")
    return [to / "models.md", to / "ring.png", to / "ring"]


def _head(steps: int, to: Path) -> list[str]:
    return [
        "# The models on the ring of eight Gaussians",
        "",
        f"`pianoreel models --report {to} --steps {steps}`: so many steps of 256 points each,",
        "one seed, one after the other on the same machine. Distance: squared maximum mean",
        "discrepancy (another half of the ring: 0.00). Near: points within five standard",
        "deviations of a mode.",
        "",
        "![What each has learned](ring.png)",
        "",
        "| model | distance | modes | % near | seconds | parameters | |",
        "|---|---|---|---|---|---|---|",
    ]


def _row(r: Result) -> str:
    return (
        f"| `{r.name}` | {r.distance:.3f} | {r.modes} | {100 * r.near:.0f} | {r.seconds:.0f} | "
        f"{r.parameters:,} | {r.recipe.remark} |"
    )


ADAPTED_HEAD = (
    f"Labels, learned on the ring in {ADAPTING_STEPS} steps and said of one that is turned and",
    "moved, whose labels are not told; % right:",
    "",
    "| model | ring | shifted ring | |",
    "|---|---|---|---|",
)


def _adapted_row(a: Adapted) -> str:
    return f"| `{a.name}` | {100 * a.here:.0f} | {100 * a.there:.0f} | {a.recipe.remark} |"


def draw(results: Sequence[Result], path: Path) -> None:
    """The points that each model makes, over the real ones."""
    columns = min(COLUMNS, len(results))
    rows = -(-len(results) // columns)
    figure = Figure(figsize=(2.4 * columns, 2.6 * rows), dpi=90, layout="constrained")
    every = figure.subplots(rows, columns, squeeze=False).flat
    for result, axes in zip(results, every, strict=False):
        _over_the_ring(axes)
        axes.scatter(*result.points[:SHOWN_POINTS].T, s=2, color="#3f6fa3")
        axes.set_title(f"{result.name}  {result.distance:.3f}", fontsize=9)
    for axes in every:
        axes.set_axis_off()
    figure.savefig(path)


def draw_adapted(adapted: Adapted, path: Path) -> None:
    """The shifted ring's points, each in the colour of the label that is said of it."""
    figure = Figure(figsize=(2.4, 2.6), dpi=90, layout="constrained")
    axes = figure.subplots()
    _over_the_ring(axes)
    axes.scatter(*adapted.points[:SHOWN_POINTS].T, s=2, c=adapted.said[:SHOWN_POINTS], cmap="Set1")
    axes.set_title(f"{adapted.name}  {adapted.there:.0%}", fontsize=9)
    figure.savefig(path)


def _over_the_ring(axes: Axes) -> None:
    axes.scatter(*REAL.numpy()[:SHOWN_POINTS].T, s=2, color="#d8dee9")
    axes.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    axes.set_axis_off()
