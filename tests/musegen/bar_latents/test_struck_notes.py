"""Notes by way of their rhythm."""

import math

import pytest
import torch

from musegen.bar_latents.outline import Outlined
from musegen.bar_latents.plan import nonzero
from musegen.bar_latents.struck_notes import NoteLogits, StruckNotes, TouchLogits
from musegen.networks.states import to_cells, to_played, velocities_of

BATCH, BARS, TRACKS, STEPS, PITCHES, VOICES, FACTORS = 1, 1, 2, 2, 12, 8, 3
SHAPE = (BATCH, BARS, TRACKS, STEPS)


def logits(**given: torch.Tensor | TouchLogits) -> NoteLogits:
    """Return logits 0 but for those that are given."""
    values = {
        "rhythm": torch.zeros(SHAPE),
        "chroma": torch.zeros(BATCH, BARS, TRACKS, 24),
        "onset": torch.zeros(*SHAPE, PITCHES),
        "hold": torch.zeros(*SHAPE, PITCHES),
        "voices": torch.zeros(*SHAPE, VOICES),
    }
    touch = TouchLogits(
        torch.zeros(*SHAPE, FACTORS),
        torch.zeros(BATCH, BARS, TRACKS, PITCHES, FACTORS),
        torch.zeros(FACTORS, 127),
    )
    return NoteLogits(**{**values, "touch": touch, **given})  # type: ignore[arg-type]


def notes(chosen: NoteLogits, plays: tuple[bool, bool] = (True, True)) -> StruckNotes:
    """Return notes of a drum track and a melodic one."""
    return StruckNotes(torch.tensor([[plays]]), chosen, torch.tensor([False, True]))


def test_a_struck_step_sounds_its_likeliest_pitches_whatever_their_logits():
    onset = torch.full((*SHAPE, PITCHES), -9.0)
    onset[0, 0, 1, 0, 4], onset[0, 0, 1, 0, 7] = -2.0, -3.0
    rhythm = torch.full(SHAPE, -1.0)
    rhythm[0, 0, 1, 0] = 1.0
    voices = torch.zeros(*SHAPE, VOICES)
    voices[..., 1] = 20.0  # two notes
    cells = to_cells(notes(logits(rhythm=rhythm, onset=onset, voices=voices)).representative)
    assert (cells == 2).nonzero().tolist() == [[0, 1, 0, 0, 4], [0, 1, 0, 0, 7]]


def test_as_many_notes_start_as_are_to_be_expected():
    """Chances 0.5 of one and of four voices: 2.5, rounded to even, are two."""
    voices = torch.full((*SHAPE, VOICES), -30.0)
    voices[..., 0] = voices[..., 3] = 0.0
    x = notes(logits(rhythm=torch.ones(SHAPE), voices=voices)).representative
    ties = torch.randn(*SHAPE, PITCHES)
    x = notes(logits(rhythm=torch.ones(SHAPE), voices=voices, onset=ties)).representative
    assert x[:, :, 1].sum(-1).unique().tolist() == [2.0]


def test_melodic_notes_are_held_and_drums_are_not():
    onset = torch.zeros(*SHAPE, PITCHES)
    onset[..., 5] = 3.0
    rhythm = torch.tensor([1.0, -1.0]).expand(SHAPE)
    x = notes(logits(rhythm=rhythm, onset=onset, hold=torch.ones(*SHAPE, PITCHES))).representative
    sounding = x[0, :, 0, 0, :, 5].tolist()
    assert sounding[1] == [1, 1] and sounding[0] == [1, 0]


def test_a_bar_that_does_not_play_is_silent():
    x = notes(logits(rhythm=torch.ones(SHAPE)), plays=(False, True)).representative
    assert not x[0, 0].any() and bool(x[0, 1, 0].any())


