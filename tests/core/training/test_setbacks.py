"""Losses that are not finite: the run goes back by itself and learns more slowly."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from faults import equal

from core.errors import Resumable
from core.recipes import recipe
from core.ring import eight_gaussians as ring
from core.theory.passes import Batch
from core.training.loop import UNMONITORED, Monitor, TrainConfig, train
from core.training.optimisation import Optimisation
from core.training.run import Run
from core.training.step import TrainState

RATE = 0.016


class Training:
    """An autoencoder of the ring, saved after every second step, three skips being a setback."""

    def __init__(self, folder: Path, rate: float = RATE, steps: int = 8, **others: int) -> None:
        values = {"steps": steps, "batch_size": 8, "ema_decay": 0.9, "save_every_steps": 2}
        values |= {"learner": {"learning_rate": rate}, "skips_allowed": 3, **others}
        self.folder, self.config = folder, TrainConfig.model_validate(values)
        torch.manual_seed(4)
        parts, optimisation = recipe("ae"), Optimisation(learning_rate=rate)
        self.state = TrainState(ring.networks(parts), parts, optimisation, optimisation, 0.9)
        self.drawn: list[int] = []

    @property
    def rate(self) -> float:
        return self.state.optimizers["decoder"].param_groups[0]["lr"]

    def go(
        self, diverges: Callable[[int, float], bool] = lambda step, rate: False, **others: Monitor
    ) -> None:
        """Train; where it `diverges`, by step from 0 and rate, data are not finite."""

        def batches(step: int) -> Batch:
            self.drawn.append(step)
            x = ring.batch(step, 8).x
            return Batch(x * float("nan") if diverges(step, self.rate) else x)

        values = self.config.model_dump(mode="json")
        monitor = others.get("monitor", UNMONITORED)
        with Run.open(self.folder, values, ["steps", "learner.learning_rate"]) as run:
            train(run, self.state, batches, self.config, lambda ema, step: {}, monitor)

    @property
    def history(self) -> list[dict[str, object]]:
        lines = (self.folder / "history.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


REASON = "3 consecutive steps gave losses or gradients that are not finite"


def test_a_run_goes_back_and_learns_on_at_half_the_rate(tmp_path, caplog):
    """From step 4, the last saved one; as if its user had halved the rate there, to the bit."""
    own = Training(tmp_path / "own")
    own.go(lambda step, rate: step >= 5 and rate > RATE / 2)
    assert own.drawn == [0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7]
    assert own.history == [{"step": 4, "setback": 1, "reason": REASON}]
    assert f"{REASON}: back to step 4 with half the learning rate (1 of at most 3 times)" in (
        caplog.text
    )
    Training(tmp_path / "hand", steps=4).go()
    by_hand = Training(tmp_path / "hand", rate=RATE / 2)
    by_hand.go()
    assert equal(own.state.state(), by_hand.state.state())
    logged = [json.loads(line)["step"] for line in (own.folder / "metrics.jsonl").open()]
    assert logged == [8]


def test_before_the_first_checkpoint_a_run_begins_anew(tmp_path):
    """It equals a run that began at a quarter of the rate, to the bit, its moments included."""
    own = Training(tmp_path / "own")
    own.go(lambda step, rate: step >= 1 and rate > RATE / 4)
    assert own.drawn == [0, 1, 2, 3] * 2 + [0, 1, 2, 3, 4, 5, 6, 7]
    assert [(event["step"], event["setback"]) for event in own.history] == [(0, 1), (0, 2)]
    quarter = Training(tmp_path / "quarter", rate=RATE / 4)
    quarter.go()
    own_state, other = own.state.state(), quarter.state.state()
    assert equal(
        [own_state[k] for k in ("networks", "ema")], [other[k] for k in ("networks", "ema")]
    )


def test_after_the_allowed_setbacks_the_user_is_asked_for_a_lower_rate(tmp_path):
    """Three halvings of 0.016 are 0.002: the message asks for 0.001; so the run ends."""
    own = Training(tmp_path)
    diverges = lambda step, rate: step >= 5 and rate > RATE / 16  # noqa: E731
    sentence = (
        f"{REASON}, also with the learning rate halved 3 times; what {tmp_path} holds is intact: "
        "repeat the command with a lower rate, such as --set train.learner.learning_rate=0.001"
    )
    with pytest.raises(Resumable, match=re.escape(sentence)):
        own.go(diverges)
    with pytest.raises(Resumable, match=re.escape(sentence)):  # the count is remembered
        Training(tmp_path).go(diverges)
    lower = Training(tmp_path, rate=0.001)
    lower.go(diverges)
    assert lower.rate == 0.001
    assert lower.history[3:] == [
        {"step": 4, "changed": {"learner.learning_rate": [RATE, 0.001]}},
    ]


def test_whoever_does_not_want_setbacks_allows_none(tmp_path):
    own = Training(tmp_path, setbacks_allowed=0)
    with pytest.raises(Resumable, match=f"^{REASON}; what {tmp_path} holds is intact"):
        own.go(lambda step, rate: step >= 5)
    assert own.drawn == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_checkpoint_that_led_to_a_setback_twice_gives_way_to_the_one_before(tmp_path):
    """To step 4, then to step 2, and after two finite steps to step 2 again: 4 was saved anew."""
    own = Training(tmp_path)
    with pytest.raises(Resumable):
        own.go(lambda step, rate: step >= 4)
    assert own.drawn == [0, 1, 2, 3, 4, 5, 6, 4, 5, 6, 2, 3, 4, 5, 6, 2, 3, 4, 5, 6]
    assert [event["step"] for event in own.history] == [4, 2, 2]


def test_a_resumed_run_keeps_the_rate_of_its_setbacks(tmp_path):
    own = Training(tmp_path)
    own.go(lambda step, rate: step >= 5 and rate > RATE / 2)
    longer = Training(tmp_path, steps=10)
    longer.go()
    assert longer.rate == RATE / 2
    assert longer.history[1:] == [{"step": 8, "changed": {"steps": [8, 10]}}]


def test_weights_that_are_not_finite_are_a_setback_and_are_never_saved(tmp_path):
    """A weight becomes infinite after step 3; the checkpoint due after step 4 finds it."""
    own, spoilt = Training(tmp_path), []

    def spoil(budget, losses):
        if budget.step == 3 and not spoilt:
            spoilt.append(True)
            with torch.no_grad():
                next(own.state.ema["decoder"].parameters()).fill_(float("inf"))

    own.go(monitor=Monitor(on_step=spoil))
    (event,) = own.history
    assert event["step"] == 2 and re.match(r"ema/decoder\S+ is not finite", str(event["reason"]))
    assert own.drawn == [0, 1, 2, 3, 2, 3, 4, 5, 6, 7]
