"""Several processes train one run as one process does, decide the same, and end together."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from faults import equal
from together import WholeBatch, first_rows, together

from core import processes
from core.errors import ConfigError, Resumable
from core.recipes import recipe
from core.ring import eight_gaussians as ring
from core.theory.passes import Batch
from core.training.loop import Monitor, TrainConfig, train
from core.training.optimisation import Optimisation
from core.training.pool import Pool
from core.training.run import Run
from core.training.stabilisers import Stabilisers
from core.training.step import TrainState, step

STABILISED: dict[str, tuple[str, dict[str, Any]]] = {
    "features matched": ("gan", {"feature_matching": 1.0}),
    "r1 and spectral norm": ("gan", {"r1": 1.0, "spectral_norm": True}),
    "history": ("gan", {"historical_averaging": 1.0}),
}
KINDS = ["wgan_gp", "vq_vae", "wae_mmd"]
"""A game with a penalty, codes, and a comparison of batches."""
OTHERS = [
    *(
        "glow",
        "realnvp",
        "transformer",
        "vae",
        "vae_flow",
        "gaussian_mixture",
        "vq_vae_2",
        "aavae",
    ),
    *("aavae", "bigan", "cyclegan", "pix2pix", "gmmn", "dann", *STABILISED),
]


def beginning(kind: str, rate: float) -> tuple[TrainState, Callable[[int], Batch]]:
    name, stabilisers = STABILISED.get(kind, (kind, {}))
    chosen = Stabilisers.model_validate(stabilisers)
    parts = chosen.on(recipe(name))
    torch.manual_seed(1)
    networks = chosen.fit(ring.networks(recipe(name)))
    settings = Optimisation(learning_rate=rate)
    history = chosen.historical_averaging
    state = TrainState(networks, parts, settings, settings, historical_averaging=history)
    return state, ring.batches(recipe(name), size=16)


def two_steps(kind: str, rows: int) -> dict[str, Any]:
    """Losses, gradients and state after two steps whose rate is next to nothing."""
    state, batches = beginning(kind, rate=1e-9)
    part = processes.own_part(range(rows))
    with WholeBatch(rows, part):
        losses = [
            step(state, lambda draw: first_rows(batches(draw), rows), number, 3, measured=True)
            for number in range(2)
        ]
    gradients = {k: p.grad for k, p in state.networks.named_parameters()}
    return {"losses": losses, "gradients": gradients, "networks": state.networks.state_dict()}


def require_as_one(folder: Path, rows: int, kinds: list[str]) -> None:
    """Two processes share each batch: losses, gradients and buffers agree with those of one to
    1e-5, and between the two to the bit."""

    def work(number: int) -> None:
        torch.save({kind: two_steps(kind, rows) for kind in kinds}, folder / f"{number}.pt")

    assert together(folder, work) == [0, 0], said(folder, 0) + said(folder, 1)
    first, second = (torch.load(folder / f"{number}.pt") for number in range(2))
    for kind in kinds:
        assert equal(first[kind], second[kind]), kind
        require_close(kind, first[kind], two_steps(kind, rows))


def require_close(kind: str, ours: dict[str, Any], alone: dict[str, Any]) -> None:
    torch.testing.assert_close(ours["networks"], alone["networks"], atol=1e-5, rtol=1e-5)
    for one, other in zip(ours["losses"], alone["losses"], strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-5), kind
    given = {k: g for k, g in alone["gradients"].items() if g is not None}
    assert given.keys() == {k for k, g in ours["gradients"].items() if g is not None}
    scale = max((float(g.abs().max()) for g in given.values()), default=1.0)
    for name, gradient in given.items():
        gap = (ours["gradients"][name] - gradient).abs().max()
        assert gap <= 1e-5 * max(1.0, scale), f"{name} of {kind}"


def said(folder: Path, number: int) -> str:
    """The error that a process raised."""
    path = folder / f"{number}.txt"
    return path.read_text() if path.exists() else ""


def test_two_processes_learn_as_one_from_batches_that_are_no_multiple_of_two(tmp_path: Path):
    require_as_one(tmp_path, 7, KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [16, 5])
def test_two_processes_learn_every_kind_as_one(tmp_path: Path, rows: int):
    require_as_one(tmp_path, rows, [*KINDS, *OTHERS])


CONFIG = TrainConfig(
    steps=6,
    batch_size=16,
    ema_decay=0.9,
    seed=5,
    log_every_steps=1,
    sample_every_steps=4,
    save_every_steps=2,
    skips_allowed=2,
    setbacks_allowed=1,
)


def measured(ema: object, number: int) -> dict[str, float]:
    return {"distance": 1 / (1 + number)}


def draw(number: int) -> Batch:
    return ring.batch(number, 16)


def ring_run(
    folder: Path,
    batches: Callable[[int], Batch] = draw,
    monitor: Monitor | None = None,
    **changed: Any,
) -> TrainState:
    """Train in a run's folder, or resume there."""
    config = CONFIG.model_copy(update=changed)
    torch.manual_seed(config.seed)
    state = TrainState(
        ring.networks(parts := recipe("gan")), parts, config.learner, config.critic, 0.9
    )
    with Run.open(folder, {"recipe": "gan"}) as run:
        train(run, state, batches, config, measured, monitor or Monitor())
    return state


