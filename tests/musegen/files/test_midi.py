"""MIDI files to notes on the grid and back: what is kept, quantised, left out and rejected."""

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import symusic
from handmade import meta, midi, name, note, number, program, signature, tempo
from hypothesis import example, given, settings
from hypothesis import strategies as st
from note_rows import notes, rows
from peak import CODE

from core.data.sources import RejectedFile
from core.errors import ConfigError
from musegen.files.keys import keys_of
from musegen.files.limits import MusicLimits
from musegen.files.midi import (
    origin_of,
    read_midi,
    read_performance,
    write_midi,
)
from musegen.files.parts import parts_of
from musegen.files.smf import scan
from musegen.reading.song import Song
from musegen.roll import Grid, Roll, fill, separate
from musegen.tracks import LAKH, QUARTET, VOICES, Track, track_list

DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)
QUARTER = Grid(steps_per_beat=4, lowest_pitch=48, pitches=24)


def rejected(data: bytes, **options: object) -> str:
    with pytest.raises(RejectedFile) as caught:
        read_midi(data, **options)  # type: ignore[arg-type]
    assert caught.value.detail
    return caught.value.reason


def written(roll: Roll, folder: Path) -> Path:
    path = folder / "roll.mid"
    write_midi(roll, path)
    return path


parsed = symusic.core.ScoreTick.from_midi


# reading: time


def test_onsets_and_ends_go_to_the_nearest_step_and_a_note_lasts_at_least_one():
    # a step is 25 ticks: 37 -> 1, 97 -> 4; 138 -> 6, 139 -> 6; 587 -> 23
    track = note(60, 60, after=37) + note(62, 1, after=41) + note(64, 1, after=448)
    song = read_midi(midi(track, division=100), grid=QUARTER)
    assert rows(song.notes) == [(PIANO, 1, 12, 3), (PIANO, 6, 14, 1), (PIANO, 23, 16, 1)]
    assert song.bars == 2


def test_a_note_just_before_a_bar_line_starts_on_it():
    song = read_midi(midi(note(60, 10, after=395), division=100), grid=QUARTER)
    assert rows(song.notes) == [(PIANO, 16, 12, 1)]
    assert song.bars == 2


@pytest.mark.parametrize(
    ("steps_per_beat", "triplet", "swing", "sixteenths"),
    [
        (12, [0, 4, 8], [0, 8], [0, 3, 6, 9]),
        (24, [0, 8, 16], [0, 16], [0, 6, 12, 18]),
        (4, [0, 1, 3], [0, 3], [0, 1, 2, 3]),
    ],
)
def test_triplets_and_swing_survive_at_12_steps_a_beat(
    steps_per_beat: int, triplet: list[int], swing: list[int], sixteenths: list[int]
):
    def starts(*ticks: int) -> list[int]:
        gaps = np.diff([0, *ticks])
        track = b"".join(number(g) + b"\x90\x3c\x40\x00\x3c\x00" for g in gaps.tolist())
        song = read_midi(midi(track), grid=Grid(steps_per_beat=steps_per_beat))
        return song.notes.start.tolist()

    assert starts(0, 160, 320) == triplet
    assert starts(0, 320) == swing
    assert starts(0, 120, 240, 360) == sixteenths


# reading: tempo


def test_the_tempo_of_a_bar_is_its_mean_over_time():
    # 2 beats of 1/2 s and 2 of 1 s: 4 beats in 3 s; the next bar 4 s; then 4 beats of 0.4 s
    conductor = tempo(500_000) + tempo(1_000_000, after=960) + tempo(400_000, after=2880)
    song = read_midi(midi(conductor, note(60, 480 * 12)))
    np.testing.assert_allclose(song.tempo_bpm, [80, 60, 150])


def test_the_tempo_is_120_until_the_first_tempo_event():
    song = read_midi(midi(note(60, 3840), tempo(250_000, after=1920)))
    np.testing.assert_allclose(song.tempo_bpm, [120, 240])


# reading: time signatures


def bars_of(track: bytes, grid: Grid = QUARTER, meter: str = "kept") -> Song:
    """The song of a signature track over one note a beat, each of another pitch."""
    beats = b"".join(note(48 + beat, 480) for beat in range(16))
    return read_midi(midi(track, beats), grid=grid, meter=meter)  # type: ignore[arg-type]


def kept_beats(song: Song) -> dict[int, int]:
    """The step of each beat that was kept, by the beat's number in the file."""
    return dict(zip(song.notes.pitch.tolist(), song.notes.start.tolist(), strict=True))


def test_without_signature_it_is_4_4():
    song = bars_of(b"")
    assert (song.bars, song.stretches, song.left_out.bars) == (4, ((0, 4),), 0)
    assert kept_beats(song) == {beat: 4 * beat for beat in range(16)}


def test_bars_of_another_metre_are_left_out_and_part_the_stretches():
    # 4/4 for a bar, two bars of 3/4, then 4/4 to the end: beats 4 to 9 are left out
    song = bars_of(signature(4, 2) + signature(3, 2, after=1920) + signature(4, 2, after=2880))
    assert (song.bars, song.stretches) == (3, ((0, 1), (1, 2)))
    assert (song.left_out.bars, song.left_out.notes) == (2, 6)
    assert kept_beats(song) == {
        0: 0,
        1: 4,
        2: 8,
        3: 12,
        10: 16,
        11: 20,
        12: 24,
        13: 28,
        14: 32,
        15: 36,
    }


def test_a_bar_in_two_parts_is_one_bar():
    """4/4, a bar as 3/4 and 1/4 of a repeat, 4/4; then the same after a bar of 2/4."""
    parts = signature(3, 2, after=1920) + signature(1, 2, after=1440) + signature(4, 2, after=480)
    song = bars_of(signature(4, 2) + parts)
    assert (song.bars, song.stretches, song.left_out.bars) == (4, ((0, 4),), 0)
    assert kept_beats(song) == {beat: 4 * beat for beat in range(16)}
    song = bars_of(signature(2, 2) + parts.replace(number(1920), number(960), 1))
    assert (song.stretches, song.left_out.bars, song.left_out.pickup_beats) == (((0, 4),), 0, 2)
    assert kept_beats(song) == {beat: 4 * (beat - 2) for beat in range(2, 16)}
    three = Grid(steps_per_beat=4, beats_per_bar=3, lowest_pitch=48, pitches=24)
    song = bars_of(
        signature(2, 2) + signature(1, 2, after=960) + signature(4, 2, after=480), three
    )
    assert kept_beats(song) == {0: 0, 1: 4, 2: 8}


