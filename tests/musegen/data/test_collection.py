"""Phrases as cells: a collection gives the notes that its files hold."""

from pathlib import Path

import numpy as np
import pytest
from handmade import midi, note, number, program, tempo
from note_rows import rows
from tunes import FOUR_BARS, write_tunes

from core.data.store import write_index
from core.errors import UserError
from musegen.data.collection import Collection, cut_at_bars
from musegen.data.preparation import prepare
from musegen.data.records import PrepareConfig
from musegen.files.midi import read_midi, write_midi
from musegen.roll import HOLD, ONSET, Grid, Notes, Roll, notes_of

PIANO, GUITAR, BASS = 1, 2, 3


def prepared(folder: Path, *songs: bytes, **settings: object) -> Collection:
    """A collection of these files, phrases of two bars of one track or more."""
    (folder / "songs").mkdir(parents=True)
    for at, song in enumerate(songs):
        (folder / "songs" / f"{at}.mid").write_bytes(song)
    config = PrepareConfig.model_validate({"bars": 2, "min_tracks": 1, **settings})
    prepare([str(folder / "songs")], folder / "data", config, jobs=0)
    return Collection.open(folder / "data")


@pytest.fixture(scope="module")
def tunes(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("tunes")
    prepare([str(write_tunes(folder / "songs", 8))], folder / "data", FOUR_BARS, jobs=0)
    return Collection.open(folder / "data")


def test_notes_are_cut_at_bars():
    """On 4 steps a bar: a note of 6 steps from step 3, and one of step 9."""
    grid = Grid(steps_per_beat=1)
    notes = Notes(*(np.array(c) for c in ([0, 1], [3, 9], [7, 5], [6, 1], [90, 80])))
    columns = cut_at_bars(notes, 4, grid)
    assert columns["notes_in_bar"].tolist() == [1, 1, 2, 0]
    assert columns["step"].tolist() == [3, 0, 0, 1]
    assert columns["length"].tolist() == [1, 4, 1, 1]
    assert columns["held"].tolist() == [False, True, True, False]
    assert columns["velocity"].tolist() == [90, 90, 90, 80]
    assert columns["pitch"].tolist() == [7, 7, 7, 5]
    assert columns["track"].tolist() == [0, 0, 0, 1]


def test_the_tempo_of_a_song_is_the_median_of_its_bars(tmp_path: Path):
    """Bars of 100; of 60, 60 and 240; of 50, 150, 150 and 75 bpm: 100, 60 and 112.5."""
    songs = []
    for nth, bpm in enumerate(([100] * 5, [60, 60, 240], [50, 150, 150, 75])):
        conductor = b"".join(
            tempo(round(6e7 / one), after=1920 * (bar > 0)) for bar, one in enumerate(bpm)
        )
        piano = b"".join(note(50 + 7 * nth + n % 5, 480) for n in range(4 * len(bpm)))
        songs.append(midi(conductor, piano))
    data = prepared(tmp_path, *songs, test_share=0.0)
    found = dict(zip((song.source for song in data.songs), data.tempi_bpm("train"), strict=True))
    by_number = [found[name] for name in sorted(found)]
    np.testing.assert_allclose(by_number, [100, 60, 112.5], rtol=1e-5)


def test_a_phrase_by_hand(tmp_path: Path):
    """Piano C4 from the third beat for three beats, then E4 twice a beat; 3 bars, 2 a phrase."""
    notes = note(60, 3 * 480, after=2 * 480) + 6 * note(64, 240) + note(64, 960, after=480)
    data = prepared(tmp_path, midi(notes), grid={"steps_per_beat": 2})
    assert data.store.whole["first_bar"].tolist() == [0, 1]
    first, second = data.rolls(np.array([0, 1]))[:, PIANO].reshape(2, 16, 84)
    assert first[:, 60 - 24].tolist() == 4 * [0] + [ONSET] + 5 * [HOLD] + 6 * [0]
    assert first[:, 64 - 24].tolist() == 10 * [0] + 6 * [ONSET]
    assert second[:, 60 - 24].tolist() == [ONSET, HOLD] + 14 * [0], (
        "a note that is held in gets an onset"
    )
    assert second[:, 64 - 24].tolist() == [0, 0] + 6 * [ONSET] + 2 * [0] + [ONSET] + 3 * [
        HOLD
    ] + 2 * [0]


def test_every_phrase_is_its_window_of_the_song(tunes: Collection):
    songs, bars = (tunes.store.whole[name].tolist() for name in ("song", "first_bar"))
    phrases = tunes.rolls(np.arange(len(songs)))
    for nth, bar, cells in zip(songs, bars, phrases, strict=True):
        song = read_midi(Path(tunes.songs[nth].source)).roll().cells
        window = song[:, bar : bar + 4].copy()
        window[:, 0, 0][window[:, 0, 0] == HOLD] = ONSET
        assert np.array_equal(cells, window)


def with_velocity(notes: Notes) -> list[tuple[int, ...]]:
    return [(*row, v) for row, v in zip(rows(notes), notes.velocity.tolist(), strict=True)]


def test_velocities_survive_from_a_file_to_a_collection_and_to_a_file(tmp_path: Path):
    """Drums, and a piano whose notes of velocity 31 and 127 cross bar lines; phrases of 2 bars."""
    drums = note(36, 240, channel=10, velocity=1) + note(
        38, 240, after=240, channel=10, velocity=77
    )
    piano = program(0) + note(64, 2400, after=960, velocity=31) + note(64, 480, velocity=5)
    piano += note(72, 3360, after=480, velocity=127)
    data = prepared(tmp_path, midi(drums, piano), grid={"steps_per_beat": 2})
    first, second = data.notes(np.array([0, 1]))
    assert with_velocity(first) == [
        (0, 0, 12, 1, 1), (0, 2, 14, 1, 77), (1, 4, 40, 10, 31), (1, 14, 40, 2, 5),
    ]  # fmt: skip
    assert with_velocity(second) == [
        (1, 0, 40, 6, 31), (1, 6, 40, 2, 5), (1, 10, 48, 6, 127),
    ]  # fmt: skip
    roll = Roll.of(second, data.tracks, data.grid, np.full(2, 90.0))
    assert np.array_equal(roll.cells, data.rolls(np.array([1]))[0])
    write_midi(roll, tmp_path / "again.mid")
    reread = read_midi(tmp_path / "again.mid", data.tracks, data.grid)
    assert with_velocity(reread.notes) == with_velocity(second)


def test_the_notes_of_phrases_are_those_of_their_cells(tunes: Collection):
    indices, transpose = np.array([7, 0, 3]), np.array([0, 5, -2])
    cells = tunes.rolls(indices, transpose)
    for notes, phrase in zip(tunes.notes(indices, transpose), cells, strict=True):
        assert rows(notes) == rows(notes_of(phrase))
    assert tunes.notes(np.array([], dtype=int)) == []


def test_phrases_come_in_the_order_asked(tunes: Collection):
    together = tunes.rolls(np.array([5, 0, 5]))
    assert np.array_equal(together[0], together[2])
    assert np.array_equal(together[1], tunes.rolls(np.array([0]))[0])
    assert tunes.rolls(np.array([], dtype=int)).shape == (0, 5, 4, 48, 84)


def test_a_transposition_shifts_pitches_and_nothing_else(tunes: Collection):
    indices = np.array([3, 3, 9])
    plain, transposed = tunes.rolls(indices), tunes.rolls(indices, np.array([2, -5, 0]))
    assert np.array_equal(transposed[0][..., 2:], plain[0][..., :-2])
    assert np.array_equal(transposed[1][..., :-5], plain[1][..., 5:])
    assert np.array_equal(transposed[2], plain[2])


def test_drums_stay_and_a_transposition_ends_at_the_range(tmp_path: Path):
    """The highest of 84 pitches from C1 is 107; a piano up to 105 can go up by 2, not by 6."""
    drums = note(36, 480, channel=10) + note(107, 480, channel=10)
    piano = program(0) + note(105, 960) + note(30, 960)
    data = prepared(tmp_path, midi(drums, piano + note(60, 480)))
    plain, up, down = data.rolls(np.zeros(3, int), np.array([0, 6, -9]))
    assert np.array_equal(up[0], plain[0])
    assert plain[0].any()
    assert sorted(set(np.nonzero(up[PIANO])[2] + 24)) == [32, 62, 107]
    assert sorted(set(np.nonzero(down[PIANO])[2] + 24)) == [24, 54, 99]
    assert [(roll > 0).sum() for roll in (plain, up, down)] == 3 * [(plain > 0).sum()]


def test_a_batch_depends_on_its_number_and_the_seed_alone(tunes: Collection):
    reopened = Collection.open(tunes.store.folder)
    reopened.batch(3, 5, seed=1)
    first = tunes.batch(7, 16, seed=1)
    assert first.shape == (16, 5, 4, 48, 84)
    assert first.dtype == np.uint8
    assert np.array_equal(reopened.batch(7, 16, seed=1), first)
    assert not np.array_equal(tunes.batch(8, 16, seed=1), first)
    assert not np.array_equal(tunes.batch(7, 16, seed=2), first)


def test_a_batch_is_of_its_split(tunes: Collection):
    of_test = {cells.tobytes() for cells in tunes.rolls(tunes.indices("test"))}
    batch = tunes.batch(0, 64, seed=0, split="test", transpose_semitones=0)
    assert {cells.tobytes() for cells in batch} == of_test, "all three phrases of the one song"
    of_train = tunes.batch(0, 64, seed=0, transpose_semitones=0)
    assert not {cells.tobytes() for cells in of_train} & of_test


def test_a_batch_is_transposed_by_up_to_the_given_semitones(tunes: Collection):
    """Each phrase of a batch is a phrase transposed by -1, 0 or 1; all three occur."""
    plain = {cells.tobytes() for cells in tunes.rolls(tunes.indices("train"))}
    moves = [
        {move for move in range(-3, 4) if np.roll(cells, -move, axis=-1).tobytes() in plain}
        for cells in tunes.batch(0, 40, seed=0, transpose_semitones=1)
    ]
    assert all(len(move) == 1 for move in moves)
    assert set().union(*moves) == {-1, 0, 1}


def test_a_song_knows_its_source_split_and_cluster(tunes: Collection):
    songs = {song.name: song for song in tunes.songs}
    assert sorted(songs) == [f"{n:03}" for n in range(8)]
    assert [song.split for song in tunes.songs].count("test") == 1
    assert len({song.cluster for song in tunes.songs}) == 8
    for split in ("train", "test"):
        numbers = tunes.store.whole["song"][tunes.indices(split)].tolist()
        assert {tunes.songs[nth].split for nth in numbers} == {split}
    assert songs["003"].source.endswith("003.mid")
    assert songs["003"].bars == 6


def test_other_data_is_refused(tmp_path: Path):
    write_index(tmp_path, 0, {"domain": "video"}, {})
    with pytest.raises(UserError, match="no prepared music"):
        Collection.open(tmp_path)


def test_a_phrase_never_crosses_a_change_of_metre(tmp_path: Path):
    """Four bars of 4/4, two of 3/4, five of 4/4: 3 and 4 phrases of two bars, none between."""
    metres = b"".join(
        number(480 * beats) + b"\xff\x58\x04" + bytes([n, 2, 24, 8])
        for beats, n in ((0, 4), (16, 3), (6, 4))
    )
    data = prepared(tmp_path, midi(metres, 42 * note(60, 480)))
    assert data.store.whole["first_bar"].tolist() == [0, 1, 2, 4, 5, 6, 7]


def test_notes_of_an_excerpt_are_whole_and_begin_and_end_with_it(tmp_path: Path):
    """C4 from the third beat over two bar lines for eight beats, then C4 and E4; 4 bars in all."""
    notes = note(60, 8 * 480, after=2 * 480) + note(60, 960) + note(64, 960, after=480)
    data = prepared(tmp_path, midi(notes), grid={"steps_per_beat": 2})

    def columns(phrases: list[int], bars: int) -> list[tuple[int, ...]]:
        excerpt, found = data.excerpts(np.array(phrases), bars)
        rows = (excerpt, found.track, found.start, found.pitch + 24, found.length)
        return list(zip(*(row.tolist() for row in rows), strict=True))

    assert columns([0], 4) == [(0, 1, 4, 60, 16), (0, 1, 20, 60, 4), (0, 1, 26, 64, 4)]
    inside, cut = columns([2, 0], 2)[:3], columns([2, 0], 2)[3:]
    assert inside == [(0, 1, 0, 60, 4), (0, 1, 4, 60, 4), (0, 1, 10, 64, 4)], "held into it"
    assert cut == [(1, 1, 4, 60, 12)], "held beyond it"
    assert data.stretches("train") == [(0, 4)]
    assert data.beginnings(2, "train").tolist() == [0, 2]
    assert data.beginnings(3, "train").tolist() == [0]
    assert data.beginnings(5, "train").tolist() == []
