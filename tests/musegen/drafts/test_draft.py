"""Drafts: what of a user's songs is kept, and where it stands in the finished song."""

import tracemalloc
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from handmade import bend, control, meta, midi, name, note, program, signature, tempo
from tunes import tune

from core.errors import ConfigError, UserError
from musegen.drafts.draft import Draft
from musegen.drafts.source import Source, read_song
from musegen.drafts.wishes import (
    accompaniment,
    blank,
    bridge,
    continuation,
    infill,
    random_kept,
    remix,
)
from musegen.files.midi import read_performance, write_midi
from musegen.files.song import SongOutput, write_song
from musegen.files.sound import Session, sound
from musegen.performance import Performance
from musegen.roll import Grid, Notes, Roll
from musegen.smf.events import scan
from musegen.tonality import Key, signature_of
from musegen.tracks import LAKH, Track

GRID = Grid(steps_per_beat=4)
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)
BAR = 4 * 480


def song(path: Path, bars: int, lowest: int, microseconds: int = 500_000) -> Source:
    """Write a song: each bar has a pitch of its own; the piano is late by 20 ticks."""
    piano = program(0, 1) + note(lowest + 24, BAR - 20, after=20, channel=1)
    bass = program(33, 2) + note(lowest, BAR, channel=2)
    for bar in range(1, bars):
        piano += note(lowest + 24 + bar, BAR - 20, after=20, channel=1)
        bass += note(lowest + bar, BAR, channel=2)
    path.write_bytes(midi(tempo(microseconds) + signature(4, 2), piano, bass))
    return Source.read(path, LAKH, GRID)


def notes(*rows: tuple[int, int, int, int]) -> Notes:
    """Return notes of (track, start, pitch above 24, length), of velocity 64."""
    columns = np.array([(*row, 64) for row in rows], np.int64).reshape(-1, 5).T
    return Notes(*columns).ordered()


def rows(draft: Draft, composed: Notes) -> list[tuple[int, ...]]:
    """Return (track, start, pitch, length) of the finished song's notes."""
    roll = draft.finished(composed).notes
    return list(zip(*(c.tolist() for c in (roll.track, roll.start, roll.pitch, roll.length)),
                    strict=True))  # fmt: skip


def test_what_a_song_loses_on_the_way_to_a_model_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A bar of 4/4 and one of 3/4, with a flute and a trumpet on one track, and with waves."""
    metres = signature(4, 2) + signature(3, 2, after=BAR)
    played = [program(n) + note(60, 480) * 7 for n in (73, 56)]
    waves = name("sea") + program(122) + note(60, 480)
    path = tmp_path / "a.mid"
    path.write_bytes(midi(metres, *played, waves))
    assert [track.program for track in Source.read(path, LAKH, GRID).tracks] == [0, 0, 24, 33, 73]
    assert [record.getMessage().removeprefix(f"{path}: ") for record in caplog.records] == [
        "left out: 1 bar in another metre, 7 notes; no track plays 'sea' (program 122)",
        "Strings has parts of Flute, Trumpet: what is composed sounds as Flute",
        "4 notes double others on one pitch of a track, and are left out",
    ]
    caplog.clear()
    song(tmp_path / "whole.mid", 2, 40)
    assert not caplog.records


def test_controllers_that_a_song_composed_anew_does_not_have_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Usual values are not lost, nor is anything of a song of which bars are kept."""
    usual = control(7, 100) + control(11, 127) + control(10, 64) + bend(0)
    path = tmp_path / "a.mid"
    path.write_bytes(midi(usual + note(60, 480)))
    read_song(path, LAKH, GRID)
    assert not caplog.records
    path.write_bytes(midi(control(7, 90) + bend(-100) + note(60, 480)))
    Source.read(path, LAKH, GRID)
    assert not caplog.records
    read_song(path, LAKH, GRID)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: not kept: volume, pitch bends. Your own project has them: put what is "
        "composed there"
    ]


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "1 note that it holds is as long as it sounds"),
        (2, "2 notes that it holds are as long as they sound"),
    ],
)
def test_what_the_pedal_holds_becomes_the_length_of_notes_and_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int, said: str
) -> None:
    """The pedal goes up after a half note; the last note has its own length."""
    path, written = tmp_path / "a.mid", tmp_path / "b.mid"
    held = b"".join(note(60 + number, 120) for number in range(count))
    up = control(64, 0, after=960 - 120 * count)
    path.write_bytes(midi(program(0) + control(64, 127) + held + up + note(72, 240)))
    draft = infill(Source.read(path, LAKH, GRID), 1, 1, ["bass"])
    write_midi(draft.finished(notes()), written)
    played = read_performance(written)
    lengths = [*(1.0 - 0.125 * number for number in range(count)), 0.25]  # at 120 beats a minute
    assert np.round(played.seconds, 3).tolist() == lengths
    assert not len(scan(written.read_bytes()).controls(64))
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: not kept: the pedal; {said}"
    ]