def test_a_note_is_cut_where_its_stretch_ends():
    signatures = signature(4, 2) + signature(3, 2, after=1920) + signature(4, 2, after=1440)
    held = note(60, 480 * 9, after=480)
    assert rows(read_midi(midi(signatures, held), grid=QUARTER).notes) == [(PIANO, 4, 12, 12)]


def test_a_pickup_bar_moves_the_bar_lines():
    song = bars_of(signature(1, 2) + signature(4, 2, after=480))
    assert (song.bars, song.stretches, song.left_out.bars) == (4, ((0, 4),), 0)
    assert song.remarks[0] == "left out: a pickup of 1 quarter note, 1 note"
    assert "To keep the pickup, put rests before it" in song.remarks[1]
    assert kept_beats(song) == {beat: 4 * (beat - 1) for beat in range(1, 16)}


def test_a_signature_within_a_bar_begins_a_new_one():
    song = bars_of(signature(4, 2) + signature(4, 2, after=480 * 6))
    assert song.stretches == ((0, 1), (1, 3))
    assert kept_beats(song)[6] == 16
    assert not {4, 5} & set(kept_beats(song))


def test_repeats_that_leave_no_whole_bar_change_nothing():
    song = bars_of(signature(4, 2) + 11 * signature(4, 2, after=480))
    assert (song.bars, song.left_out.bars) == (4, 0)
    assert song.stretches == ((0, 2), (2, 2)), "the last repeat, at beat 11, begins a bar"
    song = bars_of(signature(4, 2) + 15 * signature(4, 2, after=480))
    assert (song.stretches, song.left_out.notes) == (((0, 4),), 0)


def test_a_signature_a_tick_off_its_bar_line_is_moved_to_it():
    changes = signature(4, 2) + signature(3, 2, after=1919) + signature(4, 2, after=1460)
    song = bars_of(changes)
    assert (song.stretches, song.left_out.bars) == (((0, 1), (1, 3)), 1)
    assert kept_beats(song)[7] == 16
    assert bars_of(signature(4, 2) + signature(4, 2, after=1921)).stretches == ((0, 4),)
    three = Grid(steps_per_beat=4, beats_per_bar=3, lowest_pitch=48, pitches=24)
    song = bars_of(signature(3, 2, after=1), three)
    assert (song.bars, song.left_out.bars) == (6, 0)


def test_a_signature_of_two_bytes_is_read_and_one_of_none_or_of_no_beats_passed_over():
    three = Grid(steps_per_beat=4, beats_per_bar=3, lowest_pitch=48, pitches=24)
    assert bars_of(meta(0x58, b"\x03\x02"), three).bars == 6
    assert bars_of(meta(0x58, b"")).bars == bars_of(signature(0, 2)).bars == 4


def test_a_pickup_that_no_signature_names_is_given_by_the_user():
    beats = b"".join(note(48 + beat, 480) for beat in range(16))
    song = read_midi(midi(signature(4, 2), beats), grid=QUARTER, pickup_beats=1)
    assert (song.bars, song.stretches, song.left_out.bars) == (4, ((0, 4),), 0)
    assert song.left_out.pickup_beats == 1
    assert kept_beats(song) == {beat: 4 * (beat - 1) for beat in range(1, 16)}
    changes = signature(3, 2) + signature(4, 2, after=480 * 5)
    three = Grid(steps_per_beat=4, beats_per_bar=3, lowest_pitch=48, pitches=24)
    song = read_midi(midi(changes, beats), grid=three, pickup_beats=2)
    assert kept_beats(song) == {2: 0, 3: 4, 4: 8}
    assert song.remarks[0].startswith(
        "left out: a pickup of 2 quarter notes, 3 bars in another metre, "
    )


def test_other_bars_at_the_beginning_are_no_pickup():
    """Two bars of 1/4, a longer bar, and one that no bar of the grid follows."""
    for changes, skipped in (
        (signature(1, 2) + signature(4, 2, after=960), 2),
        (signature(5, 2) + signature(4, 2, after=480 * 5), 1),
        (signature(1, 2) + signature(3, 2, after=480) + signature(4, 2, after=480 * 6), 3),
    ):
        song = bars_of(changes)
        assert (song.left_out.pickup_beats, song.left_out.bars) == (0, skipped)


def test_a_pickup_is_in_no_metre_and_shorter_than_the_song():
    waltz = midi(signature(3, 2) + note(60, 480) * 3)
    for pickup_beats in (3.0, 1e6):
        with pytest.raises(RejectedFile, match="most are in 3/4: --meter 3/4"):
            read_midi(waltz, pickup_beats=pickup_beats)
    with pytest.raises(RejectedFile, match="after a pickup of 8 quarter notes: a shorter --pick"):
        read_midi(midi(note(60, 480)), pickup_beats=8)


def test_a_path_is_given_as_a_text_too(tmp_path: Path):
    (tmp_path / "one.mid").write_bytes(midi(note(60, 480)))
    assert read_midi(str(tmp_path / "one.mid")).name == "one"


def test_of_signatures_that_disagree_the_first_tracks_counts():
    """In one track the last one at a tick does, as a player takes it."""
    three = Grid(steps_per_beat=4, beats_per_bar=3, lowest_pitch=48, pitches=24)
    beats = b"".join(note(48 + beat, 480) for beat in range(12))
    conductor, other = signature(3, 2), signature(4, 2) + beats
    assert read_midi(midi(conductor, other), grid=three).bars == 4
    assert read_midi(midi(other, conductor), grid=QUARTER).bars == 3
    assert read_midi(midi(signature(4, 2) + conductor, beats), grid=three).bars == 4


def test_a_signature_after_the_last_note_adds_no_bars():
    song = bars_of(signature(4, 2) + signature(3, 2, after=480 * 400))
    assert (song.bars, song.left_out.bars) == (4, 0)


FOUR = {beat: 4 * beat for beat in range(16)}
"""The steps of 16 beats that are all kept."""


