"""Preparing: every file is kept or rejected with a reason, and a stopped command goes on."""

import io
import json
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from command import REPOSITORY
from handmade import END, meta, midi, name, note, program, signature
from peak import CODE
from tunes import FOUR_BARS, tune, write_tunes

from core.data.preparation import Part
from core.data.workers import Failure
from core.errors import ConfigError, UserError
from core.files import locked
from musegen.data.collection import Collection
from musegen.data.preparation import Summary, play_song, prepare, prepare_band, prepare_part
from musegen.data.records import PrepareConfig
from musegen.drafts.source import Source
from musegen.files.midi import read_performance
from musegen.roll import Grid
from musegen.smf.chunks import MIDI
from musegen.tracks import LAKH, TRACK_LISTS


@pytest.fixture(scope="module")
def quick_preparations() -> None:
    """Draw the pictures of collections, whatever is in them."""


def rejects(folder: Path) -> dict[str, str]:
    """The reason for each file by its name without folders."""
    lines = (folder / "rejects.jsonl").read_text().splitlines()
    return {Path(r["path"]).name: r["reason"] for r in map(json.loads, lines)}


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_file_is_kept_or_rejected_with_a_reason(tmp_path: Path):
    songs = write_tunes(tmp_path / "songs", 5)
    (songs / "broken.mid").write_bytes(tune(7)[:100])
    (songs / "copy.mid").write_bytes(tune(2))
    (songs / "duet.mid").write_bytes(tune(8, parts=2))
    (songs / "empty.mid").touch()
    (songs / "short.mid").write_bytes(tune(9, bars=3))
    (songs / "notes.txt").touch()
    summary = prepare([str(songs)], tmp_path / "data", FOUR_BARS)
    assert rejects(tmp_path / "data") == {
        "broken.mid": "unreadable",
        "copy.mid": "duplicate",
        "duet.mid": "no-phrase",
        "empty.mid": "empty-file",
        "short.mid": "no-phrase",
    }
    data = Collection.open(tmp_path / "data")
    assert [song.name for song in data.songs] == [f"00{n}" for n in range(5)]
    assert summary == Summary(
        folder=tmp_path / "data",
        sources=10,
        kept=5,
        pieces={"train": 12, "test": 3},  # of 6 bars each song has 3 phrases of 4
        rejects=Counter({"no-phrase": 2, "unreadable": 1, "duplicate": 1, "empty-file": 1}),
        skipped=Counter({".txt": 1}),
        cures=Counter(
            {
                "only 2 tracks sound: --min-tracks 2": 1,
                "only 3 successive bars in the metre: --bars 3": 1,
            }
        ),
        test_share=0.15,
    )
    lines = (tmp_path / "data" / "summary.txt").read_text().splitlines()
    assert lines == summary.lines
    assert lines[:2] == ["10 files: 5 kept, 5 rejected", "       2 no-phrase"]
    assert lines[-2] == "12 phrases to train on, 3 held out"
    assert lines[-1].startswith("few phrases")
    assert "--hop" not in lines[-1], "phrases begin at each bar already"


def test_the_settings_define_a_phrase(tmp_path: Path):
    songs = write_tunes(tmp_path / "songs", 2, bars=9)
    config = PrepareConfig(bars=3, hop=2, min_tracks=1, tracks=TRACK_LISTS["voices"])
    summary = prepare([str(songs)], tmp_path / "data", config, jobs=0)
    assert summary.pieces == {"train": 4, "test": 4}, "from bars 0, 2, 4 and 6"
    data = Collection.open(tmp_path / "data")
    assert data.batch(0, 2, seed=0).shape == (2, 4, 3, 48, 84)


def test_no_more_tracks_are_needed_than_there_are(tmp_path: Path):
    songs = write_tunes(tmp_path / "songs", 1)
    drums_and_rest = (TRACK_LISTS["lakh"][0], TRACK_LISTS["lakh"][1])
    config = PrepareConfig(bars=4, tracks=drums_and_rest)
    assert config.tracks_needed == 2
    with pytest.raises(UserError, match="1 no-phrase"):
        prepare([str(songs)], tmp_path / "data", config, jobs=0)


