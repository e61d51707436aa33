"""Metres of a file: which bars are kept, how they are counted, and pickups."""

import numpy as np
import pytest
from handmade import meta, midi, note, number, signature, tempo
from note_rows import rows

from core.data.sources import RejectedFile
from musegen.files.midi import read_midi
from musegen.reading.song import Song
from musegen.roll import Grid

PIANO = 1
QUARTER = Grid(steps_per_beat=4, lowest_pitch=48, pitches=24)


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
    for changes in (signature(3, 2) + note(60, 4800), signature(4, 7) + note(60, 480)):
        with pytest.raises(RejectedFile, match="time-signature"):
            read_midi(midi(changes))
