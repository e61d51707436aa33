"""Drafts completed by the prior over bar latents; facts are of the weights that ship."""

import numpy as np
import pytest
import torch

from core.errors import ConfigError
from musegen.bar_latents.form import NEW
from musegen.bar_latents.inversion import Inversion
from musegen.bar_latents.prior import LatentPrior
from musegen.drafts.draft import Draft
from musegen.drafts.source import Source
from musegen.drafts.wishes import accompaniment, blank, infill
from musegen.model import Model
from musegen.reading.claims import Claims
from musegen.reading.song import Song
from musegen.roll import Notes
from musegen.steering import Key, Steering

DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)
C_MAJOR = (0, 2, 4, 5, 7, 9, 11)


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load("latent_musegan", "cpu")


def song(model: Model, seed: int, bars: int = 16) -> Source:
    """Return a song that the model sampled, as if a user had brought it."""
    (notes,) = model.notes(1, seed, bars)
    tempo = np.full(bars, 120.0)
    read = Song(
        notes=notes,
        bars=bars,
        tempo_bpm=tempo,
        stretches=((0, bars),),
        grid=model.spec.grid,
        claims=Claims(model.spec.tracks),
    )
    return Source(read, read)


def rows(notes: Notes) -> set[tuple[int, ...]]:
    """Return (track, start, pitch, length, velocity) of notes."""
    columns = (notes.track, notes.start, notes.pitch, notes.length, notes.velocity)
    return set(zip(*(column.tolist() for column in columns), strict=True))