RANGE_12 = control(101, 0) + control(100, 0) + control(6, 12)


def mixed(path: Path) -> Source:
    """Write four bars: a piano that swells and bends by an octave in each bar, and a soft bass.

    The bend of the second bar is held through a bar of 3/4, which is left out.
    """
    piano = program(0) + RANGE_12 + control(7, 80) + control(10, 20)
    for bar in range(4):
        piano += control(11, 60 + bar) + note(60 + bar, 960) + bend(8191 - bar)
        piano += control(11, 100, after=240) + note(72, 720) + (bend(0) if bar != 1 else b"")
        piano += note(40, BAR - 480) if bar == 1 else b""
    bass = program(33, 2) + control(7, 40, channel=2) + note(36, 4 * BAR, channel=2)
    metres = signature(4, 2) + signature(3, 2, after=2 * BAR) + signature(4, 2, after=BAR - 480)
    path.write_bytes(midi(metres, piano, bass))
    return Source.read(path, LAKH, GRID)


def moves(data: Path, number: int, begin: float, end: float) -> list[list[float]]:
    """Return the controls of part `number` from bar to bar, at 120 beats a minute."""
    controls = read_performance(data).controls[number]
    part = controls.during(2 * begin, 2 * (end - begin)).simplified()
    columns = (part.at, part.volume, part.expression, part.panning, part.semitones)
    return [np.round(column, 2).tolist() for column in columns]


def test_a_kept_track_has_the_controls_of_its_own_bars(tmp_path: Path) -> None:
    source, written = mixed(tmp_path / "a.mid"), tmp_path / "b.mid"
    draft = accompaniment(source, ["piano"])
    write_midi(draft.finished(draft.kept_notes[:0]), written)
    assert moves(written, 0, 0, 2) == moves(tmp_path / "a.mid", 0, 0, 2)
    assert moves(written, 0, 2, 4) == moves(tmp_path / "a.mid", 0, 2.75, 4.75)
    assert moves(written, 0, 0, 2)[4][:3] == [0, 12, 12]


def test_composed_bars_have_the_usual_levels_of_their_track_and_no_bends(tmp_path: Path) -> None:
    source, written = mixed(tmp_path / "a.mid"), tmp_path / "b.mid"
    filled = infill(source, 2, 3).finished(Notes(*np.array([[STRINGS, 16, 30, 4, 90]]).T))
    write_midi(filled, written)
    assert moves(written, 0, 1, 3) == [[0], [80], [82], [20], [0]]
    assert moves(written, 0, 0, 1) == moves(tmp_path / "a.mid", 0, 0, 1)
    assert moves(written, 0, 3, 4) == moves(tmp_path / "a.mid", 0, 3.75, 4.75)
    assert moves(written, 2, 0, 4) == [[0], [80], [100], [64], [0]]


