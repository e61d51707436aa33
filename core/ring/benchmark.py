"""Every model on the ring: good samples, covered modes, time, and what it looks like.

pianoreel models --report docs/models      writes models.md, ring.png and ring/NAME.png

Each recipe is trained by its `RingSettings` from several seeds, which decide initialisation,
batches and steps. A finished training is stored, and a report goes on where it stopped.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from core.files import write_figure, write_text
from core.recipe import Recipe
from core.recipes import RECIPES
from core.ring import eight_gaussians as ring
from core.ring.settings import RingSettings, settings_of
from core.theory.divergences import mmd
from core.theory.passes import Batch, Networks, read_condition
from core.training.device import isolated_random_state
from core.training.loop import rate_factor, set_rates
from core.training.step import TrainState, step

COLUMNS = 6
SHOWN_POINTS = 1000
CPU = torch.device("cpu")

_EVALUATED = ring.labelled(2000, seed=999_999)
REAL = _EVALUATED.x
"""Points that no training draws."""


def labels() -> Float[Tensor, "point mode"]:
    """Return the labels of `REAL`, one-hot."""
    assert _EVALUATED.c is not None
    return _EVALUATED.c


def on_the_ring() -> list[str]:
    """Return the recipes that a ring can be learned by; the others need what it lacks."""
    return [name for name, recipe in RECIPES.items() if recipe.needs <= ring.OFFERS]


def adapting() -> list[str]:
    """Return the recipes that predict labels: they are judged on the shifted ring."""
    return [name for name, recipe in RECIPES.items() if "labels" in recipe.needs]


def begin(name: str, seed: int = 0, settings: RingSettings | None = None) -> TrainState:
    """Return a recipe before its first step on the ring.

    Encoder and classifier of another recipe that it begins with are trained first.
    """
    settings = settings or settings_of(name)
    recipe = settings.apply(RECIPES[name])
    with isolated_random_state(CPU):
        torch.manual_seed(seed)
        networks = settings.stabilisers.fit(
            ring.networks(recipe, settings.latent, settings.frequencies)
        )
    if recipe.begins:
        _initialise(networks, learn(recipe.begins, seed).ema)
    train, stabilisers = settings.train, settings.stabilisers
    return TrainState(
        networks,
        recipe,
        train.learner,
        train.critic,
        train.ema_decay,
        historical_averaging=stabilisers.historical_averaging,
        pool=stabilisers.pool,
    )


def _initialise(networks: Networks, learned: Networks) -> None:
    """Copy encoder and classifier of another recipe, the encoder into `source` too."""
    for name, network in networks.items():
        origin = "encoder" if name == "source" else name
        if origin in learned:
            network.load_state_dict(learned[origin].state_dict())


Observe = Callable[[TrainState, int], None]
DRAWS_APART = 10_000_019
"""Draws of a seed before those of the next one begin: no two trainings share a batch."""


def learn(
    name: str,
    seed: int = 0,
    settings: RingSettings | None = None,
    observe: Observe = lambda state, steps: None,
) -> TrainState:
    """Return a recipe after its steps on the ring; `observe` is called after each of them."""
    settings = settings or settings_of(name)
    state = begin(name, seed, settings)
    train, recipe, draw = settings.train, state.recipe, ring.batches(state.recipe)
    assert train.steps

    def batches(number: int) -> Batch:
        return draw(number + DRAWS_APART * seed)

    with isolated_random_state(CPU):
        for number in range(train.steps):
            fraction = number / train.steps
            state.current = settings.at(recipe, fraction)
            set_rates(state, rate_factor(train, number, fraction))
            step(state, batches, number, seed)
            observe(state, number + 1)
    return state


@torch.no_grad()
def samples(state: TrainState) -> Float[Tensor, "point 2"]:
    """Draw as many points as `REAL` has, for its labels where labels are read.

    Of a model without a prior reconstructions of `REAL`; of a translation the other ring's points,
    translated. The same model gives the same points.
    """
    with isolated_random_state(CPU):
        torch.manual_seed(12_345)
        return _samples(state.ema, state.recipe)


def _samples(networks: Networks, recipe: Recipe) -> Float[Tensor, "point 2"]:
    if "density" in networks:
        samples = networks["density"](len(REAL)).rsample()
        return ring.from_symbols(samples) if recipe.sequence else samples
    if recipe.other:
        return networks["decoder"](ring.other_points(len(REAL), seed=999_998)).representative
    c = read_condition(networks, labels() if "condition" in recipe.needs else None)
    prior = (
        networks["prior"](len(REAL), c) if "prior" in networks else networks["encoder"](REAL, c)
    )
    return networks["decoder"](prior.rsample(), c).rsample()


def shifted_points() -> Float[Tensor, "point 2"]:
    """Return the points of `REAL` after the ring was turned and moved."""
    return ring.shifted_points(len(REAL), seed=999_999)


@torch.no_grad()
def classify(state: TrainState, x: Float[Tensor, "point 2"], encoder: str = "encoder") -> Tensor:
    """Return the probabilities of the labels of points, [point mode]."""
    networks = state.ema
    return networks["classifier"](networks[encoder](x).representative).mean


def accuracy(state: TrainState) -> tuple[float, float]:
    """Return the share of labels predicted right: on the ring, and on the shifted ring."""
    source = "source" if "source" in state.ema else "encoder"
    predicted = classify(state, REAL, source), classify(state, shifted_points())
    here, there = ((p.argmax(1) == labels().argmax(1)).float().mean().item() for p in predicted)
    return here, there


def distance(x: Float[Tensor, "point 2"]) -> float:
    """Compute the squared MMD between the first thousand points and real ones."""
    return mmd(x[:1000], REAL[:1000]).item()


@dataclass(frozen=True)
class Result:
    """The outcome of one training.

    `measures` of a generator: good (share of good samples), modes (covered, of 8), mmd; of a
    classifier: ring, shifted (shares of labels predicted right at the end), best (of the shifted
    ring's on the way). All: seconds, parameters. `points` [point 2]: the first samples, or of the
    shifted ring; `labels` [labelled]: as predicted for those, none of a generator.
    """

    name: str
    seed: int
    digest: str
    measures: Mapping[str, float]
    points: Float[np.ndarray, "point 2"]
    labels: Int[np.ndarray, " labelled"]

    @property
    def score(self) -> float:
        """The share that the picture's title shows."""
        return self.measures.get("shifted", self.measures.get("good", 0.0))

    def save(self, folder: Path) -> None:
        """Store the points, then the facts: a result whose facts are there is whole."""
        folder.mkdir(parents=True, exist_ok=True)
        array, facts = _paths(folder, self.name, self.seed)
        np.savez_compressed(array, points=self.points.astype(np.float16), labels=self.labels)
        rest = {k: v for k, v in asdict(self).items() if k not in ("points", "labels")}
        write_text(facts, json.dumps(rest, indent=1) + "\n")


def _paths(folder: Path, name: str, seed: int) -> tuple[Path, Path]:
    return folder / f"{name}.{seed}.npz", folder / f"{name}.{seed}.json"


def load(folder: Path, name: str, seed: int) -> Result | None:
    """Return a stored result; None where there is none of the present settings."""
    array, facts = _paths(folder, name, seed)
    if not facts.is_file():
        return None
    stored = json.loads(facts.read_text(encoding="utf-8"))
    if stored["digest"] != digest(name):
        return None
    with np.load(array) as arrays:
        return Result(**stored, points=arrays["points"], labels=arrays["labels"])


def digest(name: str) -> str:
    """Return a digest of what a recipe's results follow from, short of the code of its networks:
    its settings, its terms and the shapes of its networks, and those of what it begins with."""
    settings = settings_of(name)
    recipe = settings.apply(RECIPES[name])
    networks = ring.networks(recipe, settings.latent, settings.frequencies)
    shapes = [(key, list(weight.shape)) for key, weight in networks.state_dict().items()]
    terms = re.sub(r" at 0x[0-9a-f]+", "", repr(recipe.terms))  # games are functions
    terms = terms.replace(", played=1.0, penalised=1.0", "")  # options that joined later
    origin = digest(recipe.begins) if recipe.begins else ""
    chosen = settings.model_dump(mode="json", exclude_defaults=True)  # an option may join later
    facts = [chosen, terms, shapes, origin]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


CURVE_STEPS = 100
"""Steps between two looks at a classifier's labels of the shifted ring."""


def measure(name: str, seed: int) -> Result:
    """Train a recipe from a seed and judge it."""
    started, shifted = time.perf_counter(), []

    def observe(state: TrainState, steps: int) -> None:
        if name in adapting() and steps % CURVE_STEPS == 0:
            shifted.append(accuracy(state)[1])

    state = learn(name, seed, observe=observe)
    seconds = time.perf_counter() - started
    size = sum(p.numel() for p in state.networks.parameters())
    common = {"seconds": seconds, "parameters": float(size)}
    if name in adapting():
        here, there = accuracy(state)
        measures = {"ring": here, "shifted": there, "best": max(shifted)}
        x = shifted_points()
        predicted = classify(state, x).argmax(1).numpy()
    else:
        x, predicted = samples(state), np.zeros(0, int)
        modes, good = ring.coverage(x)
        measures = {"good": good, "modes": modes, "mmd": distance(x)}
    shown = slice(SHOWN_POINTS)
    return Result(
        name=name,
        seed=seed,
        digest=digest(name),
        measures=measures | common,
        points=x[shown].numpy(),
        labels=predicted[shown],
    )


def survey(
    names: Sequence[str],
    seeds: Iterable[int],
    folder: Path,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Result]:
    """Measure each recipe with each seed, storing each result; stored ones are not repeated.

    The first seed of all recipes comes first, so that a report which is cut short has each.
    """
    pairs = [(name, seed) for seed in seeds for name in names]
    for number, (name, seed) in enumerate(pairs, 1):
        result = load(folder, name, seed)
        if result is None:
            result = measure(name, seed)
            result.save(folder)
        tick(number, len(pairs))
        yield result


def stored(names: Sequence[str], seeds: Sequence[int], folder: Path) -> dict[str, list[Result]]:
    """Return the stored results of each recipe, in the order of seeds."""
    found = {name: [load(folder, name, seed) for seed in seeds] for name in names}
    return {name: [r for r in results if r] for name, results in found.items()}


def write(seeds: Sequence[int], folder: Path, to: Path) -> list[Path]:
    """Write the tables as models.md, all points as ring.png, each model's as ring/NAME.png.

    All results in `folder` are shown, a model without any as an empty row. Pictures are of a
    model's first seed.
    """
    (to / "ring").mkdir(parents=True, exist_ok=True)
    every = stored([*on_the_ring(), *adapting()], seeds, folder)
    (to / "models.md").write_text(table(every, seeds, to), encoding="utf-8")
    draw([every[name][0] for name in on_the_ring() if every[name]], to / "ring.png")
    for name, results in every.items():
        if results:
            draw(results[:1], to / "ring" / f"{name}.png")
    return [to / "models.md", to / "ring.png", to / "ring"]


def table(results: Mapping[str, Sequence[Result]], seeds: Sequence[int], to: Path) -> str:
    """Return the tables of the results of every recipe, as Markdown."""
    lines = [
        *_head(to, len(seeds)),
        *(_row(name, results[name]) for name in on_the_ring()),
        *ADAPTED_HEAD,
        *(_adapted_row(name, results[name]) for name in adapting()),
    ]
    return "\n".join(lines) + "\n"


def _head(to: Path, seeds: int) -> list[str]:
    return [
        "# The models on the ring of eight Gaussians",
        "",
        f"Made by `pianoreel models --report {to} --seeds {seeds}`. Each model is trained on",
        "batches of 256 points with its settings in `core/ring/settings.py`. Its seeds decide",
        "initialisation and batches. Numbers are mean ± standard deviation over seeds, of 2,000",
        "samples of the EMA networks at the end of training.",
        "",
        "- good: % of samples within three standard deviations of a mode (the ring: 98.9 %)",
        "- modes: covered with at least a quarter of their fair share of good samples, in the",
        "  worst seed",
        "- MMD: squared maximum mean discrepancy (another sample of the ring: 0.000)",
        "- seconds: of the fastest seed, on one core that other work shared",
        "",
        "![Samples of each model](ring.png)",
        "",
        "| model | good % | modes | MMD | seeds | steps | seconds | parameters | remark |",
        "|---|---|---|---|---|---|---|---|---|",
    ]


def spread(values: Sequence[float], factor: float = 100, digits: int = 1) -> str:
    """Return mean ± standard deviation of values times a factor; a single value alone.

    >>> spread([0.9, 0.92, 0.97])
    '93.0 ± 3.6'
    """
    scaled = [factor * value for value in values]
    middle = f"{mean(scaled):.{digits}f}"
    return f"{middle} ± {stdev(scaled):.{digits}f}" if len(scaled) > 1 else middle


def _of(results: Sequence[Result], measure: str) -> list[float]:
    return [result.measures[measure] for result in results]


def _row(name: str, results: Sequence[Result]) -> str:
    if not results:
        return _empty_row(name)
    good, modes = spread(_of(results, "good")), min(_of(results, "modes"))
    distances = spread(_of(results, "mmd"), 1, 3)
    return f"| `{name}` | {good} | {modes:.0f} | {distances} | {_costs(results)}"


def _costs(results: Sequence[Result]) -> str:
    """Return the last columns of a row: seeds, steps, seconds, parameters and remark."""
    name = results[0].name
    seeds = ", ".join(str(result.seed) for result in results)
    seconds, parameters = min(_of(results, "seconds")), results[0].measures["parameters"]
    return f"{seeds} | {_steps(name)} | {seconds:.0f} | {parameters:,.0f} | {_remark(name)} |"


def _empty_row(name: str) -> str:
    return f"| `{name}` | | | | none yet | {_steps(name)} | | | {_remark(name)} |"


def _steps(name: str) -> str:
    return f"{settings_of(name).train.steps:,}"


def _remark(name: str) -> str:
    return RECIPES[name].remark


ADAPTED_HEAD = (
    "",
    "These models learn labels on the ring and predict those of another, which is turned and",
    "moved and whose labels are not used; % right at the end of training, and the best on the",
    "way:",
    "",
    "| model | ring | shifted ring | best | seeds | steps | seconds | parameters | remark |",
    "|---|---|---|---|---|---|---|---|---|",
)


def _adapted_row(name: str, results: Sequence[Result]) -> str:
    if not results:
        return _empty_row(name)
    shares = (spread(_of(results, measure)) for measure in ("ring", "shifted", "best"))
    return f"| `{name}` | {' | '.join(shares)} | {_costs(results)}"


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw each model's points over the ring; those of a classifier in their labels' colours."""
    if not results:
        return
    columns = min(COLUMNS, len(results))
    rows = -(-len(results) // columns)
    figure = Figure(figsize=(2.4 * columns, 2.6 * rows), dpi=90, layout="constrained")
    every = figure.subplots(rows, columns, squeeze=False).flat
    for result, axes in zip(results, every, strict=False):
        _draw_ring(axes)
        colours = result.labels[:SHOWN_POINTS] if len(result.labels) else "#3f6fa3"
        axes.scatter(*result.points[:SHOWN_POINTS].T, s=2, c=colours, cmap=_map(result))
        axes.set_title(f"{result.name}  {result.score:.0%}", fontsize=9)
    for axes in every:
        axes.set_axis_off()
    write_figure(figure, path)


def _map(result: Result) -> str | None:
    return "Set1" if len(result.labels) else None


def _draw_ring(axes: Axes) -> None:
    axes.scatter(*REAL.numpy()[:SHOWN_POINTS].T, s=2, color="#d8dee9")
    axes.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    axes.set_axis_off()