def test_a_version_in_another_key_is_held_out_with_its_song(tmp_path: Path):
    songs = write_tunes(tmp_path / "songs", 6, bars=20)
    for seed in range(6):
        (songs / f"{seed:03}-up.mid").write_bytes(tune(seed, bars=20, up=3))
    prepare([str(songs)], tmp_path / "data", PrepareConfig(bars=4, test_share=0.4), jobs=0)
    songs_found = Collection.open(tmp_path / "data").songs
    assert len(songs_found) == 12, "they are no duplicates"
    assert len({song.cluster for song in songs_found}) == 6
    assert [song.split for song in songs_found].count("test") == 4
    for first, second in zip(songs_found[::2], songs_found[1::2], strict=True):
        assert (first.split, first.cluster) == (second.split, second.cluster)


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
def test_an_archive_gives_what_its_folder_gives(tmp_path: Path, kind: str):
    songs = write_tunes(tmp_path / "songs", 3)
    path = songs
    if kind == "zip":
        path = tmp_path / "songs.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for song in sorted(songs.iterdir()):
                archive.write(song, song.name)
    if kind == "tar.gz":
        path = tmp_path / "songs.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for song in sorted(songs.iterdir()):
                info = tarfile.TarInfo(song.name)
                info.size = song.stat().st_size
                archive.addfile(info, io.BytesIO(song.read_bytes()))
    prepare([str(path)], tmp_path / "data", FOUR_BARS, jobs=1)
    data = Collection.open(tmp_path / "data")
    assert [song.name for song in data.songs] == ["000", "001", "002"]
    assert data.songs[1].source == f"{path}{'/' if path == songs else '!'}001.mid"
    prepare([str(songs)], tmp_path / "folder", FOUR_BARS, jobs=0)
    of_folder = Collection.open(tmp_path / "folder")
    assert (data.batch(0, 8, 0) == of_folder.batch(0, 8, 0)).all()


def test_an_empty_result_is_an_error_with_reasons_and_the_folder_stays_free(tmp_path: Path):
    songs = write_tunes(tmp_path / "songs", 2)
    (songs / "empty.mid").touch()
    says = r"of 3 files \(2 no-phrase, 1 empty-file\); 2 of 3: only 6 .* metre: --bars 6"
    with pytest.raises(UserError, match=says):
        prepare([str(songs)], tmp_path / "data", PrepareConfig(bars=9), jobs=0)
    assert set(rejects(tmp_path / "data")) == {"000.mid", "001.mid", "empty.mid"}
    assert prepare([str(songs)], tmp_path / "data", FOUR_BARS, jobs=0).kept == 2


PREPARE = """
import os, signal, sys
from core.data import preparation
from musegen.data import preparation as data
from musegen.data.records import PrepareConfig
preparation.SOURCES_PER_SHARD = 2
def tick(done, total):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
data.prepare([sys.argv[1]], sys.argv[2], PrepareConfig(bars=4), jobs=2, tick=tick)
"""


def prepared(songs: Path, to: Path, killed_at: int = -1) -> int:
    """Exit code of a preparation in a process of its own, two files a shard."""
    command = [sys.executable, "-c", PREPARE, str(songs), str(to), str(killed_at)]
    return subprocess.run(command, cwd=REPOSITORY, check=False).returncode


def test_a_killed_preparation_goes_on_and_ends_with_the_same_bytes(tmp_path: Path):
    songs = write_tunes(tmp_path / "songs", 7)
    (songs / "002.mid").write_bytes(b"")
    assert prepared(songs, tmp_path / "whole") == 0
    assert prepared(songs, tmp_path / "killed", killed_at=5) == -signal.SIGKILL
    finished = {path.name for path in (tmp_path / "killed").glob("shard-*")}
    assert finished == {"shard-00000", "shard-00001"}
    with pytest.raises(UserError, match="unfinished"):
        Collection.open(tmp_path / "killed")
    first = (tmp_path / "killed" / "shard-00000").stat().st_mtime_ns
    assert prepared(songs, tmp_path / "killed") == 0
    assert (tmp_path / "killed" / "shard-00000").stat().st_mtime_ns == first, "kept as it was"
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_parts_that_are_read_apart_end_with_the_same_bytes(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("core.data.preparation.SOURCES_PER_SHARD", 2)
    monkeypatch.setattr("musegen.data.preparation._draw", lambda folder: None)
    songs = write_tunes(tmp_path / "songs", 7)
    (songs / "002.mid").write_bytes(b"")
    prepare([str(songs)], tmp_path / "whole", FOUR_BARS, jobs=0)
    for number, kept in ((3, 2), (1, 3), (2, 1)):  # the last of four shards has one song
        part = prepare_part([str(songs)], tmp_path / "parts", Part(number, 3), FOUR_BARS, jobs=0)
        assert part.sources - part.rejects.total() == kept
    prepare([str(songs)], tmp_path / "parts", FOUR_BARS, jobs=0)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_damaged_shard_is_repaired_by_the_same_command(tmp_path: Path):
    songs = write_tunes(tmp_path / "songs", 3)
    prepare([str(songs)], tmp_path / "data", FOUR_BARS, jobs=0)
    whole = files(tmp_path / "data")
    (tmp_path / "data" / "shard-00000" / "pitch.npy").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"pitch\.npy"):
        Collection.open(tmp_path / "data")
    prepare([str(songs)], tmp_path / "data", FOUR_BARS, jobs=0)
    assert files(tmp_path / "data") == whole


