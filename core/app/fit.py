"""Configure a model of a domain and train it in a run folder, or resume there."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from core import processes
from core.app.configuration import Config, RunConfig
from core.app.domain import Domain
from core.app.model import Model
from core.config import MissingKeys, layered, merged, override, resolve
from core.data.preparation import Tick, require_no_collection
from core.errors import ConfigError, Stopped, UserError
from core.exchange.tensorboard import Board
from core.files import aside
from core.launch import is_first
from core.recipe import Recipe
from core.theory.passes import TEACHER, Networks, is_for_training
from core.training.checkpoint import resumable
from core.training.device import (
    choose_device,
    computes_bf16,
    isolated_random_state,
    keep_freed_memory,
)
from core.training.forecast import Forecaster, Need
from core.training.loop import UNMONITORED, Budget, Monitor, Observe
from core.training.loop import train as train_run
from core.training.run import CONFIG, Run
from core.training.step import Batches, TrainState
from core.training.warm_start import start_from
from core.wording import nearest

SHOWN = 8
"""Items that are drawn while training."""


def configure(
    domain: Domain,
    data: Any,
    model: str | None = None,
    preset: str | None = None,
    assignments: Sequence[str] = (),
    other: Any = None,
    settings: Mapping[str, Any] | None = None,
) -> Any:
    """Return the preset's configuration of a model for this data, as the domain's `config`.

    `settings` (of a file) go over the preset's, `model` and `a.b=value` assignments over both.
    `other`: the second collection of a model that translates. Raises `ConfigError` for wrong keys
    or values.
    """
    asked = [f"model.recipe={domain.recipe_name(model)}"] if model else []
    model = _recipe_in(override({}, assignments)) or model or _recipe_in(settings)
    model = model or domain.default_model
    preset = preset or domain.default_preset
    domain.require(model, other is not None)
    name = domain.recipe_name(model)
    if preset not in domain.presets:
        known = nearest(preset, list(domain.presets))
        raise ConfigError(f"no preset is called '{preset}': {known}")
    values: dict[str, Any] = {"spec": domain.spec_of(data), "data_sha256": data.digest}
    if other is not None:
        domain.require_same_spec(data, other)
        values["other_sha256"] = other.digest
    chosen = domain.presets[preset].values(name, domain.recipes[name])
    chosen = merged(chosen, domain.settings_of(data))
    complete = layered(chosen, settings or {}, values, [*asked, *assignments])
    return resolve(domain.config, complete, "the configuration")


def _recipe_in(settings: Mapping[str, Any] | None) -> str | None:
    """Return the model that settings name, if any; `ConfigError` where it is no name."""
    model = (settings or {}).get("model", {})
    recipe = model.get("recipe") if isinstance(model, Mapping) else None
    if not isinstance(recipe, str | None):
        raise ConfigError(f"model.recipe must be the name of a model, not {recipe!r}")
    return recipe


def train(
    domain: Domain,
    data: Any,
    to: str | Path,
    model: str | None = None,
    preset: str | None = None,
    device: str = "auto",
    assignments: Sequence[str] = (),
    other: Any = None,
    settings: Mapping[str, Any] | None = None,
    monitor: Monitor = UNMONITORED,
    start: str | Path | None = None,
) -> Any:
    """Train a model on data into the run folder `to`; the same call resumes there.

    `data` and `other`: collections, or their folders. `start`: a run, or a shipped model by its
    name, whose weights the new run begins with, see `start_from`; its data and settings may be
    others. It is the `start` of the settings where it is not given.

    Returns the domain's model with the EMA weights; `Stopped` where `monitor` asks for a stop.
    Where it asks after the last step, `Domain.finish` is left to the next call. Warns of a budget
    that is too small for a model that begins anew. The caller's random state is left as it was.
    See `configure`.
    """
    data, other = (
        domain.open(Path(one)) if isinstance(one, str | Path) else one for one in (data, other)
    )
    if not (Path(to) / CONFIG).exists():
        require_no_collection(Path(to))
    for one in (data, other) if other is not None else (data,):
        if "train" not in one.splits:
            raise UserError(f"{one!r} has no {domain.item} to train on")
    config = configure(domain, data, model, preset, assignments, other, settings)
    build = domain.networks
    if start is None:
        start = config.start or None  # of a run's config.yaml, too
    if start is None and TEACHER in config.model.resolved_recipe.networks:
        raise ConfigError(
            f"{config.model.recipe} with these weights keeps to what a trained run draws: name "
            "that by --from RUN"
        )
    if start is not None:
        config = config.replace(start=str(start))
        if not Run(Path(to), {}).newest_step:  # else weights are its own, and `start` may be gone
            build = partial(start_from, Run.read(domain.folder(start)), build=build)
    chosen = choose_device(device)
    chosen_preset = domain.presets[preset or domain.default_preset]
    need = Need() if start else chosen_preset.need(config.model.recipe)
    ema = fit(
        to,
        config,
        build,
        domain.batches(data, config, chosen, other),
        lambda run: observer(domain, run, data, config, other),
        chosen,
        Forecaster(monitor, need).following,
    )
    trained = domain.model(ema, config.model, config.spec, Path(to).name)
    if monitor.should_stop() or not is_first():
        return trained  # what else sampling needs is made by the same call, or by the first
    with contextlib.suppress(Stopped):
        return domain.finish(trained, data, Path(to), _until_stop(monitor))
    return trained


def _until_stop(monitor: Monitor) -> Tick:
    """Return what shows how much of the rest is done, and raises `Stopped` to leave it there."""

    def tick(done: int, total: int) -> None:
        if monitor.should_stop():
            raise Stopped("stopped after the last step")
        monitor.on_rest(done, total)

    return tick


def fit(
    to: str | Path,
    config: Config,
    build: Callable[[Config], Networks],
    draw: Batches,
    observe: Callable[[Run], Observe],
    device: torch.device,
    monitor: Monitor = UNMONITORED,
) -> Networks:
    """Train into the run folder `to`, or resume there; return the EMA networks.

    `Stopped` where `monitor` asks for a stop. The caller's random state is left as it was. Where
    torchrun started several processes they train one run, of which each returns the networks.
    """
    keep_freed_memory()
    torch.set_flush_denormal(True)  # saturated masks have such gradients: a step takes a quarter
    values = config.model_dump(mode="json")
    complete = partial(_completed, type(config), Path(to) / CONFIG)
    board = Board(Path(to)) if config.train.tensorboard and is_first() else None
    with processes.joined(device):
        with isolated_random_state(device):
            torch.manual_seed(config.train.seed)
            state = _begin(build(config), config, device)
        with (
            Run.open(Path(to), values, config.changeable, complete) as run,
            _shown_on(board, monitor) as followed,
        ):
            train_run(run, state, draw, config.train, observe(run), followed)
    return state.ema


@contextlib.contextmanager
def _shown_on(board: Board | None, monitor: Monitor) -> Iterator[Monitor]:
    """Yield the monitor, which also keeps the board up to date where there is one."""
    if board is None:
        yield monitor
        return

    def on_step(budget: Budget, losses: Mapping[str, float]) -> None:
        with resumable(f"write to {board.run}"):
            board.update()
        monitor.on_step(budget, losses)

    with contextlib.closing(board):
        yield replace(monitor, on_step=on_step)


def _begin(networks: Networks, config: RunConfig, device: torch.device) -> TrainState:
    model, train = config.model, config.train
    networks = model.stabilisers.fit(networks).to(device)
    recipe = _freeze(networks, model.resolved_recipe, train.frozen)
    if TEACHER in networks:
        networks[TEACHER].requires_grad_(False)
    processes.share(networks)
    return TrainState(
        networks,
        recipe,
        train.learner,
        train.critic,
        train.ema_decay,
        train.bf16 and computes_bf16(device),
        model.stabilisers.historical_averaging,
        model.stabilisers.pool,
    )


def _freeze(networks: Networks, recipe: Recipe, names: Sequence[str]) -> Recipe:
    """Exclude networks from training; return the recipe without the terms that trained no others.

    `ConfigError` for unknown ones, critics, and where no term is left.
    """
    known = [name for name in networks if not is_for_training(name)]
    for name in names:
        if name not in known:
            raise ConfigError(
                f"train.frozen: no network is called '{name}': {nearest(name, known)}"
            )
        networks[name].requires_grad_(False)
        for module in networks[name].modules():
            if isinstance(module, _BatchNorm):
                module.eval()  # its statistics stay as well
    if not names:
        return recipe
    empty = [name for name in known if not list(networks[name].parameters())]
    left = recipe.beside([*names, *empty])
    if not any(term.trains and term.weight for term in left.terms):
        raise ConfigError(f"train.frozen: nothing is left to train: leave out one of {names}")
    return left


def observer(domain: Domain, run: Run, data: Any, config: Any, other: Any = None) -> Observe:
    """Show a few items while training, and take the domain's measures of the EMA weights."""
    seed = config.train.seed
    shown = domain.examples(data if other is None else other, SHOWN, seed)
    measure = domain.measures(data, config, other)

    def observe(ema: Networks, step: int) -> dict[str, float]:
        model: Model = domain.model(ema, config.model, config.spec, run.folder.name)
        items = model.generate(shown, seed)
        titles = list(shown.conditions or [f"{domain.item} {n + 1}" for n in range(len(items))])
        stem = run.samples / f"step-{step:08d}"
        domain.preview(model, items, titles, stem)
        if config.train.tensorboard and (sound := domain.sound(model, items)):
            with aside(stem.with_name(f"{stem.name}.wav")) as hidden:
                hidden.write_bytes(sound)
        return measure(model)

    return observe


def _completed(kind: type[RunConfig], path: Path, stored: dict[str, Any]) -> dict[str, Any]:
    """Return stored settings with those that were introduced since at their defaults.

    `ConfigError` where others are missing, as in a file that was cut short.
    """
    try:
        return resolve(kind, stored, str(path)).model_dump(mode="json")
    except MissingKeys as error:
        raise ConfigError(
            f"{error}: put back a copy of the file, which is cut short, or choose another folder"
        ) from error
    except ConfigError:
        return stored  # compared as they are
