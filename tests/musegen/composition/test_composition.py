"""Compositions with the weights that ship, as a user asks for them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import run
from pydantic import ValidationError
from tunes import tune
from untrained import untrained

from core.app import sampling
from core.app.sampling import chunks_of
from core.errors import ConfigError
from musegen.composition import form_sampler, note_sampler
from musegen.composition.composition import Composition
from musegen.composition.judge import Judge, judge_of
from musegen.composition.note_sampler import GROWTH
from musegen.composition.request import Request
from musegen.densities.lookback_sampler import Sampler
from musegen.drafts.source import fine_grid
from musegen.files.midi import origin_of, read_midi
from musegen.measures.excerpts import Excerpts
from musegen.model import DOMAIN, Model
from musegen.roll import Notes
from musegen.steering import UNSTEERED, Steering
from musegen.tonality import Key
from musegen.tracks import LAKH

DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)
BARS = 6


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.load("latent_musegan", "cpu")


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Return a song of six bars for piano, guitar and bass."""
    path = tmp_path / "song.mid"
    path.write_bytes(tune(seed=3, bars=BARS))
    return path


def rows(notes: Notes) -> list[tuple[int, ...]]:
    columns = (notes.track, notes.start, notes.pitch, notes.length, notes.velocity)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def read(path: Path, model: Model) -> Notes:
    """Read a file as finely as it is written."""
    return read_midi(path, LAKH, fine_grid(model.spec.grid)).notes


def only(notes: Notes, *tracks: int) -> list[tuple[int, ...]]:
    return rows(notes[np.isin(notes.track, tracks)])


def test_kept_tracks_are_the_same_in_the_file_note_for_note(
    model: Model, song: Path, tmp_path: Path
) -> None:
    options = ("--given", song, "--keep", "piano,guitar", "--tracks", "bass", "--count", 1)
    code, _, complaint = run(
        *("music", "sample", "latent_musegan", *options),
        *("--only", "mid,png", "--seed", 4, "--device", "cpu", "--to", tmp_path),
    )
    assert (code, complaint) == (0, "")
    path = tmp_path / "latent_musegan-seed4-accompaniment-song-1.mid"
    own, accompanied = read(song, model), read(path, model)
    assert only(accompanied, PIANO, GUITAR) == only(own, PIANO, GUITAR)
    assert only(accompanied, BASS) and only(accompanied, BASS) != only(own, BASS)
    assert not only(accompanied, DRUMS, STRINGS)
    origin = origin_of(path)
    assert "of song.mid, keep piano,guitar, tracks bass" in origin
    assert path.with_suffix(".png").stat().st_size > 10_000