def test_bars_that_come_elsewhere_bring_their_controls(tmp_path: Path) -> None:
    source, written = mixed(tmp_path / "a.mid"), tmp_path / "b.mid"
    mixture = remix(source, "BXA", 1)
    write_midi(mixture.finished(mixture.kept_notes[:0]), written)
    assert moves(written, 0, 2, 3) == moves(tmp_path / "a.mid", 0, 0, 1)
    assert moves(written, 0, 0, 1) == moves(tmp_path / "a.mid", 0, 1, 2)


def test_a_muted_track_is_composed_as_loud_as_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    bass = program(33, 2) + control(7, 0, channel=2) + note(36, BAR, channel=2)
    path.write_bytes(midi(program(0) + control(7, 60) + note(60, BAR), bass))
    draft = accompaniment(Source.read(path, LAKH, GRID), ["piano"])
    assert draft.finished(draft.kept_notes[:0]).controls[BASS].volume.tolist() == [60]


def test_what_is_kept_sounds_as_in_the_users_file(tmp_path: Path) -> None:
    path, written = tmp_path / "a.mid", tmp_path / "b.mid"
    swell = control(11, 40) + note(60, 480) + bend(4096) + control(11, 127) + note(62, 480)
    path.write_bytes(midi(program(0) + swell))
    draft = accompaniment(Source.read(path, LAKH, GRID), ["piano"])
    roll = draft.finished(draft.kept_notes[:0])
    write_midi(roll, written)
    mine = sound(read_performance(path))
    np.testing.assert_allclose(sound(roll), mine, atol=1e-5)
    np.testing.assert_allclose(sound(read_performance(written)), mine, atol=1e-5)


def duet(path: Path) -> Source:
    """Write two bars of two violins: the second is panned, and bends in the second bar alone."""
    first = program(40) + control(7, 80) + control(10, 30) + note(60, BAR) + note(62, BAR)
    second = program(40, 2) + control(10, 90, channel=2) + note(64, BAR, channel=2)
    second += bend(4096, channel=2) + note(60, 960, channel=2) + note(65, 960, channel=2)
    path.write_bytes(midi(first, second))
    return Source.read(path, LAKH, GRID)