def test_a_folder_of_other_files_or_settings_is_refused(tmp_path: Path):
    songs = write_tunes(tmp_path / "songs", 3)
    prepare([str(songs)], tmp_path / "data", FOUR_BARS, jobs=0)
    with pytest.raises(UserError, match="other settings"):
        prepare([str(songs)], tmp_path / "data", PrepareConfig(bars=4, hop=2), jobs=0)
    (songs / "001.mid").write_bytes(tune(11, bars=7))
    with pytest.raises(UserError, match="changed since"):
        prepare([str(songs)], tmp_path / "data", FOUR_BARS, jobs=0)
    with pytest.raises(UserError, match="holds other files"):
        prepare([str(songs)], songs, FOUR_BARS, jobs=0)
    with pytest.raises(UserError, match="is no folder"):
        prepare([str(songs)], songs / "000.mid", FOUR_BARS, jobs=0)
    with pytest.raises(UserError, match="works in"), locked(tmp_path / "data"):
        prepare([str(songs)], tmp_path / "data", FOUR_BARS, jobs=0)


def test_progress_is_reported_for_each_file(tmp_path: Path):
    reported: list[tuple[int, int]] = []
    songs = write_tunes(tmp_path / "songs", 3)
    prepare(
        [str(songs)],
        tmp_path / "data",
        FOUR_BARS,
        jobs=0,
        tick=lambda *state: reported.append(state),
    )
    assert reported == [(1, 3), (2, 3), (3, 3)]


def test_odd_files_end_as_kept_or_with_a_reason(shared_data: Path, tmp_path: Path):
    odd = shared_data / "music" / "odd"
    summary = prepare([str(odd)], tmp_path / "data", PrepareConfig(bars=4, min_tracks=1))
    paths = [path for path in odd.rglob("*") if path.suffix.lower() in MIDI]
    assert summary.sources == len(paths) == 99
    assert summary.kept + summary.rejects.total() == 99
    assert not {"crash", "time", "memory", "error"} & set(summary.rejects)
    kept = {song.source for song in Collection.open(tmp_path / "data").songs}
    lines = (tmp_path / "data" / "rejects.jsonl").read_text().splitlines()
    assert {json.loads(line)["path"] for line in lines} | kept == {str(path) for path in paths}


MEMORY = (
    CODE
    + """
from core.data import preparation
from musegen.data import preparation as data
from musegen.data.records import PrepareConfig
preparation.SOURCES_PER_SHARD = 50
data.prepare([sys.argv[1]], sys.argv[2], PrepareConfig(bars=4), jobs=1)
print(peak_mb())
"""
)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path):
    """Ten times the songs: less than 8 kB more for each, which is its line of the index."""
    peaks = []
    for count in (100, 1000):
        songs = write_tunes(tmp_path / str(count), count, bars=60)
        command = [sys.executable, "-c", MEMORY, str(songs), str(tmp_path / f"data-{count}")]
        done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
        peaks.append(float(done.stdout))
        shutil.rmtree(songs)
    assert (peaks[1] - peaks[0]) * 1024 < 8 * 900


def test_the_band_is_prepared_with_its_answers(tmp_path: Path):
    config = PrepareConfig(bars=4, seed=3)
    summary = prepare_band(4, tmp_path / "band", config)
    data = Collection.open(tmp_path / "band")
    names = [f"band-3-0000{n}" for n in range(4)]
    assert (summary.kept, summary.rejects) == (4, Counter())
    assert [song.name for song in data.songs] == names
    lines = (tmp_path / "band" / "answers.jsonl").read_text().splitlines()
    answers = [json.loads(line) for line in lines]
    assert [answer["song"] for answer in answers] == names
    first = play_song(0, config)
    assert not isinstance(first, Failure)
    assert first.answers is not None
    assert {"song": names[0], **json.loads(json.dumps(first.answers))} == answers[0]
    assert len(answers[0]["chords"]) == data.songs[0].bars
    parallel = prepare_band(4, tmp_path / "parallel", config, jobs=2)
    assert parallel.pieces == summary.pieces
    assert files(tmp_path / "parallel") == files(tmp_path / "band")