@pytest.mark.parametrize(
    ("changes", "grid", "said"),
    [
        (signature(2, 2), QUARTER, "2 bars of 2/4 are read as one of 4/4"),
        (signature(4, 1), QUARTER, "each bar of 8/4 is read as 2 of 4/4"),
        (signature(4, 0), QUARTER, "each bar of 16/4 is read as 4 of 4/4"),
        (b"", QUARTER.replace(beats_per_bar=2), "each bar of 4/4 is read as 2 of 2/4"),
        (b"", QUARTER.replace(beats_per_bar=16), "4 bars of 4/4 are read as one of 16/4"),
        (signature(2, 2) + signature(4, 2, after=1920), QUARTER, "2 bars of 2/4 are read as one"),
    ],
)
def test_bars_are_regrouped_where_some_of_one_metre_are_one_of_the_other(
    changes: bytes, grid: Grid, said: str
):
    song = bars_of(changes, grid)
    assert song.bars == 16 // grid.beats_per_bar
    assert (song.stretches, song.left_out.bars) == (((0, song.bars),), 0)
    assert kept_beats(song) == FOUR
    (remark,) = song.remarks
    assert remark.startswith(said) and remark.endswith("and bars are counted so")


def test_bars_that_make_no_whole_one_are_left_out_but_at_the_end():
    """Three bars of 2/4 before 4/4, then three to the end: the fourth is silence."""
    changes = signature(2, 2) + signature(4, 2, after=480 * 6) + signature(2, 2, after=480 * 4)
    song = bars_of(changes)
    assert (song.bars, song.stretches, song.left_out.bars) == (4, ((0, 1), (1, 3)), 1)
    assert kept_beats(song) == {n: 4 * n for n in range(4)} | {
        n: 4 * (n - 2) for n in range(6, 16)
    }
    six = Grid(steps_per_beat=2, beats_per_bar=6, beat_unit=8, lowest_pitch=48, pitches=24)
    twelve, three = six.replace(beats_per_bar=12), QUARTER.replace(beats_per_bar=3)
    assert bars_of(signature(12, 3), six).left_out.bars == 0
    assert bars_of(signature(6, 3), twelve).bars == 3
    for changes, grid in ((signature(6, 3), three), (signature(3, 2), six)):
        with pytest.raises(RejectedFile, match="no bar is in"):
            bars_of(changes, grid)


def test_a_repeated_signature_on_a_bar_line_changes_nothing():
    song = bars_of(signature(4, 2) + signature(2, 1, after=1920) + signature(64, 6, after=3840))
    assert (song.bars, song.stretches) == (4, ((0, 4),))


def test_any_metre_can_be_wanted_or_none():
    three = Grid(steps_per_beat=4, beats_per_bar=3, lowest_pitch=48, pitches=24)
    signatures = signature(3, 2) + signature(4, 2, after=1440)
    assert kept_beats(bars_of(signatures, three)) == {0: 0, 1: 4, 2: 8}
    song = bars_of(signatures, three, meter="any")
    assert (song.bars, song.stretches) == (6, ((0, 6),))
    assert kept_beats(song)[15] == 60


def test_six_eighths_are_not_three_quarters():
    """A bar of 6/8, two of 3/4, one of 6/8 and two of 3/4, of 16 beats."""
    six = Grid(steps_per_beat=2, beats_per_bar=6, beat_unit=8, lowest_pitch=48, pitches=24)
    three = Grid(steps_per_beat=4, beats_per_bar=3, lowest_pitch=48, pitches=24)
    changes = signature(6, 3) + signature(3, 2, after=1440) + signature(6, 3, after=2880)
    changes += signature(3, 2, after=1440)
    assert kept_beats(bars_of(changes, six)) == {0: 0, 1: 4, 2: 8, 9: 12, 10: 16, 11: 20}
    song = bars_of(changes, three)
    assert song.stretches == ((0, 2), (2, 2))
    kept = [3, 4, 5, 6, 7, 8, 12, 13, 14, 15]
    assert kept_beats(song) == {beat: 4 * n for n, beat in enumerate(kept)}


def test_bars_of_seven_eighths_begin_and_last_as_they_should():
    """Bars of 3 1/2 beats of 97 ticks, so that bar lines fall between ticks."""
    seven = Grid(steps_per_beat=6, beats_per_bar=7, beat_unit=8)
    assert (seven.steps_per_bar, seven.steps_per_quarter, seven.metre.quarters) == (42, 12, 3.5)
    bar_begins = [round(3.5 * 97 * bar) for bar in range(5)]
    gaps = np.diff([0, *bar_begins]).tolist()
    track = b"".join(number(g - 20 * (n > 0)) + note(60, 20)[1:] for n, g in enumerate(gaps))
    song = read_midi(midi(signature(7, 3), tempo(500_000) + track, division=97), grid=seven)
    assert song.notes.start.tolist() == [0, 42, 84, 126, 168]
    assert song.stretches == ((0, 5),)
    np.testing.assert_allclose(song.tempo_bpm, 120)
    assert song.roll().seconds == pytest.approx(5 * 3.5 / 2)