def test_parts_of_one_track_keep_their_own_controls(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the file, which is read as it was, and in sound, of which a stem has both."""
    path, written = tmp_path / "a.mid", tmp_path / "b.mid"
    draft = accompaniment(duet(path), ["strings"])
    assert not caplog.records
    roll = draft.finished(draft.kept_notes[:0])
    write_midi(roll, written)
    before, after = read_performance(path), read_performance(written)
    assert [track.name for track in after.tracks if track.program == 40] == ["Strings", "Strings"]
    for number in (0, 1):
        kept = [n for n, track in enumerate(after.tracks) if track.program == 40][number]
        assert moves(written, kept, 0, 2) == moves(path, number, 0, 2)
        same = (before.of_track(number).pitch, after.of_track(kept).pitch)
        assert same[0].tolist() == same[1].tolist()
    session = Session(roll)
    mixed, known = session.mix, sound(before)[:, : session.mix.shape[1]]
    np.testing.assert_allclose(mixed[:, : known.shape[1]], known, atol=1e-5)
    assert not np.allclose(session.stem(STRINGS), session.mix, atol=1e-3)
    both = session.stem(*session.performance.with_layers(STRINGS))
    np.testing.assert_allclose(both, session.mix, atol=1e-6)
    (layer,) = Source.read(written, LAKH, GRID).fine.layers
    assert layer.pitch.tolist() == [64, 60, 65]


def test_parts_of_one_track_keep_their_own_programs(tmp_path: Path) -> None:
    """A flute, a trumpet, and the flutist's piccolo, in the file and in its sound."""
    path = tmp_path / "a.mid"
    flutist = program(73) + note(72, BAR) + program(75) + note(84, BAR)
    path.write_bytes(midi(flutist, program(56, 2) + note(60, BAR, channel=2)))
    draft = accompaniment(Source.read(path, LAKH, GRID), ["strings"])
    roll = draft.finished(draft.kept_notes[:0])
    assert played(roll, tmp_path / "b.mid") == {72: 73, 84: 75, 60: 56}
    first = Source.read(tmp_path / "b.mid", LAKH, GRID)
    later = accompaniment(first, ["strings"]).finished(draft.kept_notes[:0])
    assert played(later, tmp_path / "c.mid") == {72: 73, 84: 75, 60: 56}
    np.testing.assert_allclose(sound(roll), sound(read_performance(path)), atol=1e-5)
    composed = Notes(*np.array([[STRINGS, 20, 76 - GRID.lowest_pitch, 4, 90]]).T)
    filled = infill(first, 2, 2, ["strings"]).finished(composed)
    assert played(filled, tmp_path / "d.mid") == {72: 73, 76: 73, 60: 56}


def test_parts_of_one_track_keep_their_own_names(tmp_path: Path) -> None:
    """A sequencer shows the trumpet, after a second reading too; a part without a name has the
    track's."""
    path = tmp_path / "a.mid"
    flute, trumpet = name("Flute") + program(73), name("Trumpet") + program(56, 2)
    rest = program(71, 3) + note(64, BAR, channel=3)
    path.write_bytes(midi(flute + note(72, BAR), trumpet + note(60, BAR, channel=2), rest))
    for written in (tmp_path / "b.mid", tmp_path / "c.mid"):
        draft = accompaniment(Source.read(path, LAKH, GRID), ["strings"])
        write_midi(draft.finished(draft.kept_notes[:0]), written)
        found = [track.name for track in read_performance(written, ()).tracks]
        assert [one for one in found if one][-3:] == ["Strings", "Trumpet", "Strings"]
        path = written


def test_parts_that_are_known_by_their_channel_have_the_name_of_their_track(
    tmp_path: Path,
) -> None:
    """Their own would say nothing of where they belong once they have other channels."""
    path = tmp_path / "a.mid"
    flute, trumpet = name("Flute") + program(73), name("Trumpet") + program(56)
    path.write_bytes(midi(flute + note(72, BAR), trumpet + note(60, BAR)))
    source = Source.read(path, (Track(name="One", channel=1), Track(name="All", rest=True)), GRID)
    draft = accompaniment(source, ["one"])
    write_midi(draft.finished(draft.kept_notes[:0]), path)
    assert [track.name for track in read_performance(path, ()).tracks][:2] == ["One", "One"]


def test_a_chosen_program_is_that_of_all_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(midi(program(73) + note(72, BAR), program(56, 2) + note(60, BAR, channel=2)))
    draft = accompaniment(Source.read(path, LAKH, GRID), ["strings"])
    roll = draft.finished(draft.kept_notes[:0], name="mine")
    for programs, found in (({"strings": "48"}, {48}), ({"bass": "38"}, {73, 56})):
        to = SongOutput(tmp_path, ("mid",), programs=programs, overwrite=True)
        (written,) = write_song(roll, to)
        assert {track.program for track in read_performance(written).tracks} == found


def played(roll: Roll, path: Path) -> dict[int, int]:
    """The program of each pitch in a song's file."""
    write_midi(roll, path)
    found = read_performance(path)
    programs = [found.tracks[n].program for n in found.track.tolist()]
    return dict(zip(found.pitch.tolist(), programs, strict=True))


def test_a_part_goes_where_its_bars_go_and_composed_notes_are_not_its_own(tmp_path: Path) -> None:
    """The second violin has bend 1 in B; a composed note of X has the time and pitch of none."""
    path = tmp_path / "a.mid"
    source = duet(path)
    mixture = remix(source, "BXAB", 1)
    composed = Notes(*np.array([[STRINGS, 20, 64 - GRID.lowest_pitch, 4, 90]]).T)
    roll = mixture.finished(composed)
    (layer,) = roll.layers
    bars = roll.grid.steps_per_bar
    assert (layer.start / bars).tolist() == [0, 0.5, 2, 3, 3.5]
    at = (layer.controls.at / bars).tolist()
    assert (at, layer.controls.semitones.tolist()) == ([0, 1, 2, 3], [1, 0, 0, 1])
    assert layer.controls.panning.tolist() == [90, 64, 90, 90]
    held = roll.in_layers()
    assert roll.notes.pitch[held == 1].tolist() == [60, 65, 64, 60, 65]
    filled = infill(source, 1, 1, ["strings"]).finished(
        Notes(*np.array([[STRINGS, 0, 64 - GRID.lowest_pitch, 4, 90]]).T)
    )
    assert filled.notes.pitch[filled.in_layers() == 1].tolist() == [60, 65]
    assert filled.first(1).in_layers().tolist() == [0]


def test_drums_that_are_mixed_differently_are_named(tmp_path: Path) -> None:
    """They are one channel. The second kit has port 1."""
    path = tmp_path / "a.mid"
    first = control(7, 80, channel=10) + note(36, 480, channel=10)
    second = meta(0x21, b"\x01") + control(7, 60, channel=10) + bend(99, channel=10)
    path.write_bytes(midi(first, second + note(38, 480, channel=10)))
    source = Source.read(path, LAKH, GRID)
    assert source.remarks == [
        "parts of one track differ, of Drums in volume: those of the first part are kept",
        "not kept: pitch bends of Drums, whose parts differ in them. Your own project has them: "
        "put what is composed there",
    ]
    drums = source.fine.controls[DRUMS]
    assert (drums.volume[-1], drums.semitones[-1], source.fine.layers) == (80, 0, ())


def test_parts_of_a_users_song_that_have_names_alone_are_read_by_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "song.mid"
    parts = (("Drum Kit", 36), ("Bass", 40), ("Grand Piano", 60))
    path.write_bytes(midi(*(name(one) + 4 * note(pitch, BAR // 4) for one, pitch in parts)))
    source = Source.read(path, LAKH, GRID)
    assert source.song.notes.track.reshape(4, 3).tolist() == 4 * [[DRUMS, PIANO, BASS]]
    assert (source.tracks[BASS].program, source.tracks[PIANO].program) == (33, 0)
    assert "are read by their names: 'Drum Kit' as drums, 'Bass' as bass. Where" in caplog.text


@pytest.mark.parametrize(
    ("metre", "message"),
    [
        ((3, 2), "most are in 3/4: change .*, or train a .* `music prepare --meter 3/4` keeps$"),
        ((6, 3), "most are in 6/8: change .*, or train a .* `music prepare --meter 6/8` keeps$"),
        ((1, 2), "most last only 1/4: change .* or divide .* the model's bars: --meter any$"),
    ],
)
def test_a_song_in_another_metre_is_refused_with_what_helps(
    metre: tuple[int, int], message: str, tmp_path: Path
) -> None:
    """A model of bars of any metre would be no cure: it reads songs in its own, 4/4."""
    path = tmp_path / "a.mid"
    path.write_bytes(midi(signature(*metre), note(60, 480) * 12))
    with pytest.raises(UserError, match=message):
        Source.read(path, LAKH, GRID)


def test_kept_tracks_keep_their_timing_and_others_are_replaced(tmp_path: Path) -> None:
    source = song(tmp_path / "a.mid", 3, 40)
    draft = accompaniment(source, ["Piano"])
    assert draft.kept[PIANO].all() and draft.kept.sum() == 3
    assert draft.kept_notes.track.tolist() == [PIANO] * 3
    # a new bass of one note in bar 2, and piano notes that nobody asked for
    finished = rows(draft, notes((BASS, 16, 20, 4), (PIANO, 0, 30, 4)))
    # 240 steps of a beat are two of the file's ticks each; the model's grid has 4 steps
    assert finished == [
        (PIANO, 10, 64, 950),
        (BASS, 960, 44, 240),
        (PIANO, 970, 65, 950),
        (PIANO, 1930, 66, 950),
    ]


def test_tracks_that_neither_stay_nor_are_composed_are_empty(tmp_path: Path) -> None:
    """The piano stays and a guitar is new: the bass that was there is in neither reading."""
    source = song(tmp_path / "a.mid", 2, 40)
    draft = accompaniment(source, ["piano"], ["guitar"])
    assert np.flatnonzero(~draft.kept.all(1)).tolist() == [GUITAR]
    assert set(draft.notes.track.tolist()) == {PIANO}
    finished = rows(draft, notes((GUITAR, 16, 20, 4)))
    assert [row[0] for row in finished] == [PIANO, GUITAR, PIANO]


def test_filled_bars_end_where_kept_ones_begin(tmp_path: Path) -> None:
    source = song(tmp_path / "a.mid", 4, 40)
    draft = infill(source, 2, 3, ["bass"])
    assert np.argwhere(~draft.kept).tolist() == [[BASS, 1], [BASS, 2]]
    merged = draft.merged(notes((BASS, 24, 10, 100), (BASS, 60, 12, 4), (GUITAR, 20, 12, 4)))
    bass = merged[merged.track == BASS]
    assert bass.start.tolist() == [0, 24, 48] and bass.length.tolist() == [16, 24, 16]
    assert GUITAR not in merged.track


def test_a_note_does_not_start_in_a_kept_one(tmp_path: Path) -> None:
    path = tmp_path / "long.mid"
    path.write_bytes(midi(signature(4, 2), program(33, 1) + note(36, 2 * BAR, channel=1)))
    draft = infill(Source.read(path, LAKH, GRID), 2, 2)
    merged = draft.merged(notes((BASS, 20, 12, 4), (BASS, 20, 13, 4)))
    assert merged.pitch.tolist() == [12, 13] and merged.start.tolist() == [0, 20]
    assert merged.length.tolist() == [32, 4]


def test_a_continuation_has_empty_bars_at_the_last_tempo(tmp_path: Path) -> None:
    source = song(tmp_path / "a.mid", 2, 40, microseconds=400_000)
    draft = continuation(source, 3)
    assert draft.bars == 5 and draft.kept.all(0).tolist() == [True, True, False, False, False]
    assert draft.tempo_bpm.tolist() == [150.0] * 5


def test_a_bridge_leads_from_one_song_to_the_next(tmp_path: Path) -> None:
    first = song(tmp_path / "a.mid", 2, 40)
    last = song(tmp_path / "b.mid", 1, 50, microseconds=1_000_000)
    draft = bridge(first, last, 2)
    assert draft.kept[DRUMS].tolist() == [True, True, False, False, True]
    assert draft.tempo_bpm.tolist() == [120.0] * 4 + [60.0]
    bass = draft.notes[draft.notes.track == BASS]
    assert bass.pitch.tolist() == [16, 17, 26] and bass.start.tolist() == [0, 16, 64]


def test_a_track_of_a_bridge_sounds_as_in_the_first_song_that_has_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A piano before an electric one, and a flute in the second song alone."""
    parts = {"a": [program(0)], "b": [program(4), program(73)]}
    paths = [tmp_path / f"{name}.mid" for name in parts]
    for path, programs in zip(paths, parts.values(), strict=True):
        path.write_bytes(midi(*(one + note(60, BAR) for one in programs)))
    first, last = (Source.read(path, LAKH, GRID) for path in paths)
    draft = bridge(first, last, 1)
    assert [track.program for track in draft.finished(notes()).tracks] == [0, 0, 24, 33, 73]
    assert [record.getMessage() for record in caplog.records] == [
        "Piano has the program 0 in a and 4 in b, and sounds with 0 throughout: "
        "--programs piano=4 for the other"
    ]


def test_each_part_of_the_drums_keeps_its_kit(tmp_path: Path) -> None:
    """A bass drum of the standard kit, and a snare of the TR-808 (program 25) in another part."""
    kit = program(0, 10) + note(36, BAR, channel=10)
    other = name("808") + program(25, 10) + note(38, BAR, channel=10)
    path = tmp_path / "a.mid"
    path.write_bytes(midi(kit, other, program(0, 1) + note(60, BAR)))
    roll = accompaniment(Source.read(path, LAKH, GRID), ["drums"]).finished(notes())
    write_midi(roll, written := BytesIO())
    played = read_performance(written.getvalue())
    kits = {pitch: played.tracks[n] for n, pitch in zip(played.track, played.pitch, strict=True)}
    assert {pitch: (kit.program, kit.is_drum) for pitch, kit in kits.items()} == {
        36: (0, True),
        38: (25, True),
    }
    assert [track.program for track in Performance.of(roll).tracks[-1:]] == [25]


def test_a_remix_places_sections_by_their_letters(tmp_path: Path) -> None:
    source = song(tmp_path / "a.mid", 5, 40)
    draft = remix(source, "BACA", 2)
    assert draft.kept[STRINGS].tolist() == [True] * 4 + [False] * 2 + [True] * 2
    bass = draft.notes[draft.notes.track == BASS]
    assert bass.pitch.tolist() == [18, 19, 16, 17, 16, 17]
    assert bass.start.tolist() == [0, 16, 32, 48, 96, 112]


def test_a_new_section_of_a_remix_is_composed_once(tmp_path: Path) -> None:
    draft = remix(song(tmp_path / "a.mid", 2, 40), "CACB", 1)
    merged = draft.merged(notes((BASS, 3, 9, 40), (BASS, 20, 8, 4), (BASS, 33, 7, 4)))
    bass = merged[merged.track == BASS]
    assert bass.start.tolist() == [3, 16, 35, 48] and bass.pitch.tolist() == [9, 16, 9, 17]
    assert bass.length.tolist() == [13, 16, 13, 16]


def test_only_named_tracks_of_a_blank_draft_are_composed() -> None:
    draft = blank(LAKH, GRID, 2, ["drums", "bass"])
    assert draft.kept[:, 0].tolist() == [False, True, True, False, True]
    assert not blank(LAKH, GRID, 2).kept.any()
    assert rows(draft, notes((PIANO, 0, 10, 4), (BASS, 4, 10, 4))) == [(BASS, 240, 34, 240)]


def test_impossible_wishes_say_why(tmp_path: Path) -> None:
    source = song(tmp_path / "a.mid", 4, 40)
    with pytest.raises(ConfigError, match="bars 3-5 cannot be filled: the song has bars 1-4"):
        infill(source, 3, 5)
    with pytest.raises(ConfigError, match="no track is called 'banjo'"):
        accompaniment(source, ["banjo"])
    with pytest.raises(ConfigError, match="at least 1 bar, not 0"):
        continuation(source, 0)
    with pytest.raises(ConfigError, match="too few for sections of 8: --section-bars 1"):
        remix(source, "AB", 8)
    with pytest.raises(ConfigError, match="too few for sections of 0: --section-bars 1"):
        remix(source, "AB", 0)
    with pytest.raises(ConfigError, match="'A-B' is no form"):
        remix(source, "A-B", 1)


def test_the_song_keeps_its_programs_and_drums_get_a_length(tmp_path: Path) -> None:
    path = tmp_path / "kit.mid"
    drums = note(36, 5, channel=10) + note(38, 5, after=BAR - 5, channel=10)
    path.write_bytes(midi(signature(4, 2), program(38, 2) + note(40, BAR, channel=2), drums))
    roll = infill(Source.read(path, LAKH, GRID), 2, 2, ["piano"]).finished(notes())
    assert [track.program for track in roll.tracks][BASS] == 38
    assert roll.tracks[PIANO].program == LAKH[PIANO].program
    found = roll.notes
    assert found.length[found.track == DRUMS].tolist() == [60, 60]


def test_lyrics_markers_and_keys_stay_with_their_bars(tmp_path: Path) -> None:
    """Four bars: an intro in C, then a verse in Gb major with a word in it."""
    c_major, gb_major = bytes([0, 0]), bytes([256 - 6, 0])
    first = meta(0x59, c_major) + meta(0x06, b"Intro") + meta(0x59, gb_major, after=2 * BAR)
    first += meta(0x06, "Stro\u0301fa".encode()) + meta(0x05, b"la", after=480)
    path = tmp_path / "a.mid"
    path.write_bytes(midi(first, *(note(n, 4 * BAR) for n in (60, 64, 67))))
    source = Source.read(path, LAKH, GRID)
    verse = [(0x59, gb_major), (0x06, "Stro\u0301fa".encode())]
    whole = infill(source, 2, 2).finished(notes())
    intro, word = [(0, 0x59, c_major), (0, 0x06, b"Intro")], (2 * BAR + 480, 0x05, b"la")
    assert marked(whole) == [*intro, *((2 * BAR, *one) for one in verse), word]
    only = remix(source, "BB", 2).finished(notes())
    assert signature_of(only) == Key(tonic=6)
    assert [one for one in marked(only) if one[0] == 2 * BAR] == [(2 * BAR, *one) for one in verse]
    later = remix(source, "DA", 1).finished(notes())
    assert [(at, kind) for at, kind, _ in marked(later)] == [(0, 0x59), (BAR, 0x59), (BAR, 0x06)]
    chosen = replace(only, form="AA", key="D major")
    assert {kind for _, kind, _ in marked(chosen)} == {0x05}
    path.write_bytes(midi(meta(0x59, c_major), *(note(n, BAR) for n in (58, 62, 65))))
    unasked = infill(Source.read(path, LAKH, GRID), 1, 1, ("bass",)).finished(notes())
    assert signature_of(unasked) == Key(tonic=10)


def marked(roll: Roll) -> list[tuple[int, int, bytes]]:
    """Write a roll; return tick, kind and data of its lyrics and markers, and of its own keys.

    Without letters of its form, and a key that is found by its notes.
    """
    write_midi(roll, stream := BytesIO())
    events = scan(stream.getvalue())
    found = [n for kind in (0x05, 0x06, 0x59) for n in events.metas(kind)]
    own = {mark.data for mark in roll.marks}
    events_of = [(int(events.tick[n]), int(events.byte(0, [n])[0]), events.payload(n))
                 for n in events.by_time(found).tolist()]  # fmt: skip
    return [one for one in events_of if one[2] in own]


def test_random_drafts_are_of_every_kind_and_compose_something() -> None:
    kept = random_kept(400, 5, 16, [3])
    is_open = ~kept
    assert is_open.any((1, 2)).all()
    whole = np.logical_or(is_open.all(2), kept.all(2))
    of_tracks = whole.min(1)
    of_bars = (is_open == is_open[:, :1]).all((1, 2))
    assert 0.5 < of_tracks.mean() < 0.7 and 0.15 < (of_bars & ~of_tracks).mean() < 0.3
    holes = is_open[~of_tracks].any(1)
    assert (np.diff(holes.astype(int), axis=1) == 1).sum(1).max() == 1, "one hole each"
    assert np.array_equal(random_kept(9, 5, 16, [3]), random_kept(9, 5, 16, [3]))


def test_memory_of_a_finished_song_follows_its_notes(tmp_path: Path) -> None:
    """Forty bars as cells are 5 tracks x 40 x 960 steps x 128 pitches: 25 MB."""
    (tmp_path / "a.mid").write_bytes(tune(seed=3, bars=40))
    draft = continuation(Source.read(tmp_path / "a.mid", LAKH, GRID), 1)
    tracemalloc.start()
    roll = draft.finished(draft.kept_notes, "song")
    write_midi(roll, tmp_path / "b.mid")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(roll.notes) == len(draft.notes) > 300
    assert peak < 5e6


def test_a_long_song_is_not_too_dense_on_the_fine_grid(tmp_path: Path) -> None:
    """Three parts that never rest: 800 bars x 960 steps x 3 = 2.3 million steps that sound."""
    (tmp_path / "a.mid").write_bytes(tune(seed=3, bars=800))
    source = Source.read(tmp_path / "a.mid", LAKH, GRID)
    assert source.bars == 800
    assert source.fine.notes.length.sum() == 800 * 960 * 3
