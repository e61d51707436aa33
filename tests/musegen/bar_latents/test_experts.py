"""Experts beside the decoder: key, density, and the tracks that are kept."""

import math

import pytest
import torch

from musegen.bar_latents.experts import (
    HARMONY,
    KIT,
    RHYTHM,
    ROOT,
    bass_on_chords,
    beside,
    denser,
    in_key,
    in_one_kit,
)
from musegen.bar_latents.struck_notes import NoteLogits, StruckNotes, TouchLogits

TRACKS, STEPS, PITCHES = 2, 4, 24
DRUMS, BASS = range(TRACKS)


def notes(rhythm: list[float], pitch: int = 0, bars: int = 1) -> StruckNotes:
    """Return notes of two tracks, drums and bass, of one voice and likeliest at a pitch."""
    shape = (1, bars, TRACKS, STEPS)
    onset = -torch.arange(PITCHES).expand(*shape, -1) / PITCHES
    onset[..., pitch] = 5.0
    voices = torch.zeros(*shape, 8)
    voices[..., 0] = 20.0
    touch = TouchLogits(
        torch.zeros(*shape, 1), torch.zeros(1, bars, TRACKS, PITCHES, 1), torch.zeros(1, 127)
    )
    logits = NoteLogits(
        torch.tensor(rhythm, dtype=torch.float).expand(shape),
        torch.zeros(1, bars, TRACKS, 24),
        onset,
        torch.full_like(onset, -9.0),
        voices,
        touch,
    )
    plays = torch.ones(1, bars, TRACKS, dtype=torch.bool)
    return StruckNotes(plays, logits, torch.tensor([False, True]))


def struck(one: StruckNotes, track: int) -> list[list[int]]:
    """Return (step, pitch) of the notes that start in the first bar."""
    return one.representative[0, track, 1, 0].nonzero().tolist()


def log_odds(outside: float, *classes: int) -> torch.Tensor:
    """Return 0 for the pitches of some classes, and for the others so much."""
    inside = torch.isin(torch.arange(PITCHES) % 12, torch.tensor(classes))
    return torch.where(inside, 0.0, outside)[None]


def test_the_odds_of_melodic_notes_are_multiplied():
    before = notes([1, -1, 1, -1]).logits.onset
    after = in_key(notes([1, -1, 1, -1]), log_odds(math.log(0.25), 2, 7)).logits.onset
    odds = (after - before).exp()
    assert torch.allclose(odds[..., DRUMS, :, :], torch.ones(()))
    bass = odds[0, 0, BASS, 0]
    expected = torch.full((PITCHES,), 0.25)
    expected[[2, 7, 14, 19]] = 1.0
    assert torch.allclose(bass, expected)


def test_nothing_outside_a_scale_remains_at_strength_1_even_of_few_pitches():
    """Eight voices of a scale of two classes, which have four pitches in two octaves."""
    one = notes([1, -1, -1, -1])
    voices = torch.zeros_like(one.logits.voices)
    voices[..., 7] = 20.0
    full = one.with_logits(one.logits._replace(voices=voices))
    kept = in_key(full, log_odds(-math.inf, 2, 7))
    assert struck(kept, BASS) == [[0, 2], [0, 7], [0, 14], [0, 19]]
    assert struck(kept, DRUMS) == [[0, pitch] for pitch in range(8)]


@pytest.mark.parametrize(
    ("factor", "steps"), [(0.5, [0]), (1.0, [0, 2]), (1.5, [0, 2, 3]), (2.0, [0, 1, 2, 3])]
)
def test_the_likeliest_steps_are_struck(factor: float, steps: list[int]):
    one = denser(notes([3, -2, 1, -1]), factor)
    assert [step for step, _ in struck(one, BASS)] == steps


def test_where_all_steps_are_struck_more_voices_strike():
    one = denser(notes([3, 2, 1, 1]), 2.0)
    assert len(struck(one, BASS)) == 8


def test_repeated_bars_stay_equal_and_silent_tracks_silent():
    rhythm = [3.0, -2.0, 1.0, -1.0]
    one = notes(rhythm, bars=3)
    noisy = one.logits.rhythm + 1e-5 * torch.randn(one.logits.rhythm.shape)
    one = denser(one.with_logits(one.logits._replace(rhythm=noisy)), 0.5)
    assert (one.logits.rhythm > 0).sum(3).unique().tolist() == [1]
    rests = denser(notes([-3, -2, -1, -1]), 2.0)
    assert not rests.representative.any()