@pytest.mark.parametrize(("beats", "unit"), [(6, 8), (7, 8), (3, 4), (2, 2), (5, 16), (12, 8)])
def test_a_metre_is_written_as_it_is_called_and_read_back(beats: int, unit: int):
    grid = Grid(steps_per_beat=6, beats_per_bar=beats, beat_unit=unit)  # type: ignore[arg-type]
    per_bar = grid.steps_per_bar
    played = notes((1, 0, 40, 5, 90), (1, per_bar - 1, 41, 3, 70), (3, 2 * per_bar, 12, 6, 33))
    roll = Roll.of(played, LAKH, grid, np.array([90.0, 60.0, 120.0]))
    stream = io.BytesIO()
    write_midi(roll, stream)
    written_signatures = parsed(stream.getvalue()).time_signatures
    assert {(s.numerator, s.denominator) for s in written_signatures} == {(beats, unit)}
    reread = read_midi(stream.getvalue(), grid=grid)
    assert rows(reread.notes) == rows(played)
    assert reread.bars == 3
    np.testing.assert_allclose(reread.tempo_bpm, roll.tempo_bpm, rtol=3e-6)
    quarters = 4 * beats / unit
    assert roll.seconds == pytest.approx(quarters * (60 / 90 + 60 / 60 + 60 / 120))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (signature(3, 2), "most are in 3/4: --meter 3/4"),
        (signature(6, 3) + signature(3, 2, after=1440), "most are in 3/4: --meter 3/4"),
        (signature(12, 3), "most are in 12/8: --meter 12/8"),
        (signature(6, 1), "most are in 12/4: --meter 12/4"),
        (signature(1, 2), "most last only 1/4: --meter any"),
        (signature(3, 4), "most last only 3/16: --meter any"),
        (signature(3, 3), "most are in 3/8: --meter 3/8"),
        (signature(6, 4), "most are in 6/16: --meter 6/16"),
        (signature(65, 5), "most are in 65/32: --meter any"),
        (signature(128, 2), "most are in 128/4: --meter any"),
        (
            signature(3, 2) + signature(5, 2, after=1440) + signature(7, 3, after=2400),
            "most are in 7/8: --meter 7/8",
        ),
        (
            signature(3, 2) + signature(5, 2, after=1440 * 2) + signature(7, 2, after=2400),
            "and several metres change about: --meter any",
        ),
    ],
)
def test_a_rejected_file_names_the_metre_of_most_of_its_bars(changes: bytes, says: str):
    """Bars of 3/4, 5/4 and 7/8 are 1, 1 and 3 of 16 beats; of 3/4, 5/4 and 7/4 2, 1 and 1."""
    with pytest.raises(RejectedFile, match=f"no bar is in 4/4, {says}"):
        bars_of(changes)


def test_a_file_without_a_bar_in_the_metre_is_rejected():
    assert rejected(midi(signature(3, 2) + note(60, 4800))) == "time-signature"
    assert rejected(midi(signature(4, 7) + note(60, 480))) == "time-signature"


# reading: tracks and pitches


def test_parts_are_merged_by_family_and_drum_hits_are_one_step():
    song = read_midi(
        midi(
            program(30) + note(60, 480),
            program(25, 2) + note(60, 240, after=240, channel=2),
            program(33, 10) + note(36, 960, channel=10),
            program(120, 3) + note(50, 480, channel=3),
        )
    )
    assert rows(song.notes) == [(DRUMS, 0, 12, 1), (GUITAR, 0, 36, 6), (GUITAR, 6, 36, 6)]
    assert song.left_out.notes == 1


def test_notes_out_of_the_range_are_dropped_and_counted():
    track = b"".join(note(pitch, 480) for pitch in (47, 48, 71, 72, 127))
    song = read_midi(midi(track), grid=QUARTER)
    assert song.notes.pitch.tolist() == [0, 23]
    assert song.left_out.notes == 3


def test_tracks_by_channel():
    tracks = (Track(name="Two", channel=2), Track(name="Five", channel=5))
    data = midi(
        note(60, 480, channel=5) + note(61, 480, channel=1),
        note(62, 480, channel=2) + program(9, 5) + note(63, 480, channel=5),
    )
    song = read_midi(data, tracks)
    assert rows(song.notes) == [(0, 0, 38, 12), (1, 0, 36, 12), (1, 12, 39, 12)]
    assert song.notes.velocity.tolist() == [100, 100, 100]
    assert song.left_out.notes == 1


def test_tracks_by_name_order_and_rest():
    tracks = (
        Track(name="Rest", rest=True),
        Track(name="Solo", name_pattern="solo"),
        Track(name="First", order=0),
    )
    data = midi(*(name(n) + note(60 + i, 480) for i, n in enumerate(("a", "b", "the SOLO"))))
    song = read_midi(data, tracks)
    assert rows(song.notes) == [(0, 0, 37, 12), (1, 0, 38, 12), (2, 0, 36, 12)]


def test_a_name_in_no_known_alphabet_is_no_obstacle():
    raw = b"\x00\xff\x03\x03\xff\xfe\x80"
    assert len(read_midi(midi(raw + note(60, 480))).notes) == 1


def test_strikes_that_nothing_ends_are_notes():
    """Drums on beats 1 to 3 without an end, and a chord that the end of its track silences."""
    drums = b"".join(number(480 * (n > 0)) + b"\x99\x24\x50" for n in range(3))
    chord = b"\x00\x90\x3c\x50\x00\x40\x50" + number(960) + b"\xff\x01\x00"
    one = read_midi(midi(b"\x00\x90\x3c\x50" + number(960) + b"\xff\x01\x00"), grid=QUARTER)
    assert rows(one.notes) == [(PIANO, 0, 12, 8)]
    song = read_midi(midi(drums, chord), grid=QUARTER.replace(lowest_pitch=36, pitches=36))
    assert rows(song.notes) == [
        (DRUMS, 0, 0, 1),
        (PIANO, 0, 24, 8),
        (PIANO, 0, 28, 8),
        (DRUMS, 4, 0, 1),
        (DRUMS, 8, 0, 1),
    ]


# reading: guards


