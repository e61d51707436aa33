"""Likelihoods of notes on a device of their own, for which nothing waits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from pretended import copies, pretended_device, reads
from torch import Tensor, nn

from musegen.densities.lookback_network import LookbackConfig
from musegen.densities.lookback_rnn import LookbackDensity
from musegen.densities.note_sequences import NoteRows
from musegen.densities.note_transformer import DensityConfig, NoteDensity
from musegen.roll import Grid
from musegen.tracks import Track

GRID = Grid(steps_per_beat=2, beats_per_bar=2, lowest_pitch=40, pitches=17)
KIT = (Track(name="Kit", is_drum=True),)
BAND = (Track(name="Lead"), *KIT, Track(name="Low", family="bass"))
BARS, STEPS = 3, 12
COUNTS = (9, 0, 4, 1, 12)
CPU = torch.device("cpu")

Density = LookbackDensity | NoteDensity


def lookback(tracks: tuple[Track, ...] = BAND, **config: Any) -> LookbackDensity:
    settings = LookbackConfig.model_validate({"width": 8, "heads": 2, "lags": (1, 2), **config})
    return LookbackDensity(settings, GRID, tracks, BARS)


def transformer() -> NoteDensity:
    return NoteDensity(DensityConfig(width=8, layers=1, heads=2), GRID, BAND, BARS)


DENSITIES: Mapping[str, Callable[[], Density]] = {
    "recurrent": lookback,
    "attending": partial(lookback, body="transformer"),
    "without lags": partial(lookback, lags=(), harmony=False),
    "drums": partial(lookback, KIT),
    "listening": partial(lookback, listens=True),
    "transformer": transformer,
}


def phrases(name: str) -> NoteRows:
    """Phrases of `COUNTS` notes on the first track, of which some sound to the end."""
    torch.manual_seed(2)
    songs = []
    for count in COUNTS:
        step = torch.randperm(STEPS)[:count].sort().values
        length = torch.minimum(torch.randint(1, 6, (count,)), STEPS - step)
        pitch, velocity = torch.randint(17, (count,)), torch.randint(1, 128, (count,))
        length = length.clamp(max=1) if name == "drums" else length
        songs.append(torch.stack([step, 0 * step, pitch, length, velocity], 1))
    return nn.utils.rnn.pad_sequence(songs, batch_first=True, padding_value=-1)


def kept(name: str) -> Tensor | None:
    """Return the second bar of all tracks, of the density that listens."""
    bar = torch.arange(BARS) == 1
    return bar.expand(len(COUNTS), len(BAND), BARS) if name == "listening" else None


@dataclass
class Found:
    """Numbers: log p of phrases and its gradients; reads of a device, and copies to it: all, and
    those after its networks began."""

    numbers: list[Tensor]
    reads: int
    copies: int
    late_copies: int

    @classmethod
    def of(cls, name: str, device: torch.device, of_x: torch.device = CPU) -> "Found":
        """Compute on a device, of phrases on another."""
        torch.manual_seed(5)
        density = DENSITIES[name]().double().to(device)
        x, c = phrases(name).to(of_x), kept(name)
        c = None if c is None else c.to(of_x)
        weights = [one for one in density.parameters() if one.requires_grad]
        for weight in weights:
            weight.data.add_(0.3)
        body = density.transformer if isinstance(density, NoteDensity) else density.body
        before, copied = reads(), [copies()]
        body.register_forward_pre_hook(lambda *_: copied.append(copies()))
        log_p = density(len(x), c).log_prob(x)
        gradients = torch.autograd.grad(log_p.sum(), weights, allow_unused=True)
        waited, late = (reads() - before, copies() - copied[0]), copies() - copied[1]
        numbers = [log_p, *(one for one in gradients if one is not None)]
        return cls([one.detach().cpu() for one in numbers], *waited, late)


OF_NOTES = 5 + 4
"""Copies of the columns of notes, of which entries they are, of their places, and of the cut."""

OF_KEPT = 5 + 1 + 1
"""Copies of the columns of the kept notes, of their rows, and of which notes are open."""

OF_GROUP = 1 + 1 + 1
"""Copies of the columns of a group of phrases, of how many notes each has, and of their places."""

COPIES = {
    **dict.fromkeys(DENSITIES, OF_NOTES),
    "listening": OF_NOTES + OF_KEPT,
    "transformer": OF_GROUP * len(COUNTS) + 1,  # and of the order of the groups
}


@pytest.mark.parametrize("name", DENSITIES)
def test_nothing_waits_for_the_device_and_the_numbers_are_the_same(name: str):
    here = Found.of(name, CPU)
    with pretended_device(wide=True) as device:
        there = Found.of(name, device)
    assert (there.reads, there.copies, there.late_copies) == (0, COPIES[name], 0)
    torch.testing.assert_close(there.numbers, here.numbers, rtol=1e-10, atol=1e-10)
    assert any(gradient.any() for gradient in here.numbers[1:])


@pytest.mark.gpu
@pytest.mark.parametrize("name", DENSITIES)
def test_the_numbers_of_a_gpu_are_the_same(name: str):
    here, there = Found.of(name, CPU), Found.of(name, torch.device("cuda"))
    torch.testing.assert_close(there.numbers, here.numbers, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "tensors"), [("recurrent", 1), ("listening", 2)])
def test_phrases_on_a_device_are_read_from_it(name: str, tensors: int):
    here = Found.of(name, CPU)
    with pretended_device(wide=True) as device:
        there = Found.of(name, device, of_x=device)
    assert (there.reads, there.late_copies) == (tensors, 0)
    torch.testing.assert_close(there.numbers, here.numbers, rtol=1e-10, atol=1e-10)