def test_the_band_plays_its_own_tracks_only(tmp_path: Path):
    with pytest.raises(ConfigError, match="--tracks lakh"):
        prepare_band(2, tmp_path / "band", PrepareConfig(tracks=TRACK_LISTS["voices"]))


@pytest.mark.parametrize("count", [0, -1, 10**11])
def test_a_band_of_no_songs_or_of_endlessly_many_is_refused_before_it_plays(
    tmp_path: Path, count: int
):
    with pytest.raises(ConfigError, match=r"(songs of the band must be|at most 1,000,000 songs)"):
        prepare_band(count, tmp_path / "band")
    assert not (tmp_path / "band").exists()


def test_lakh_pianorolls_are_prepared(tmp_path: Path):
    from musegen.files.midi import read_midi
    from musegen.files.pianoroll import write_lpd

    songs = write_tunes(tmp_path / "songs", 3)
    for song in sorted(songs.iterdir()):
        write_lpd(read_midi(song).roll(), song.with_suffix(".npz"))
    (songs / "broken.npz").write_bytes(b"PK")
    prepare([str(songs)], tmp_path / "midi", FOUR_BARS, jobs=0)
    summary = prepare([str(songs)], tmp_path / "lpd", FOUR_BARS, lpd=True)
    assert (summary.kept, summary.rejects) == (3, Counter({"unreadable": 1}))
    both = [Collection.open(tmp_path / name) for name in ("midi", "lpd")]
    assert (both[0].batch(0, 8, 0) == both[1].batch(0, 8, 0)).all()


def test_few_songs_are_split_sensibly_and_the_summary_says_so(tmp_path: Path):
    """Two songs have 6 and 9 bars, 3 and 6 phrases: the shorter is held out."""
    songs = write_tunes(tmp_path / "songs", 1)
    alone = prepare([str(songs)], tmp_path / "one", FOUR_BARS, jobs=0)
    assert alone.pieces == {"train": 3, "test": 0}
    assert alone.lines[-1] == "nothing is held out: there is one song"
    (songs / "long.mid").write_bytes(tune(5, bars=9))
    two = prepare([str(songs)], tmp_path / "two", FOUR_BARS, jobs=0)
    assert two.pieces == {"train": 6, "test": 3}
    assert two.lines[-1] == "a whole song is held out, 33% of all: more songs make that less"


def test_the_summary_names_instruments_that_no_track_plays(tmp_path: Path):
    """There are 24 notes of a seashore, as many of each of three others, and 2 of drums."""
    sea = program(122, 4) + 24 * note(60, 480, channel=4)
    hits = 2 * note(36, 480, channel=10)
    folder = tmp_path / "songs"
    folder.mkdir()
    voices = [
        program(p, n) + 24 * note(40 + n, 480, channel=n) for n, p in enumerate((0, 24, 33), 1)
    ]
    (folder / "a.mid").write_bytes(midi(*voices, sea, hits))
    summary = prepare([str(folder)], tmp_path / "data", FOUR_BARS, jobs=0)
    said = (
        "24% of the notes are left out: no track plays Seashore. A track with rest: true takes "
        "all that no other does, see docs/tracks.md"
    )
    assert summary.lines[-1] == said
    assert (tmp_path / "data" / "summary.txt").read_text().splitlines()[-1] == said
    named = FOUR_BARS.replace(tracks=[{"name": "Bass", "family": "bass"}])
    summary = prepare([str(folder)], tmp_path / "bass", named, jobs=0)
    assert "76% of the notes are left out: no track plays" in summary.lines[-1]
    assert summary.unclaimed == {
        "Acoustic Grand Piano": 24,
        "Acoustic Guitar (nylon)": 24,
        "Seashore": 24,
        "drums": 2,
    }
    rest = FOUR_BARS.replace(tracks=[*LAKH, {"name": "Others", "rest": True}])
    assert not prepare([str(folder)], tmp_path / "all", rest, jobs=0).unclaimed


def test_songs_whose_beats_no_one_says_are_counted(tmp_path: Path):
    folder = tmp_path / "midi"
    folder.mkdir()
    for number, division in enumerate((480, 256 - 25 << 8 | 40)):
        file = midi(program(33) + 24 * note(40 + number, 480), division=division)
        (folder / f"{number}.mid").write_bytes(file)
    summary = prepare([str(folder)], tmp_path / "data", FOUR_BARS.replace(min_tracks=1), jobs=0)
    assert (summary.kept, [*summary.doubts.values()]) == (2, [1])
    assert summary.lines[-1] == (
        "1 file: times are in SMPTE frames, and there is no tempo: beats are taken at 120 a "
        "minute. If they are not, export with times in beats"
    )