@pytest.mark.parametrize(
    ("data", "options", "why"),
    [
        (midi(b""), {}, "no-notes"),
        (midi(program(120) + note(60, 480)), {}, "no-notes"),
        (midi(note(5, 480)), {}, "no-notes"),
        (midi(note(60, 480))[:-6], {}, "unreadable"),
        (midi(tempo(0) + note(60, 480)), {}, "tempo"),
        (midi(note(60, 480) * 3), {"limits": MusicLimits(notes=2)}, "too-many-notes"),
        (midi(note(60, 480) * 3), {"limits": MusicLimits(beats=2)}, "too-long"),
        (midi(note(60, 480) * 3), {"limits": MusicLimits(cells=35)}, "too-dense"),
        (midi(note(60, 0x0FFFFFFF)), {}, "too-long"),
        (midi(note(60, 9_900_000), division=1), {}, "too-long"),
        (midi((number(0x0FFFFFFF) + b"\xb0\x01\x01") * 16 + note(60, 480)), {}, "too-long"),
        (midi(note(60, 480), number(0x0FFFFFFF) + signature(4, 2)[1:]), {}, "too-long"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(
    data: bytes, options: dict[str, object], why: str
):
    assert rejected(data, **options) == why


PARTED = number(0) + b"\xf0\x03\x7e\x01\xf7" + number(0) + b"\xf4" + number(480) + b"\xfd"


def test_notes_are_found_past_system_messages_and_running_status_survives_them():
    """C, then messages that make no sound, then D by running status, a beat later."""
    track = b"\x00\x90\x3c\x64" + number(480) + b"\x3c\x00" + PARTED
    track += b"\x00\x3e\x64" + number(480) + b"\x3e\x00"
    song = read_midi(midi(track), grid=QUARTER)
    assert rows(song.notes) == [(PIANO, 0, 12, 4), (PIANO, 8, 14, 4)]


def test_limits_are_what_is_still_allowed():
    limits = MusicLimits(notes=3, beats=3, cells=36)
    assert len(read_midi(midi(note(60, 480) * 3), limits=limits).notes) == 3


READ_ALL = (
    CODE
    + """
from core.data.sources import RejectedFile
from musegen.files.midi import read_midi
for path in sorted(Path(sys.argv[1]).rglob("*.mid")):
    try:
        print(path.name, len(read_midi(path).roll().cells) and "kept", sep=":")
    except RejectedFile as error:
        print(path.name, error.reason, sep=":")
print("MB", round(peak_mb()), sep=":")
"""
)


def read_all(folder: Path) -> dict[str, str]:
    """Read each file of a folder; return its result and the peak memory of the process."""
    command = [sys.executable, "-c", READ_ALL, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return dict(line.rsplit(":", 1) for line in done.stdout.splitlines())


def test_no_file_of_a_few_bytes_takes_much_memory(tmp_path: Path):
    bombs = {
        "delta": midi(note(60, 0x0FFFFFFF), division=480),
        "deltas": midi(note(60, 0x0FFFFFFF) * 8),
        "tpq1": midi(note(60, 9_900_000), division=1),
        "all-pitches": midi(
            b"".join(b"\x00\x90" + bytes([p, 1]) for p in range(128))
            + number(19_999)
            + b"".join(b"\x00\x80" + bytes([p, 1]) for p in range(128))[1:],
            division=1,
        ),
        "long": midi(note(60, 19_999), division=1),
        "events": midi(b"\x00\x90\x3c\x40" + b"\x00\x3c\x40" * 2_600_000),
        "signatures": midi(signature(4, 2, after=1) * 900_000 + note(60, 480)),
    }
    for title, data in bombs.items():
        (tmp_path / f"{title}.mid").write_bytes(data)
    ends = read_all(tmp_path)
    assert int(ends.pop("MB")) < 300
    assert ends == {
        "delta.mid": "too-long",
        "deltas.mid": "too-long",
        "tpq1.mid": "too-long",
        "all-pitches.mid": "too-dense",
        "long.mid": "kept",
        "events.mid": "too-many-notes",
        "signatures.mid": "kept",
    }


def test_odd_files_end_as_kept_or_with_a_reason(shared_data: Path):
    ends = read_all(shared_data / "music" / "odd")
    assert int(ends.pop("MB")) < 300
    assert len(ends) == 99
    expected = {
        "riff_rmid.mid": "kept",
        "junk_before_header.mid": "kept",
        "junk_after_tracks.mid": "kept",
        "unknown_chunk_between.mid": "kept",
        "header_says_2_has_1.mid": "kept",
        "no_end_of_track.mid": "kept",
        "simutrans-05-keysig-mode255.mid": "kept",
        "freedoom-program230-low.mid": "kept",
        "test-vlq-4-byte.mid": "kept",
        "huge_delta_x40.mid": "too-long",
        "tempo_zero.mid": "tempo",
        "type2_two_sequences.mid": "format",
        "smpte_division_25fps_40.mid": "kept",
        "not_midi_html.mid": "not-midi",
        "zero_bytes.mid": "empty-file",
        "header_only.mid": "no-notes",
    }
    assert {key: ends[key] for key in expected} == expected
    assert sum(end == "kept" for end in ends.values()) > 50


def placed(song: Song) -> list[tuple[int, ...]]:
    """Step, pitch and length of each note."""
    pitch = (song.notes.pitch + song.grid.lowest_pitch).tolist()
    return list(zip(song.notes.start.tolist(), pitch, song.notes.length.tolist(), strict=True))


FRAMES_25, TICKS_40 = 256 - 25 << 8, 40


def test_times_in_frames_are_beats_at_120_a_minute_where_no_tempo_says_where_they_are():
    """25 frames of 40 ticks a second: a tick is a millisecond, and a beat half a second."""
    file = midi(note(60, 500) + note(62, 250, after=500), division=FRAMES_25 | TICKS_40)
    song = read_midi(file, grid=QUARTER)
    assert placed(song) == [(0, 60, 4), (8, 62, 2)]
    assert (song.tempo_bpm == 120).all() and not song.counting.has_beats
    assert "beats are taken at 120 a minute" in song.remarks[-1]
    played = read_performance(file)
    assert played.start.tolist() == [0, 1] and played.seconds.tolist() == [0.5, 0.25]


def test_times_in_frames_are_in_the_beats_of_their_tempi():
    """A beat a second for two seconds, then four a second; NTSC has 30000 frames in 1001 s."""
    whole = tempo(1_000_000) + tempo(250_000, after=2000) + note(60, 250, after=1000)
    song = read_midi(midi(whole, division=FRAMES_25 | TICKS_40), grid=QUARTER)
    assert placed(song) == [(4 * 6, 60, 4)]
    assert song.tempo_bpm == pytest.approx([240 / 2.5, 240]) and song.counting.has_beats
    assert not song.remarks
    ntsc = midi(tempo(500_000) + note(60, 30_000, after=30_000), division=256 - 29 << 8 | 100)
    played = read_performance(ntsc)
    assert [*played.start, *played.seconds] == pytest.approx([10.01, 10.01], abs=1e-4)


@given(st.data())
@settings(max_examples=300)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(data: st.DataObject):
    whole = midi(
        name("x") + tempo(500_000) + signature(3, 2) + signature(4, 2, after=1440),
        program(30) + note(60, 480) + note(61, 20_000, after=300, channel=10),
    )
    place = st.integers(0, len(whole) - 1)
    changes = data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=6))
    damaged = bytearray(whole[: data.draw(st.integers(len(whole) // 2, len(whole)))])
    for at, value in changes:
        damaged[min(at, len(damaged) - 1)] = value
    try:
        song = read_midi(bytes(damaged), (*LAKH[:2], Track(name="Two", channel=2)))
    except RejectedFile as error:
        assert error.reason and error.detail
    else:
        assert len(song.notes) >= 1
        assert song.roll().cells.any()


# writing


def test_a_written_file_has_names_programs_channels_tempi_and_its_metre(tmp_path: Path):
    grid = Grid(steps_per_beat=4, beats_per_bar=3)
    played_notes = notes((0, 1, 12, 1), (1, 0, 36, 2), (1, 11, 40, 4), (4, 23, 60, 1))
    cells = fill(played_notes, tracks=5, bars=2, grid=grid)
    path = written(Roll.of_cells(cells, LAKH, grid, np.array([60.0, 90.0])), tmp_path)
    read = pretty_midi.PrettyMIDI(str(path))
    assert [(i.name, i.program, i.is_drum) for i in read.instruments if i.notes] == [
        ("Drums", 0, True),
        ("Piano", 0, False),
        ("Strings", 48, False),
    ]
    times, bpm = read.get_tempo_changes()
    np.testing.assert_allclose(times, [0, 3], atol=1e-5)
    np.testing.assert_allclose(bpm, [60, 90], rtol=2e-6)
    first = read.time_signature_changes[0]
    assert (first.numerator, first.denominator, first.time) == (3, 4, 0)
    # the second piano note: steps 11 to 12 at 1/4 s, 12 to 15 at 1/6 s
    piano = [(n.start, n.end, n.pitch) for n in read.instruments[1].notes]
    np.testing.assert_allclose(piano, [(0, 0.5, 60), (2.75, 3.5, 64)], atol=1e-5)
    assert b"\x99" in path.read_bytes()


def test_a_written_file_says_its_title_origin_key_and_sections_to_other_readers(tmp_path: Path):
    """Six bars of F# minor at two tempi, in a form of three sections of two bars."""
    chord = [(1, 0, pitch, 288) for pitch in (66 - 24, 69 - 24, 73 - 24)]
    tempo = np.array([90.0, 90.0, 90.0, 120.0, 120.0, 120.0])
    roll = Roll.of(notes(*chord), LAKH, Grid(), tempo, "Übung 1")
    roll = replace(roll, form="ABA", origin="made by hand: ♯")
    path = written(roll, tmp_path)
    read = pretty_midi.PrettyMIDI(str(path), charset="utf-8")
    assert [(k.key_number, k.time) for k in read.key_signature_changes] == [(12 + 6, 0.0)]
    assert [(t.text, t.time) for t in read.text_events] == [("made by hand: ♯", 0.0)]
    assert [part.name for part in read.instruments] == ["Piano"]
    conductor = mido.MidiFile(path, charset="utf-8").tracks[0]
    at = np.cumsum([event.time for event in conductor]).tolist()
    events = [(tick, event) for tick, event in zip(at, conductor, strict=True)]
    assert [(t, e.name) for t, e in events if e.type == "track_name"] == [(0, "Übung 1")]
    assert [(t, e.key) for t, e in events if e.type == "key_signature"] == [(0, "F#m")]
    markers = [(t, e.text) for t, e in events if e.type == "marker"]
    assert markers == [(0, "A"), (2 * 1920, "B"), (4 * 1920, "A")]
    tempi = [(t, e.tempo) for t, e in events if e.type == "set_tempo"]
    assert tempi == [(0, 666_667), (3 * 1920, 500_000)]
    assert [t for t, e in events if e.type == "time_signature"] == [0]
    assert [t for t, e in events if e.type == "end_of_track"] == [6 * 1920]
    assert (read_midi(path).roll().cells == roll.cells).all()
    assert origin_of(path) == "made by hand: ♯"
    chosen = pretty_midi.PrettyMIDI(str(written(replace(roll, key="C# minor"), tmp_path)))
    assert [key.key_number for key in chosen.key_signature_changes] == [12 + 1]


def test_a_roll_without_a_form_has_no_markers(tmp_path: Path):
    """A bass line of four bars, another, and the first again: whoever repeats names no form."""
    first = [(3, 48 * bar + 12 * beat, 4 + beat, 6) for bar in range(4) for beat in range(4)]
    line = [(t, s + 48 * 8 * repeat, p, n) for t, s, p, n in first for repeat in (0, 1)]
    line += [(3, 48 * 4 + 24 * half, 30 + half, 6) for half in range(8)]
    path = written(Roll.of(notes(*line), LAKH, Grid(), np.full(12, 100.0)), tmp_path)
    conductor = mido.MidiFile(path).tracks[0]
    said = {event.type for event in conductor}
    own = {"sequencer_specific", "end_of_track"}  # where it ends
    assert said == {"set_tempo", "time_signature", "key_signature", *own}


def test_all_tracks_end_on_the_bar_line_where_the_roll_does(tmp_path: Path):
    """A note up to the end, one before it, and three tracks without any."""
    played = notes((1, 0, 12, 96), (3, 0, 12, 12))
    path = written(Roll.of(played, LAKH, Grid(), np.array([100.0, 100.0])), tmp_path)
    ends = [sum(event.time for event in track) for track in mido.MidiFile(path).tracks]
    assert ends == 6 * [2 * 1920]


def test_chosen_tracks_are_written_with_what_is_said_of_all(tmp_path: Path):
    """The bass alone is in C major too; the piano says that it is C minor."""
    played = notes(
        (1, 0, 63 - 24, 48), (1, 0, 60 - 24, 48), (3, 0, 36 - 24, 48), (3, 0, 43 - 24, 9)
    )
    roll = Roll.of(played, LAKH, Grid(), np.array([100.0]), "song")
    stream = io.BytesIO()
    write_midi(roll, stream, [3])
    read = pretty_midi.PrettyMIDI(io.BytesIO(stream.getvalue()))
    assert [part.name for part in read.instruments] == ["Bass"]
    assert sorted(note.pitch for note in read.instruments[0].notes) == [36, 43]
    assert [k.key_number for k in read.key_signature_changes] == [12]
    assert read.get_end_time() == pytest.approx(4 * 60 / 100)


@pytest.mark.parametrize("number", [-1, 5])
def test_a_track_that_there_is_not_is_not_written(number: int):
    roll = Roll.of(notes((4, 0, 39, 4)), LAKH, Grid(), np.array([100.0]))
    with pytest.raises(ConfigError, match=r"a track (is 0 to 4|must be at least 0), not"):
        write_midi(roll, io.BytesIO(), [number])


def test_long_texts_are_written_whole(tmp_path: Path):
    """Lengths of 1, 2 and 3 bytes: 127, 128 and 16,384 letters."""
    for letters in (127, 128, 16_384):
        roll = Roll.of(notes((1, 0, 9, 4)), LAKH, Grid(), np.array([100.0]), "n" * letters)
        path = written(replace(roll, origin="o" * letters), tmp_path)
        conductor = mido.MidiFile(path).tracks[0]
        assert [e.name for e in conductor if e.type == "track_name"] == ["n" * letters]
        assert origin_of(path) == "o" * letters
        assert rows(read_midi(path).notes) == [(1, 0, 9, 4)]


def test_a_file_that_says_nothing_of_its_origin(tmp_path: Path):
    (tmp_path / "other.mid").write_bytes(midi(name("tune"), note(60, 480)))
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    assert origin_of(tmp_path / "other.mid") == origin_of(tmp_path / "broken.mid") == ""


def test_names_of_all_alphabets_are_written(tmp_path: Path):
    tracks = (Track(name="ピアノ", name_pattern="ピアノ"), Track(name="Geige ä", rest=True))
    cells = fill(notes((0, 0, 3, 1), (1, 5, 4, 1)), 2, 1, Grid())
    path = written(Roll.of_cells(cells, tracks, Grid(), np.array([100.0])), tmp_path)
    assert [t.name for t in parsed(path.read_bytes()).tracks] == ["ピアノ", "Geige ä"]
    assert (read_midi(path, tracks).roll().cells == cells).all()


@pytest.mark.parametrize("tempo", [3.0, 0.0, -9.0, 1e9, np.inf, np.nan])
def test_a_tempo_that_midi_cannot_hold_is_refused(tmp_path: Path, tempo: float):
    cells = fill(notes((0, 0, 0, 1)), 5, 1, Grid())
    roll = Roll.of_cells(cells, LAKH, Grid(), np.array([tempo]))
    with pytest.raises(ConfigError, match=r"a tempo (is from 4 to|must be)"):
        write_midi(roll, tmp_path / "wrong.mid")
    assert not list(tmp_path.iterdir())


def test_a_silent_roll_is_written_and_has_no_notes_to_read(tmp_path: Path):
    cells = np.zeros((5, 2, 48, 84), np.uint8)
    path = written(Roll.of_cells(cells, LAKH, Grid(), np.full(2, 99.0)), tmp_path)
    assert rejected(path.read_bytes()) == "no-notes"
    assert path.read_bytes().count(b"Bass") == 1


PLAYERS = tuple(
    Track(name=f"Part {n}", program=9 * n, name_pattern=f"^Part {n}$") for n in range(6)
)
BAND = (Track(name="Drums", is_drum=True), *PLAYERS)


Example = tuple[Grid, int, list[tuple[int, ...]], list[float]]


beat_units = st.sampled_from([2, 4, 8])


@st.composite
def rolls(draw: st.DrawFn) -> Example:
    """Grid, number of tracks, notes and the tempo of each bar.

    All of odd sizes, with repeated notes that touch and notes held over bar lines.
    """
    steps = draw(st.sampled_from([1, 4, 5, 7, 12, 24]))
    beats, tracks, bars = draw(st.integers(1, 5)), draw(st.integers(1, 7)), draw(st.integers(1, 4))
    low = draw(st.integers(0, 100))
    pitches = draw(st.integers(1, 128 - low))
    sizes = {"steps_per_beat": steps, "beats_per_bar": beats, "beat_unit": draw(beat_units)}
    grid = Grid.model_validate({**sizes, "lowest_pitch": low, "pitches": pitches})
    last = bars * grid.steps_per_bar - 1
    row = st.tuples(
        st.integers(0, tracks - 1),
        st.integers(0, last),
        st.integers(0, min(pitches, 3) - 1),
        st.integers(1, last + 1),
    )
    row_list = draw(st.lists(row, min_size=1, max_size=30))
    cut = [(t, s, p, 1 if BAND[t].is_drum else min(n, last + 1 - s)) for t, s, p, n in row_list]
    tempi = draw(st.lists(st.floats(20, 300), min_size=bars, max_size=bars))
    return grid, tracks, cut, tempi


ODD = Grid(steps_per_beat=12, beats_per_bar=3, lowest_pitch=0, pitches=128)


@given(rolls())
@example((ODD, 1, [(0, 40, 0, 1)], [97.3] * 5))
@settings(max_examples=150, deadline=None)
def test_a_roll_survives_the_way_to_a_file_and_back(example: Example):
    grid, tracks, played, tempi = example
    cells = fill(separate(notes(*played), grid), tracks, len(tempi), grid)
    roll = Roll.of_cells(cells, BAND[:tracks], grid, np.array(tempi))
    stream = io.BytesIO()
    write_midi(roll, stream)
    song = read_midi(stream.getvalue(), roll.tracks, roll.grid)
    reread = song.roll()
    assert reread.cells.shape == roll.cells.shape
    assert (reread.cells == roll.cells).all()
    np.testing.assert_allclose(reread.tempo_bpm, roll.tempo_bpm, rtol=3e-6)
    assert song.stretches == ((0, roll.bars),)
    second = io.BytesIO()
    write_midi(reread, second)
    assert second.getvalue() == stream.getvalue()


def test_a_written_file_holds_the_velocity_of_each_note():
    played = notes((1, 0, 3, 2, 9), (1, 2, 3, 2, 127), (0, 1, 12, 1, 64), (3, 0, 5, 4, 1))
    stream = io.BytesIO()
    write_midi(Roll.of(played, LAKH, Grid(), np.array([90.0])), stream)
    loud = {
        (track.name, note.pitch, note.time // 40): note.velocity
        for track in parsed(stream.getvalue()).tracks
        for note in track.notes
    }
    assert loud == {
        ("Piano", 27, 0): 9,
        ("Piano", 27, 2): 127,
        ("Drums", 36, 1): 64,
        ("Bass", 29, 0): 1,
    }
    reread = read_midi(stream.getvalue())
    assert reread.notes.velocity.tolist() == [9, 1, 64, 127]
    assert reread.roll().notes.velocity.tolist() == [9, 1, 64, 127]
    assert Song.of(reread.roll()).notes.velocity.tolist() == [9, 1, 64, 127]


@pytest.mark.parametrize(
    "drums", [{0}, {19}, {0, 7}, {0, 5, 9}], ids=lambda numbers: f"drums {sorted(numbers)}"
)
def test_twenty_programs_are_written_on_ports_and_read_back(drums: set[int]):
    tracks = tuple(
        Track(name=f"T{n}", program=4 * n, is_drum=n in drums, name_pattern=f"^T{n}$")
        for n in range(20)
    )
    played = notes(*((n, n % 7, 20 + n, 1, 30 + n) for n in range(20)))
    stream = io.BytesIO()
    write_midi(Roll.of(played.ordered(), tracks, Grid(), np.array([90.0])), stream)
    song = read_midi(stream.getvalue(), tracks)
    assert rows(song.notes) == rows(played.ordered())
    events = scan(stream.getvalue())
    _, parts = parts_of(events, keys_of(events)[0])
    assert [(p.name, p.program) for p in parts if not p.is_drum] == [
        (t.name, t.program) for t in tracks if not t.is_drum
    ]
    assert len({(p.port, p.channel) for p in parts if not p.is_drum}) == 20 - len(drums)


def test_fifteen_tracks_need_no_port():
    tracks = tuple(Track(name=str(n), rest=True) for n in range(15))
    stream = io.BytesIO()
    write_midi(Roll.of(notes((14, 0, 3, 1)), tracks, Grid(), np.array([90.0])), stream)
    assert not len(scan(stream.getvalue()).metas(0x21))


def on_grid(score: symusic.core.ScoreTick) -> set[tuple[str, int, int, int]]:
    """(track, start, pitch, length) of each note in ticks of 480 a beat; drums have no length."""
    unit = 480 // score.ticks_per_quarter
    return {
        (t.name, n.time * unit, n.pitch, 0 if t.is_drum else n.duration * unit)
        for t in score.tracks
        for n in t.notes
    }


@given(
    st.sampled_from([4, 12, 24]),
    st.sampled_from([24, 48, 96, 120, 240, 480]),
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 95), st.integers(0, 83), st.integers(1, 40)),
        min_size=1,
        max_size=30,
    ),
)
@settings(max_examples=100, deadline=None)
def test_a_file_keeps_every_note_that_is_on_the_grid(
    steps_per_beat: int, division: int, given_notes: list[tuple[int, int, int, int]]
):
    grid = Grid(steps_per_beat=steps_per_beat)
    apart = separate(notes(*given_notes), grid)
    step = division // steps_per_beat
    tracks = [b""] * 7
    for number_of, track in enumerate(BAND):
        channel = 10 if track.is_drum else 1 + number_of
        mine = [row for row in rows(apart) if row[0] == number_of]
        on = [(s * step, 1, p) for _, s, p, _ in mine]
        off = [((s + n) * step, 0, p) for _, s, p, n in mine]
        at, body = 0, name(track.name) + program(track.program, channel)
        for tick, is_on, pitch in sorted(on + off):
            status = (0x90 if is_on else 0x80) + channel - 1
            body += number(tick - at) + bytes([status, 24 + pitch, 77])
            at = tick
        tracks[number_of] = body
    source = midi(*tracks, division=division)
    stream = io.BytesIO()
    write_midi(read_midi(source, BAND, grid).roll(), stream)
    assert on_grid(parsed(stream.getvalue())) == on_grid(parsed(source))


def test_a_roll_is_a_song_of_one_stretch():
    cells = fill(notes((1, 3, 2, 4)), 5, 3, Grid())
    song = Song.of(Roll.of_cells(cells, LAKH, Grid(), np.full(3, 90.0), "mine"), "yours")
    assert (song.bars, song.stretches, song.name) == (3, ((0, 3),), "yours")
    assert rows(song.notes) == [(1, 3, 2, 4)]
    assert (song.roll().cells == cells).all()


# real songs


@pytest.mark.parametrize("folder", ["easyrpg", "blasphemer"])
def test_real_songs_survive_the_way_to_files_and_back(
    shared_data: Path, folder: str, tmp_path: Path
):
    count = 0
    for path in sorted((shared_data / "music" / folder / "midi").glob("*.mid"))[:12]:
        try:
            roll = read_midi(path).roll()
        except RejectedFile:
            continue
        reread = read_midi(written(roll, tmp_path)).roll()
        assert reread.cells.shape == roll.cells.shape, path.name
        assert (reread.cells == roll.cells).all(), path.name
        loud, reread_loud = (r.notes.velocity.tolist() for r in (roll, reread))
        assert reread_loud == loud, path.name
        np.testing.assert_allclose(reread.tempo_bpm, roll.tempo_bpm, rtol=3e-6)
        count += 1
    assert count >= 8


def share(song: Song) -> list[float]:
    return (np.bincount(song.notes.track, minlength=len(song.tracks)) / len(song.notes)).tolist()


def test_chorales_are_four_voices(shared_data: Path):
    path = shared_data / "music" / "chorales" / "midi" / "test" / "000.mid"
    song = read_midi(path, VOICES, Grid(steps_per_beat=4))
    assert song.left_out.notes == 0
    assert all(voice > 0.15 for voice in share(song))
    by_voice = [song.notes.pitch[song.notes.track == n].mean() for n in range(4)]
    assert by_voice == sorted(by_voice, reverse=True)


def test_quartets_are_four_parts_in_any_metre(shared_data: Path):
    path = sorted((shared_data / "music" / "quartets" / "midi").glob("*.mid"))[3]
    song = read_midi(path, QUARTET, meter="any")
    assert song.left_out.notes == 0
    assert all(part > 0.1 for part in share(song))
    assert len(read_midi(path, QUARTET).stretches) > 1


def test_pop909_has_tracks_by_name(shared_data: Path, tmp_path: Path):
    (tmp_path / "pop.yaml").write_text(
        "tracks: [{name: Melody, name_pattern: melody}, {name: Bridge, name_pattern: bridge},"
        " {name: Piano, rest: true}]"
    )
    path = shared_data / "music" / "pop909" / "midi" / "001.mid"
    song = read_midi(path, track_list(str(tmp_path / "pop.yaml")), meter="any")
    assert song.left_out.notes == 0
    assert all(part > 0.02 for part in share(song))