def kept_part(draft: Draft, notes: Notes) -> set[tuple[int, ...]]:
    return rows(notes[draft.kept[notes.track, notes.start // draft.grid.steps_per_bar]])


def composed(draft: Draft, notes: Notes) -> Notes:
    return notes[~draft.kept[notes.track, notes.start // draft.grid.steps_per_bar]]


@pytest.mark.parametrize("bars", [16, pytest.param(21, marks=pytest.mark.slow)])
def test_kept_notes_are_the_users_own_and_the_rest_is_composed(model: Model, bars: int):
    source = song(model, 1, bars)
    for draft in (infill(source, 5, 8), accompaniment(source, ["drums", "piano"])):
        (notes,) = model.complete(draft)
        assert kept_part(draft, notes) == rows(draft.kept_notes)
        assert len(composed(draft, notes))
        assert notes.start.max() < bars * draft.grid.steps_per_bar


def test_another_song_changes_the_rest(model: Model):
    first, other = (
        accompaniment(song(model, seed), ["drums", "piano"]) for seed in (1, 2)
    )  # fmt: skip
    notes = [composed(draft, *model.complete(draft, seed=3)) for draft in (first, other)]
    same = rows(notes[0]) & rows(notes[1])
    assert len(same) < 0.2 * len(rows(notes[0]))


@pytest.mark.slow
def test_a_piece_depends_on_seed_and_number_alone(model: Model):
    draft = infill(song(model, 1, 8), 5, 8)
    alone, of_three = (model.complete(draft, count, seed=4)[0] for count in (1, 3))
    assert rows(alone) == rows(of_three)
    second, other_seed = model.complete(draft, 2, seed=4)[1], model.complete(draft, seed=5)[0]
    assert rows(alone) != rows(second) and rows(alone) != rows(other_seed)


def test_a_kept_track_that_is_silent_stays_silent(model: Model):
    (notes,) = model.complete(
        blank(model.spec.tracks, model.spec.grid, 16, ["drums", "bass"]), seed=2
    )
    assert set(notes.track.tolist()) == {DRUMS, BASS}


def test_bars_of_a_form_are_equal(model: Model):
    draft = blank(model.spec.tracks, model.spec.grid, 8)
    (notes,) = model.complete(draft, seed=2, steering=Steering(form="ABAB"))
    half = 4 * draft.grid.steps_per_bar
    first, last = notes[notes.start < half], notes[notes.start >= half].moved(-half)
    starts = [set(zip(n.track.tolist(), n.start.tolist(), n.pitch.tolist(), strict=True))
              for n in (first, last)]  # fmt: skip
    assert starts[0] == starts[1]


def share_in(notes: Notes, scale: tuple[int, ...], model: Model) -> float:
    melodic = notes[notes.track != DRUMS]
    return float(np.isin((melodic.pitch + model.spec.grid.lowest_pitch) % 12, scale).mean())


def test_a_key_leaves_no_note_outside_its_scale(model: Model):
    e_major = tuple((tone + 4) % 12 for tone in C_MAJOR)
    from_noise, filled = (
        blank(model.spec.tracks, model.spec.grid, 8),
        infill(song(model, 1, 8), 5, 8),
    )

    def share(draft: Draft, steering: Steering) -> float:
        pieces = model.complete(draft, 1, seed=1, steering=steering)
        return share_in(composed(draft, Notes.concat(pieces)), e_major, model)

    key = Key.parse("E")
    for draft in (from_noise, filled):
        assert share(draft, Steering()) < 0.9
        assert share(draft, Steering(key=key)) == 1.0
    assert 0.9 > share(filled, Steering(key=key, scale_strength=0.9)) > share(filled, Steering())


def test_a_key_moves_a_sample_and_keeps_its_intervals(model: Model):
    """A piece in a key a semitone away is the same piece a semitone higher or lower."""
    draft = blank(model.spec.tracks, model.spec.grid, 8)
    c, c_sharp = (
        model.complete(draft, seed=3, steering=Steering(key=Key(tonic=tonic)))[0]
        for tonic in (0, 1)
    )
    apart = c_sharp.pitch - c.pitch
    assert set(apart[c.track == DRUMS].tolist()) == {0}
    assert set(apart[c.track != DRUMS].tolist()) <= {1, -11}


@pytest.mark.slow
def test_density_follows_its_dial(model: Model):
    draft = blank(model.spec.tracks, model.spec.grid, 16)
    counts = [
        sum(map(len, model.complete(draft, 8, seed=1, steering=Steering(density=density))))
        for density in (0.5, 1.0, 2.0)
    ]
    assert counts[1] == sum(map(len, model.notes(8, 1, 16, tries=1)))
    assert counts[0] / counts[1] == pytest.approx(0.5, abs=0.1)
    assert counts[2] / counts[1] == pytest.approx(2.0, abs=0.3)


def test_a_draft_of_which_nothing_is_kept_is_a_sample(model: Model):
    draft = blank(model.spec.tracks, model.spec.grid, 20)
    assert rows(model.complete(draft, 2, 5)[1]) == rows(model.notes(2, 5, 20, tries=1)[1])


def test_the_temperature_of_a_sample_is_that_of_the_run_or_the_given_one(model: Model):
    draft = blank(model.spec.tracks, model.spec.grid, 4)
    usual, warm, own = (
        rows(model.complete(draft, seed=5, steering=Steering(temperature=temperature))[0])
        for temperature in (None, 4.0, model.config.bar_latents.temperature)
    )
    assert usual == own != warm


def test_inversion_finds_the_piece_that_the_prior_itself_generated(model: Model):
    """From half of the tracks the others come nearer than those of the best of 256 samples."""
    prior = model.networks["prior"]
    assert isinstance(prior, LatentPrior)
    torch.manual_seed(3)
    everything_new = torch.full((1, 2, 16, 5), NEW)
    with torch.no_grad():
        truth = prior.generate([torch.randn(1, prior.wires.latent)], everything_new)[0]
    given = torch.zeros(16, 5, dtype=torch.bool)
    given[:, :3] = True
    inversion = Inversion(prior, truth, given, temperature=1.0)
    forms = everything_new.expand(256, -1, -1, -1)
    with torch.no_grad():
        sampled = inversion.sampled(forms)
        best = sampled[:, inversion.errors(sampled, forms).argmin()][:, None]
        found = inversion.descended(best, everything_new)
        errors = [inversion.errors(z, everything_new).item() for z in (best, found)]
        apart = [
            (inversion.generated(z, everything_new)[0] - truth)[:, 3:].square().mean().item()
            for z in (best, found)
        ]
    assert errors[1] < 0.5 * errors[0]
    assert apart[1] < 0.9 * apart[0]


def test_what_it_does_not_obey_it_says(model: Model):
    draft = blank(model.spec.tracks, model.spec.grid, 4)
    with pytest.raises(ConfigError, match="has no top_p to sample with: leave it out, or use"):
        model.complete(draft, steering=Steering(top_p=0.9))