def test_songs_whose_end_is_missing_are_counted_and_named(tmp_path: Path, caplog):
    folder = tmp_path / "midi"
    folder.mkdir()
    whole = midi(program(33) + 24 * note(40, 480))
    for number, file in enumerate((whole, whole[: -len(note(40, 480) + END)])):
        (folder / f"{number}.mid").write_bytes(file)
    summary = prepare([str(folder)], tmp_path / "data", FOUR_BARS.replace(min_tracks=1), jobs=0)
    assert summary.kept == 2
    assert summary.lines[-1].startswith("1 file: the end is missing, of a track or of the tracks")
    Source.read(folder / "1.mid", LAKH, Grid())
    assert f"{folder / '1.mid'}: the end is missing" in caplog.text
    assert "the end is missing" in read_performance(folder / "1.mid").remarks[0]


def test_songs_that_a_model_composed_are_kept_and_counted(tmp_path: Path):
    """A folder of own songs may hold samples of a model that was trained on them."""
    folder = tmp_path / "midi"
    folder.mkdir()
    for number, text in enumerate((b"made with pianoreel 0.1.0: vae, seed 1", b"made with love")):
        file = midi(meta(1, text) + program(33) + 24 * note(40 + number, 480))
        (folder / f"{number}.mid").write_bytes(file)
    summary = prepare([str(folder)], tmp_path / "data", FOUR_BARS.replace(min_tracks=1), jobs=0)
    assert summary.kept == 2
    assert summary.lines[-1] == (
        "1 file: made with pianoreel: leave such files out if a model is to learn from yours alone"
    )


def test_songs_whose_bars_are_counted_in_pairs_are_counted(tmp_path: Path):
    folder = tmp_path / "midi"
    folder.mkdir()
    for number, beats in enumerate((2, 4, 2)):
        file = midi(signature(beats, 2) + program(33) + 24 * note(40 + number, 480))
        (folder / f"{number}.mid").write_bytes(file)
    summary = prepare([str(folder)], tmp_path / "data", FOUR_BARS.replace(min_tracks=1), jobs=0)
    assert summary.kept == 3
    assert summary.lines[-1] == (
        "2 files: 2 bars of 2/4 are read as one of 4/4, and bars are counted so"
    )


def test_songs_whose_parts_have_names_alone_are_counted(tmp_path: Path):
    """Programs whose instruments are plug-ins write such files: they are kept, as pianos alone."""
    folder = tmp_path / "midi"
    folder.mkdir()
    parts = (name("Kick") + 24 * note(36, 480), name("Lead") + 24 * note(72, 480))
    (folder / "a.mid").write_bytes(midi(*parts))
    (folder / "b.mid").write_bytes(midi(program(33) + parts[0], program(30, 2) + parts[1]))
    bass = program(33, 2) + 24 * note(40, 480, channel=2)
    (folder / "c.mid").write_bytes(midi(name("Drums") + 24 * note(38, 480), bass))
    one = FOUR_BARS.replace(min_tracks=1)
    summary = prepare([str(folder)], tmp_path / "data", one, jobs=0)
    assert (summary.kept, [*summary.doubts.values()]) == (3, [2])
    assert summary.lines[-1].startswith("2 files: parts with the names of other instruments have")
    tracks = [{"name": "Drums", "name_pattern": "kick|drum"}, {"name": "Lead", "rest": True}]
    named = prepare([str(folder)], tmp_path / "named", one.replace(tracks=tracks), jobs=0)
    assert not named.doubts


def test_few_notes_that_no_track_plays_are_not_worth_a_word(tmp_path: Path):
    """One of 25 notes, 4 %; then 2 of 26, 8 %."""
    for count, is_said in ((1, False), (2, True)):
        folder = tmp_path / str(count)
        folder.mkdir()
        tracks = (
            program(33) + 24 * note(40, 480),
            program(122, 2) + count * note(60, 1, channel=2),
        )
        (folder / "a.mid").write_bytes(midi(*tracks))
        config = FOUR_BARS.replace(min_tracks=1)
        summary = prepare([str(folder)], tmp_path / f"data-{count}", config, jobs=0)
        assert ("left out" in summary.lines[-1]) == is_said
        assert summary.unclaimed == {"Seashore": count}