def test_log_prob_by_hand():
    """One melodic note at step 0, pitch 2, held: every logit 0, each event costs log 2."""
    x = torch.zeros(BATCH, TRACKS, 3, BARS, STEPS, PITCHES)
    x[0, 1, 0, 0, :, 2] = 1
    x[0, 1, 1, 0, 0, 2] = 1
    x[0, 1, 2, 0, 0, 2] = 64 / 127
    binary = 2 + PITCHES + 1 + 24  # rhythm, onsets of the struck step, one hold, pitch classes
    expected = binary * math.log(2) + math.log(VOICES) + math.log(127)
    loss = -notes(logits(), plays=(False, True)).log_prob(x)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_the_velocity_of_a_note_follows_its_step_and_its_pitch():
    """Factors: the step's picks velocity 10 or 90 alone, the pitch's outweighs it for pitch 3."""
    loudness = torch.zeros(FACTORS, 127)
    loudness[0, 9] = loudness[1, 89] = loudness[2, 119] = 1.0
    steps = torch.zeros(*SHAPE, FACTORS)
    steps[..., 0, 0] = steps[..., 1, 1] = 1.0
    pitches = torch.zeros(BATCH, BARS, TRACKS, PITCHES, FACTORS)
    pitches[..., 3, 2] = 5.0
    onset = torch.full((*SHAPE, PITCHES), -9.0)
    onset[..., 2] = onset[..., 3] = 1.0
    voices = torch.zeros(*SHAPE, VOICES)
    voices[..., 1] = 20.0
    touch = TouchLogits(steps, pitches, loudness)
    chosen = logits(rhythm=torch.ones(SHAPE), onset=onset, voices=voices, touch=touch)
    velocity = velocities_of(notes(chosen).representative)
    assert velocity[0, 1, 0, :, 2].tolist() == [10, 90]
    assert velocity[0, 1, 0, :, 3].tolist() == [120, 120]
    assert velocity[0, 1, 0, 0, 4] == 0


def test_a_velocity_is_the_mean_of_those_that_are_about_as_likely():
    """Logits 1 and 1 for 10 and 20, 0.9 for 90: weights 1, 1 and exp(-4), then logits 1 and 0."""
    loudness = torch.zeros(FACTORS, 127)
    loudness[0, 9] = loudness[0, 19] = 1.0
    loudness[0, 89] = 0.9
    loudness[1, 29] = 1.0
    steps = torch.eye(FACTORS)[:STEPS].expand(*SHAPE, FACTORS)
    pitches = torch.zeros(BATCH, BARS, TRACKS, PITCHES, FACTORS)
    onset = torch.zeros(*SHAPE, PITCHES, dtype=torch.bool)
    onset[0, 0, 0, :, 3] = True
    weight = math.exp(-4)
    expected = round((10 + 20 + 90 * weight) / (2 + weight))
    found = TouchLogits(steps, pitches, loudness).likeliest(nonzero(onset))
    assert found.tolist() == [expected, 30]


def test_an_outline_holds_what_sounds_and_its_gradient_what_is_likely():
    """Pitch 5 is struck at step 0 and held, so it sounds in both parts, though its onset is
    unsure; 6 is less likely and does not sound, but the gradient of its probability remains."""
    onset = torch.full((*SHAPE, PITCHES), -5.0)
    onset[0, 0, 1, 0, 5], onset[0, 0, 1, 0, 6] = -1.0, -2.0
    onset.requires_grad_()
    rhythm = torch.full(SHAPE, -9.0)
    rhythm[0, 0, 1, 0] = math.log(3)
    voices = torch.zeros(*SHAPE, VOICES)
    voices[..., 0] = 20.0
    hold = torch.full((*SHAPE, PITCHES), 2.0)
    chosen = logits(rhythm=rhythm, onset=onset, voices=voices, hold=hold)
    struck, uses = Outlined.of(notes(chosen).outline(), STEPS)
    assert torch.allclose(struck[0, 0, 1], torch.tensor([0.75, 0.0]), atol=1e-3)
    assert uses.nonzero().tolist() == [[0, 0, 1, 0, 5], [0, 0, 1, 1, 5]]
    (gradient,) = torch.autograd.grad(uses[0, 0, 1, 0, 6], onset)
    likely = 1 / (1 + math.exp(2))
    assert gradient[0, 0, 1, 0, 6].item() == pytest.approx(0.75 * likely * (1 - likely), rel=1e-4)
    assert gradient.count_nonzero() == 1


def test_velocities_survive_the_way_to_x_and_back():
    cells = torch.zeros(1, 1, 1, 2, 4, dtype=torch.uint8)
    cells[0, 0, 0, 0, 1], cells[0, 0, 0, 1, 1], cells[0, 0, 0, 1, 3] = 2, 1, 2
    velocity = torch.zeros_like(cells)
    velocity[0, 0, 0, 0, 1], velocity[0, 0, 0, 1, 3] = 127, 1
    x = to_played(cells, velocity)
    assert torch.equal(to_cells(x), cells)
    assert velocities_of(x).tolist() == velocity.tolist()