def test_kept_tracks_draw_pitch_classes_of_their_half_bar_and_their_steps():
    """A kept chord tone, class 3 an octave up, sounds in the first half, struck at step 1."""
    kept = torch.zeros(1, TRACKS, 3, 1, STEPS, PITCHES)
    kept[0, BASS, :2, 0, 1, 15] = 1
    one = notes([0, 0, 0, 0])
    after = beside(one, kept).logits
    apart = (after.onset - one.logits.onset)[0, 0]  # [track step pitch]
    expected = torch.zeros(STEPS, PITCHES)
    expected[:2, [3, 15]] = HARMONY
    assert torch.allclose(apart[BASS], expected, atol=1e-5)
    assert not apart[DRUMS].any()
    rhythm = torch.tensor([-0.25, 0.75, -0.25, -0.25]) * RHYTHM
    assert torch.allclose(after.rhythm[0, 0], rhythm.expand(TRACKS, -1))


def test_the_rhythm_of_kept_drums_is_followed_but_not_their_pitches():
    kept = torch.zeros(1, TRACKS, 3, 1, STEPS, PITCHES)
    kept[0, DRUMS, :2, 0, 2, 6] = 1
    one = notes([-1, -1, -1, -1], pitch=4)
    assert struck(beside(one, kept), BASS) == [[2, 4]]


def test_the_bass_goes_to_the_chord_that_the_others_sound_in_each_half_bar():
    """A guitar sounds E in the first half bar and G in the second, octaves above."""
    one = notes([1, -1, 1, -1])
    x = torch.zeros(1, TRACKS, 3, 1, STEPS, PITCHES)
    x[0, DRUMS, 0, 0, 0, 16] = x[0, DRUMS, 0, 0, 3, 19] = 1  # of a guitar, where drums are
    x[0, BASS, 0, 0, 0, 21] = 1  # of the bass itself, which says nothing
    melodic = StruckNotes(one.plays, one.logits, torch.tensor([True, True]))
    z = torch.zeros(1, 1, TRACKS, 2)
    weighed = bass_on_chords(melodic, x, z, BASS)
    added = weighed.logits.onset - melodic.logits.onset
    assert not added[:, :, DRUMS].any()
    assert added[0, 0, BASS].nonzero().tolist() == [
        [0, 4], [0, 16], [1, 4], [1, 16], [2, 7], [2, 19], [3, 7], [3, 19]
    ]  # fmt: skip
    assert set(added[added != 0].tolist()) == {ROOT}
    for nobody in (bass_on_chords(melodic, x, z, -1), bass_on_chords(one, x, z, BASS)):
        assert torch.equal(nobody.logits.onset, one.logits.onset), "no bass, or no others"


def test_the_bass_of_a_bar_that_returns_has_its_first_chord_whatever_is_held_into_it():
    """A guitar sounds E, then holds G, which lasts into the third bar: the first one returned."""
    one = notes([1, -1, 1, -1], bars=4)
    x = torch.zeros(1, TRACKS, 3, 4, STEPS, PITCHES)
    for bar, pitch in ((0, 4), (1, 7), (2, 4), (2, 7), (3, 7)):
        x[0, DRUMS, 0, bar, 0, pitch] = 1
    z = torch.tensor([1.0, 2, 1, 3])[None, :, None, None].repeat(1, 1, TRACKS, 2)
    z[:, :, BASS] = torch.rand(1, 4, 2)  # its own say nothing
    melodic = StruckNotes(one.plays, one.logits, torch.tensor([True, True]))
    added = bass_on_chords(melodic, x, z, BASS).logits.onset - melodic.logits.onset
    chords = [set((bar.nonzero() % 12)[:, 0].tolist()) for bar in added[0, :, BASS, 0]]
    assert chords == [{4}, {7}, {4}, {7}]


def test_the_odds_of_a_drum_grow_with_how_often_the_piece_strikes_it():
    """Seven of 8 strikes are of drum 2, one is of drum 5: powers of (1 + 1) / (7 + 1)."""
    one = notes([1, 1, 1, 1], bars=2)
    x = torch.zeros(1, TRACKS, 3, 2, STEPS, PITCHES)
    x[0, :, 1, :, :, 2] = 1
    x[0, :, 1, 1, 3, 2] = 0
    x[0, :, 1, 1, 3, 5] = 1
    odds = (in_one_kit(one, x).logits.onset - one.logits.onset).exp()
    assert torch.allclose(odds[0, :, BASS], torch.ones(()))
    drums = odds[0, 1, DRUMS, 3]
    assert torch.allclose(drums[[2, 5, 9]], torch.tensor([1, 1 / 4, 1 / 8]) ** KIT)