def saved_step(folder: Path) -> float:
    latest = Run.read(folder).latest()
    assert latest is not None
    latest.state()  # verifies all digests
    return latest.facts["step"]


def test_only_the_first_writes_and_all_end_with_the_same_weights(tmp_path: Path):
    """The second process opens nothing in the run's folder."""
    run = tmp_path / "run"

    def work(number: int) -> None:
        opened: list[str] = []

        def hook(event: str, given: tuple[Any, ...]) -> None:
            if event == "open":
                opened.append(str(given[0]))

        sys.addaudithook(hook)
        state = ring_run(run)
        seen = [one for one in opened if str(run) in one]
        torch.save({"networks": state.networks.state_dict(), "seen": seen}, tmp_path / f"{number}")

    assert together(tmp_path, work) == [0, 0], said(tmp_path, 0) + said(tmp_path, 1)
    first, second = (torch.load(tmp_path / str(number)) for number in range(2))
    assert equal(first["networks"], second["networks"])
    assert first["seen"] and not second["seen"]
    assert saved_step(run) == 6
    lines = (run / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 6 + 2  # each step once, and two observations


@pytest.mark.slow
def test_a_run_resumes_with_another_number_of_processes_and_says_so(tmp_path: Path, caplog):
    run = tmp_path / "run"
    assert together(tmp_path, lambda number: ring_run(run, steps=4)) == [0, 0]
    assert "processes 2" in (run / "config.yaml").read_text()
    ring_run(run)
    assert saved_step(run) == 6
    assert "threads 1, processes 2 and resumes with" in caplog.text
    assert caplog.text.endswith("threads 1: no longer equal to the bit\n")


@pytest.mark.slow
def test_two_processes_that_resume_end_as_two_that_do_not(tmp_path: Path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"

    def work(number: int) -> None:
        unbroken = ring_run(whole)
        ring_run(parts, steps=3)
        assert equal(unbroken.state(), ring_run(parts).state())

    assert together(tmp_path, work) == [0, 0], said(tmp_path, 0)


def test_losses_that_are_not_finite_in_one_process_are_a_setback_of_both(tmp_path: Path):
    """Both skip the steps, go back once, and stop with one sentence of the first."""
    run, seen = tmp_path / "run", []

    def work(number: int) -> None:
        def batches(n: int) -> Batch:
            x = draw(n).x.clone()
            x[15] = float("nan") if n >= 8 else x[15]  # in the part of the second process
            return Batch(x)

        def on_step(budget: Any, losses: Any) -> None:
            seen.append([budget.step, losses["skipped"]])
            torch.save(seen, tmp_path / f"{number}.pt")

        with pytest.raises(Resumable, match="learning rate halved 1 times") as raised:
            ring_run(run, batches, Monitor(on_step=on_step))
        assert raised.value.printed_by_first == (number == 1)

    assert together(tmp_path, work) == [0, 0], said(tmp_path, 0) + said(tmp_path, 1)
    first, second = (torch.load(tmp_path / f"{number}.pt") for number in range(2))
    assert first == second
    assert [skipped for _, skipped in first] == [0, 0, 0, 0, 2, 2]
    assert saved_step(run) == 4
    history = Run.read(run).history()
    assert [event["setback"] for event in history] == [1]


@pytest.mark.slow
@pytest.mark.parametrize("asked", [0, 1])
def test_a_stop_of_one_process_is_one_of_both(tmp_path: Path, asked: int):
    run = tmp_path / "run"

    def work(number: int) -> None:
        stop = [False]

        def on_step(budget: Any, losses: Any) -> None:
            stop[0] = budget.step == 3 and number == asked

        with pytest.raises(Resumable, match="stopped after step 3"):
            ring_run(run, monitor=Monitor(lambda: stop[0], on_step))

    assert together(tmp_path, work) == [0, 0], said(tmp_path, 0) + said(tmp_path, 1)
    assert saved_step(run) == 3


@pytest.mark.slow
@pytest.mark.parametrize("dying", [0, 1])
def test_where_one_process_dies_the_other_stops_with_a_sentence(tmp_path: Path, dying: int):
    run, began = tmp_path / "run", time.monotonic()

    def work(number: int) -> None:
        def batches(n: int) -> Batch:
            if n == 11 and number == dying:  # in the sixth step, of two draws each
                os.kill(os.getpid(), signal.SIGKILL)
            return draw(n)

        ring_run(run, batches)

    codes = together(tmp_path, work, seconds=60)
    assert codes[dying] == -signal.SIGKILL
    assert codes[1 - dying] == 3
    assert "has ended or does not answer; what is saved is intact" in said(tmp_path, 1 - dying)
    assert time.monotonic() - began < 60
    assert saved_step(run) == 4
    ring_run(run)
    assert saved_step(run) == 6


@pytest.mark.slow
def test_where_one_process_hangs_the_other_stops_in_time(tmp_path: Path):
    run = tmp_path / "run"

    def work(number: int) -> None:
        def batches(n: int) -> Batch:
            if n == 5 and number == 1:
                time.sleep(20)
            return draw(n)

        ring_run(run, batches)

    codes = together(tmp_path, work, seconds=3)
    assert codes == [3, 3]


@pytest.mark.slow
def test_a_failure_of_the_first_reaches_all(tmp_path: Path):
    """The folder is a file: the second, which did not try, raises the same sentence."""
    (tmp_path / "run").write_text("")

    def work(number: int) -> None:
        ring_run(tmp_path / "run")

    assert together(tmp_path, work) == [1, 1]
    assert said(tmp_path, 0).splitlines()[-1] == said(tmp_path, 1).splitlines()[-1]


def test_what_processes_tell_each_other(tmp_path: Path):
    """Data and batches are compared; rows are gathered with their gradient; one can be alone.

    The gradient is that of the square of the sum of 1, 2 | 3, 4, 5, for each row 2 * 15, which the
    share of a process in the rows divides.
    """
    rows = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])

    def work(number: int) -> None:
        with pytest.raises(ConfigError, match="process 1 has another collection than process 0"):
            Run.open(tmp_path / "run", {"data_sha256": "ab"[number]})
        with pytest.raises(ConfigError, match="2 processes share a batch of 1: raise"):
            ring_run(tmp_path / "run", lambda n: Batch(draw(n).x[:1]))
        own = (rows[:2] if number == 0 else rows[2:]).requires_grad_()
        every = processes.gathered(own)
        assert every.tolist() == rows.tolist()
        (len(own) / 5 * every.sum() ** 2).backward()
        assert own.grad is not None
        torch.testing.assert_close(own.grad, torch.full_like(own, 30.0))
        for count in (7, 6, 1):
            theirs = torch.arange(count).tensor_split(2)[number]
            assert list(processes.own_part(range(count))) == theirs.tolist()
        with processes.alone():
            assert (processes.count(), processes.number()) == (1, 0)
            assert processes.largest(number) == number
        assert (processes.count(), processes.number()) == (2, number)
        assert processes.largest(number) == 1
        assert processes.by_first(lambda: processes.count() + 10 * number)() == 1

    assert together(tmp_path, work) == [0, 0], said(tmp_path, 0) + said(tmp_path, 1)


@pytest.mark.slow
def test_the_pool_of_two_processes_is_that_of_one(tmp_path: Path):
    """Whatever the second one draws: the first decides which samples are exchanged."""
    rounds = torch.arange(35.0).view(5, 7, 1)

    def work(number: int) -> None:
        torch.manual_seed(3)
        with processes.alone():
            whole = Pool(4)
            expected = [whole((rows,))[0] for rows in rounds]
        torch.manual_seed(3 + number)
        shared = Pool(4)
        for rows, wanted in zip(rounds, expected, strict=True):
            (seen,) = shared((rows[processes.own_part(range(7))],))
            assert torch.equal(processes.gathered(seen), wanted)
        assert torch.equal(shared.kept[0], whole.kept[0])

    assert together(tmp_path, work) == [0, 0], said(tmp_path, 0) + said(tmp_path, 1)
