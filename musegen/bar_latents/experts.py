"""Experts beside the decoder: p(notes) in proportion to p(notes given z) times what they say.

A product of experts (Hinton 2002) of binary events adds logits: of a key, of a density, of the
tracks that are kept, whose chords and rhythm the composed ones share as real tracks do, and of
the piece as a whole, as the decoder knows each track's bar alone: the bass plays the chords that
the others sound, and the drums keep to one kit.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.theory.shapes import Latents
from musegen.bar_latents.autoencoder import BarLatents
from musegen.bar_latents.struck_notes import MOST_VOICES, StruckNotes
from musegen.networks.states import OCTAVE, States, by_octave

HARMONY, RHYTHM = 8.0, 3.0
"""Log odds of notes in the chord of the kept tracks, and of those that start with a kept one."""
ROOT = 4.0
"""Log odds of bass notes in the chord of the others: then as many are as in real songs."""
KIT = 0.5
"""Power of how often a piece strikes a drum, by which its odds are multiplied."""

LogOdds = Float[Tensor, "batch pitch"]
"""Summands of the logits of each piece's pitches."""

HALVES = 2
"""Parts of a bar in each of which the kept tracks have a chord."""

TIES = 1e-3
"""Logits that differ by less are those of repeated bars."""


def in_key(notes: StruckNotes, log_odds: LogOdds) -> StruckNotes:
    """Weigh the pitches of melodic notes by a key (`Key.log_odds`)."""
    onset, melodic = notes.logits.onset, notes.sustained[:, None, None]  # [track 1 1]
    weighed = torch.where(melodic, onset + log_odds[:, None, None, None], onset)
    return notes.with_logits(notes.logits._replace(onset=weighed))


def denser(notes: StruckNotes, factor: float) -> StruckNotes:
    """Strike the likeliest steps of each track, `factor` times as many as usual.

    Where there are too few steps to strike, each is struck by more voices instead.
    """
    logits = notes.logits
    rhythm = logits.rhythm.masked_fill(~notes.plays[..., None], -torch.inf)
    line = rhythm.transpose(1, 2).flatten(2)  # [batch track bar*step]
    usual, possible = (line > 0).sum(2, keepdim=True), (line > -torch.inf).sum(2, keepdim=True)
    wanted = (usual * factor).round().long().clamp(min=1).minimum(possible)
    ranked = line.sort(2, descending=True).values
    least = ranked.gather(2, (wanted - 1).clamp(min=0)) - TIES  # [batch track 1]
    least = torch.where(usual > 0, least, 0)
    struck = (line > least).sum(2, keepdim=True)
    more = (usual * factor / struck.clamp(min=1)).clamp(min=1)  # [batch track 1]
    aim = logits.expected_voices * more[:, None]  # [batch bar track step]
    count = torch.arange(1, MOST_VOICES + 1, device=line.device)
    voices = -(count - aim[..., None]).square() / TIES
    return notes.with_logits(logits._replace(rhythm=logits.rhythm - least[:, None], voices=voices))


def beside(notes: StruckNotes, kept: States) -> StruckNotes:
    """Favour the pitch classes that kept tracks sound in a half bar, and the steps they strike.

    `kept` is silent where nothing is kept.
    """
    logits = notes.logits
    struck = kept[:, :, 1].amax((1, 4))  # [batch bar step]
    rhythm = logits.rhythm + RHYTHM * (struck - struck.mean(2, keepdim=True))[:, :, None]
    chord = _chord(kept[:, notes.sustained, 0])[:, :, None]  # [batch bar 1 step pitch]
    melodic = notes.sustained[:, None, None]
    onset = logits.onset + HARMONY * chord * melodic
    return notes.with_logits(logits._replace(rhythm=rhythm, onset=onset))


def bass_on_chords(notes: StruckNotes, x: States, z: BarLatents, bass: int) -> StruckNotes:
    """Favour in the bass the pitch classes that other melodic tracks of x sound in a half bar.

    `z`: the latents of which x was decoded. Where those of the others return their first chord
    does, whatever is held into the bar then. `bass`: its track, -1 for none.
    """
    others = notes.sustained.clone()
    others[bass] = False
    if bass < 0 or not others.any():
        return notes
    onset = notes.logits.onset.clone()  # [batch bar track step pitch]
    chord = _chord(x[:, others, 0])  # [batch bar step pitch]
    first = _first_equal(z[:, :, others])[..., None, None]  # [batch bar 1 1]
    onset[:, :, bass] += ROOT * chord.take_along_dim(first, 1)
    return notes.with_logits(notes.logits._replace(onset=onset))


def in_one_kit(notes: StruckNotes, x: States) -> StruckNotes:
    """Multiply the odds of each drum by (n + 1)^KIT, where x strikes it n times."""
    strikes = x[:, :, 1].sum((2, 3))  # [batch track pitch]
    most = strikes.amax(2, keepdim=True)  # the odds of the most frequent drum stay
    log_odds = KIT * ((strikes + 1) / (most + 1)).log() * ~notes.sustained[:, None]
    onset = notes.logits.onset + log_odds[:, None, :, None]  # [batch bar track step pitch]
    return notes.with_logits(notes.logits._replace(onset=onset))


def ensemble(notes: StruckNotes, x: States, z: Latents, bass: int) -> StruckNotes:
    """Let tracks play together that were decoded from z as x, each alone."""
    by_bar = z.unflatten(1, (*notes.plays.shape[1:], -1))  # [batch bar track latent]
    return in_one_kit(bass_on_chords(notes, x, by_bar, bass), x)


def _first_equal(z: BarLatents) -> Int[Tensor, "batch bar"]:
    """Return for each bar the first one whose tracks have the same latents."""
    found = [
        torch.unique(piece, dim=0, return_inverse=True)[1] for piece in z.flatten(2)
    ]  # [bar] of each piece
    number = torch.stack(found)  # [batch bar]
    return (number[:, :, None] == number[:, None]).int().argmax(2)


def _chord(
    sounding: Float[Tensor, "batch track bar step pitch"],
) -> Float[Tensor, "batch bar step pitch"]:
    """Return 1 at the pitches of all octaves whose class sounds in the half bar."""
    halves = []
    for part in sounding.tensor_split(HALVES, 3):
        classes = by_octave(part.amax((1, 3))).amax(2)  # [batch bar pitch_class]
        halves.append(classes[:, :, None].expand(-1, -1, part.shape[3], -1))
    pitch = torch.arange(sounding.shape[-1], device=sounding.device)
    return torch.cat(halves, 2)[..., pitch % OCTAVE]  # [batch bar step pitch]