def test_bars_outside_a_filled_part_stay(model: Model, song: Path) -> None:
    request = Request(given=song, fill="3-4", tracks=("guitar", "piano"))
    first, second = Composition(model, request).songs(2, seed=1)
    own, bar = read(song, model), first.grid.steps_per_bar
    for roll in (first, second):
        filled, outside = (
            (lambda notes, inside=inside: notes[(notes.start // bar // 2 == 1) == inside])
            for inside in (True, False)
        )
        assert rows(outside(roll.notes)) == rows(outside(own))
        assert only(filled(roll.notes), BASS) == only(filled(own), BASS)
        assert only(filled(roll.notes), PIANO, GUITAR) != only(filled(own), PIANO, GUITAR)
        assert roll.composed is not None
        assert np.argwhere(roll.composed).tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]
    assert rows(first.notes) != rows(second.notes)


@pytest.mark.parametrize("name", ["lookback_rnn", "latent_musegan"])
def test_a_new_song_of_some_tracks_has_a_form(name: str) -> None:
    """Sections of two bars; the last bar of one that comes back may vary."""
    request, steering = Request(bars=6, tracks=("piano", "bass")), Steering(form="ABA")
    (roll,) = Composition(Model.load(name, "cpu"), request, steering).songs(seed=1)
    first, other, same = (
        [(track, start % roll.grid.steps_per_bar, pitch) for track, start, pitch, _, _ in bar]
        for bar in (
            rows(roll.notes[roll.notes.start // roll.grid.steps_per_bar == n]) for n in (0, 2, 4)
        )
    )
    assert first == same != other
    assert {*roll.notes.track.tolist()} <= {PIANO, BASS}


def test_a_song_without_a_composed_note_is_remarked(
    model: Model, song: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    composition = Composition(model, Request(given=song, fill="3-4", tracks=("piano",)))
    composition.songs(seed=1)
    assert "no note was composed" not in caplog.text
    nothing = composition.draft.kept_notes
    monkeypatch.setattr(Composition, "_composed", lambda *_: iter([nothing]))
    composition.songs(seed=1)
    remark = "latent_musegan-seed1-fill-song-1: no note was composed: take another seed"
    assert remark in caplog.text


def test_a_track_that_was_asked_for_and_is_silent_is_named(
    model: Model, song: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Bar 1 has a bass note and no piano: guitar, which nobody named, is not missed."""
    request = Request(bars=2, tracks=("piano", "bass"))
    bass = Notes(*(np.array([value]) for value in (BASS, 0, 12, 4, 100)))
    monkeypatch.setattr(Composition, "_composed", lambda *_: iter([bass]))
    Composition(model, request).songs(seed=1)
    assert "latent_musegan-seed1-1: no note was composed for piano: take" in caplog.text
    caplog.clear()
    monkeypatch.setattr(Composition, "_composed", lambda *_: iter([bass]))
    Composition(model, Request(bars=2)).songs(seed=1)
    assert "no note was composed" not in caplog.text


def test_another_song_has_another_accompaniment(model: Model, song: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mid"
    other.write_bytes(tune(seed=4, bars=BARS, up=3))
    basses = [
        Composition(model, Request(given=path, keep=("piano", "guitar"))).songs(1, seed=1)[0]
        for path in (song, other)
    ]
    assert only(basses[0].notes, BASS) != only(basses[1].notes, BASS)


def test_a_song_that_goes_on_closes_on_the_tonic(model: Model, song: Path) -> None:
    request = Request(continued=song, bars=4)
    steering = Steering(key=Key.parse("D minor"))
    (roll,) = Composition(model, request, steering, ending=True).songs(1, seed=2)
    notes, bar = roll.notes, roll.grid.steps_per_bar
    own = read(song, model)
    assert rows(notes[notes.start < BARS * bar]) == rows(own)
    last = notes[notes.start >= (BARS + 3) * bar]
    melodic = last[last.track != DRUMS]
    assert set(last.start) == {(BARS + 3) * bar}
    assert set((melodic.pitch % 12).tolist()) <= {2, 5, 9}  # D, F and A
    assert set((melodic.pitch[melodic.track == BASS] % 12).tolist()) <= {2}
    assert set(melodic.length.tolist()) == {bar}
    assert roll.key == "D minor"


def test_an_ending_of_a_song_whose_last_bar_stays_is_refused(model: Model, song: Path) -> None:
    for request in (Request(given=song, fill="2"), Request(between=(song, song), bars=1)):
        with pytest.raises(ConfigError, match="--ending composes the last bar, and yours stays"):
            Composition(model, request, ending=True).require()
    Composition(model, Request(given=song, fill=f"{BARS}"), ending=True).require()


@pytest.mark.parametrize(
    ("tempo", "reason"),
    [
        (-1.0, "must be above 0"),
        (3.9, "is from 4 to 60,000,000 beats a minute"),
        (float("nan"), "must be a number"),
    ],
)
def test_a_tempo_that_no_file_holds_is_refused(model: Model, tempo: float, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"tempo_bpm {reason}, not {tempo:g}"):
        Composition(model, Request(bars=1), tempo_bpm=tempo).songs()


def test_a_model_that_completes_no_songs_ends_none_and_says_so_at_once() -> None:
    transformer = Model.load("note_transformer", "cpu")
    composition = Composition(transformer, Request(bars=1024), ending=True)
    with pytest.raises(ConfigError, match="note_transformer composes no ending: leave out"):
        composition.songs(10_000)


def test_who_cannot_do_what_is_asked_leaves_no_folder(song: Path, tmp_path: Path) -> None:
    command = ("music", "sample", "note_transformer", "--given", song, "--fill", "1-2")
    assert run(*command, "--to", tmp_path / "songs")[0] == 2
    assert not (tmp_path / "songs").exists()


def test_the_best_songs_are_those_that_the_judge_of_the_model_prefers(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    width = len(np.array(Judge.of(*pair(model)).mean))
    judge = Judge.of(*pair(model))
    assert width == len(judge.weights)
    monkeypatch.setattr(model, "judge", judge)
    plain = Composition(model, Request(bars=4), best_of=1).songs(6, seed=5)
    chosen = Composition(model, Request(bars=4), best_of=3).songs(2, seed=5)
    assert "best of 3" in chosen[0].origin
    spec = model.spec
    notes = [roll.notes for roll in plain]
    scores = judge.score(Excerpts.of_notes(notes, 4, spec.grid, spec.tracks)).reshape(2, 3)
    expected = scores.argmax(1) + np.array([0, 3])
    assert [rows(roll.notes) for roll in chosen] == [rows(notes[n]) for n in expected]


def test_the_best_of_several_needs_a_judge() -> None:
    with pytest.raises(ConfigError, match="has no judge to choose by: leave best_of at 1"):
        Composition(untrained(DOMAIN, "lookback_rnn"), Request(bars=4), best_of=2).songs(1)
    with pytest.raises(ConfigError, match="best_of must be at least 1, not 0"):
        Composition(untrained(DOMAIN, "lookback_rnn"), Request(bars=4), best_of=0).songs(1)


def test_songs_and_tries_have_the_bounds_of_the_command_line() -> None:
    model = untrained(DOMAIN, "lookback_rnn")
    with pytest.raises(ConfigError, match="count must be at most 10000, not 10001"):
        Composition(model).songs(10_001)
    with pytest.raises(ConfigError, match="best_of must be at most 256, not 257"):
        Composition(model, best_of=257).songs()
    with pytest.raises(ValidationError, match="less than or equal to 1024"):
        Request(bars=1025)


def pair(model: Model) -> tuple[Excerpts, Excerpts]:
    """Return excerpts of songs of a high and of a low density."""
    return tuple(  # type: ignore[return-value]
        Excerpts.of_notes(
            model.notes(8, 9, 4, Steering(density=density)), 4, model.spec.grid, model.spec.tracks
        )
        for density in (2.0, 0.5)
    )


def test_the_weights_that_ship_have_a_judge(model: Model) -> None:
    for name in ("latent_musegan", "lookback_rnn"):
        folder = model.domain.folder(name)
        judge = judge_of(model, folder)
        assert judge.bars == 16 and judge == Judge.read(folder)


def test_a_run_without_a_judge_names_the_option(tmp_path: Path, model: Model) -> None:
    from core.errors import UserError

    with pytest.raises(UserError, match="has no judge yet: --against DATA"):
        judge_of(model, tmp_path)


@pytest.mark.parametrize(
    ("recipe", "steering", "chunks"),
    [
        ("lookback_rnn", Steering(), 1),
        ("lookback_rnn", Steering(density=2), 2),
        ("lookback_rnn", Steering(form="ABA"), 2),
        ("autoregressive", Steering(), 2),
        ("latent_musegan", Steering(), 3),
    ],
)
def test_progress_counts_the_bars_of_each_chunk_of_songs(
    recipe: str, steering: Steering, chunks: int
) -> None:
    """Three songs are chunks of 1 and 7 songs by notes, of 1, 1 and 2 by bar latents; songs that
    need no completion are sampled side by side."""
    ticks: list[tuple[int, int]] = []
    composition = Composition(untrained(DOMAIN, recipe), Request(bars=12), steering)
    assert len(list(composition.each_song(3, seed=1, tick=lambda *two: ticks.append(two)))) == 3
    done, totals = zip(*ticks, strict=True)
    assert set(totals) == {chunks * 12}
    assert list(done) == sorted(done)
    assert (chunks - 1) * 12 <= done[-1] <= chunks * 12
    assert len(set(done)) > (3 if recipe == "latent_musegan" else 6) - 1


def test_progress_of_open_bars_counts_those_alone(song: Path) -> None:
    """Bars 3 and 4 of six are open, and one after them judges the particles."""
    ticks: list[tuple[int, int]] = []
    shipped = Model.load("lookback_rnn", "cpu")
    composition = Composition(shipped, Request(given=song, fill="3-4"))
    next(composition.each_song(1, tick=lambda *counts: ticks.append(counts)))
    assert ticks == [(2, 6), (4, 6), (6, 6)]


def test_a_song_is_there_once_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of songs that are sampled side by side does not wait for the longest."""
    notes: list[int] = []
    append = Sampler._append
    counted = lambda sampler, note: (notes.append(sampler.position), append(sampler, note))  # noqa: E731
    monkeypatch.setattr(Sampler, "_append", counted)
    composition = Composition(untrained(DOMAIN, "lookback_rnn"), Request(bars=40))
    songs = composition.each_song(20, seed=1)
    first = next(songs)
    at_first = len(notes)
    rest = list(songs)
    assert at_first < 0.8 * len(notes)
    assert notes == list(range(len(notes))), "one batch"
    alone = composition.songs(1, seed=1) + composition.songs(7, seed=1)[1:]
    assert [rows(roll.notes) for roll in [first, *rest][:7]] == [rows(one.notes) for one in alone]


def test_a_song_does_not_depend_on_how_many_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor on its batch, nor on how many samples of each song there are."""
    sampler = untrained(DOMAIN, "lookback_rnn").sampler
    songs = [rows(song) for song in sampler().notes(5, 3, 16, UNSTEERED)]
    monkeypatch.setattr(note_sampler, "MOST_ROWS", 2)
    assert [rows(song) for song in sampler().notes(5, 3, 16, UNSTEERED)] == songs
    each = [rows(song) for song in sampler(each=3).notes(5, 3, 16, UNSTEERED)]
    assert each[::3] == songs
    assert len({str(song) for song in each}) == 15


@pytest.mark.parametrize("recipe", ["autoregressive", "latent_musegan", "musegan"])
def test_a_song_is_there_before_the_next_chunk_is_sampled(
    recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first song is a chunk by itself, and the same as among others."""
    seeds: list[int] = []
    begin = sampling.seed_part
    noted = lambda seed, part: (seeds.append(part), begin(seed, part))  # noqa: E731
    monkeypatch.setattr(sampling, "seed_part", noted)
    composition = Composition(untrained(DOMAIN, recipe), Request(bars=4))
    songs = composition.each_song(5, seed=1)
    first = next(songs)
    assert seeds == [0]
    rest = list(songs)
    assert seeds == list(range(chunks_of(5, GROWTH if composition.model.config.is_density else 2)))
    whole = composition.songs(5, seed=1)
    assert [rows(roll.notes) for roll in [first, *rest]] == [rows(roll.notes) for roll in whole]


def test_songs_that_were_composed_before_a_stop_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("music", "sample", "latent_musegan", "--count", 3, "--bars", 4, "--only", "mid")
    assert run(*command, "--device", "cpu", "--to", tmp_path / "whole")[0] == 0
    chunks = iter([form_sampler.ensemble] * 2)  # of 1 and 1 songs

    def stopped(*arguments: Any) -> Any:
        if chunk := next(chunks, None):
            return chunk(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(form_sampler, "ensemble", stopped)
    code, said, _ = run(*command, "--device", "cpu", "--to", tmp_path / "part")
    names = ["latent_musegan-seed0-1.mid", "latent_musegan-seed0-2.mid"]
    assert (code, [Path(line).name for line in said.splitlines()]) == (130, names)
    assert sorted(path.name for path in (tmp_path / "part").iterdir()) == names
    for name in names:
        assert (tmp_path / "part" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_command_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.app.progress.FIRST_SECONDS", 0.0)
    options = ("--count", 1, "--bars", 4, "--only", "mid", "--to", tmp_path)
    code, _, complaint = run("music", "sample", "lookback_rnn", *options, "--device", "cpu")
    assert (code, complaint) == (0, "composing bars: 1 of 4\n")
