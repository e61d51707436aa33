"""The command as a user meets it: from a collection to songs, and what is said of bad input."""

import json
import shutil
import signal
import time
import wave
from pathlib import Path

import pretty_midi
import pypianoroll
import pytest
from command import run, start
from handmade import midi, note, signature
from typer.testing import CliRunner

from cli import app
from musegen.data.preparation import PrepareConfig

pytestmark = pytest.mark.usefixtures("quick_evaluation")

SONG_SECONDS = 6 * 4 * 60 / 96  # 6 bars of 4 beats at 96 bpm


@pytest.fixture(scope="module")
def quick_preparations() -> None:
    """Draw the pictures of collections."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of four songs of the band."""
    folder = tmp_path_factory.mktemp("data") / "band"
    code, said, complaint = run(
        "music",
        "prepare",
        "--band",
        4,
        "--seed",
        5,
        "--steps-per-beat",
        4,
        "--bars",
        4,
        "--to",
        folder,
    )
    assert (code, complaint) == (0, "")
    assert "4 files: 4 kept, 0 rejected" in said
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    options = ("--model", "musegan", "--preset", "tiny", "--steps", 2, "--device", "cpu")
    code, said, _ = run("music", "train", data, *options, "--to", folder)
    assert code == 0
    assert str(folder) in said
    return folder


@pytest.mark.slow
def test_a_run_that_accompanies_is_named_by_its_given_tracks(data: Path, tmp_path: Path):
    """--given sets them, the evaluation says that they are real, and sampling needs a song."""
    options = ("--model", "musegan", "--preset", "tiny", "--steps", 2, "--device", "cpu")
    command = ("music", "train", data, *options, "--given", "bass,drums", "--to", tmp_path)
    code, said, _ = run(*command)
    assert code == 0
    assert f"music sample {tmp_path} --given song.mid --keep drums,bass\n" in said
    assert "    given:\n    - bass\n    - drums\n" in (tmp_path / "config.yaml").read_text()
    command = ["music", "evaluate", tmp_path, "--against", data, "--count", 4, "--json"]
    names = [row["name"] for row in json.loads(run(*command, "--device", "cpu")[1])["rows"]]
    assert f"{tmp_path.name} (beside real Drums, Bass)" in names
    for command in ("sample", "interpolate"):
        arguments = ["1", "2"] if command == "interpolate" else []
        refused(
            1,
            "accompanies drums,bass: give it a song",
            *("music", command, tmp_path, *arguments, "--to", tmp_path / "songs"),
        )


def test_a_wiring_is_refused_where_nothing_has_one(data: Path, tmp_path: Path):
    command = ["music", "train", data, "--preset", "tiny", "--to", tmp_path / "run", "--dry-run"]
    said = "lookback_rnn has no wiring: leave it out, or use musegan or latent_musegan"
    refused(2, said, *command, "--wiring", "jamming")
    for model in ("musegan", "latent_musegan", "vae"):
        assert run(*command, "--wiring", "jamming", "--model", model)[0] == 0


def test_given_tracks_that_cannot_be_are_refused(data: Path, tmp_path: Path):
    command = ["music", "train", data, "--preset", "tiny", "--to", tmp_path / "run"]
    named = [*command, "--model", "musegan", "--given"]
    refused(2, "no track is called 'paino': did you mean 'piano'", *named, "paino")
    refused(2, "all tracks are given", *named, "drums,piano,guitar,bass,strings")
    refused(2, "vae accompanies no given tracks", *command, "--model", "vae", "--given", "piano")
    moved = ("piano", "--set", "model.stabilisers.augment=true")
    refused(2, "augment moves tracks away from the given ones", *named, *moved)
    assert not (tmp_path / "run").exists()


def test_prepared_songs_are_split_by_song(data: Path):
    facts = json.loads((data / "index.json").read_text())["facts"]
    assert [song["name"] for song in facts["songs"]] == [f"band-5-{n:05d}" for n in range(4)]
    assert facts["grid"]["steps_per_beat"] == 4
    assert {song["split"] for song in facts["songs"]} == {"train", "test"}
    assert (data / "collection.png").stat().st_size > 10_000


def test_a_song_is_written_as_midi_sound_picture_and_pianoroll(trained: Path, tmp_path: Path):
    options = ["--count", 2, "--bars", 6, "--tempo-bpm", 96, "--npz", "--device", "cpu"]
    code, said, _ = run("music", "sample", trained, *options, "--to", tmp_path)
    assert code == 0
    written = sorted(Path(line) for line in said.splitlines())
    assert written == sorted(tmp_path.iterdir())
    names = [f"tiny-seed0-{n}{kind}" for n in (1, 2) for kind in (".mid", ".npz", ".png", ".wav")]
    assert [path.name for path in written] == names
    midi = pretty_midi.PrettyMIDI(str(tmp_path / "tiny-seed0-1.mid"))
    played = [(part.name, part.program, part.is_drum) for part in midi.instruments]
    assert played[0] == ("Drums", 0, True)
    assert played[3] == ("Bass", 33, False)
    assert midi.get_tempo_changes()[1] == pytest.approx([96.0], abs=0.01)
    with wave.open(str(tmp_path / "tiny-seed0-1.wav")) as file:
        assert 0 < file.getnframes() / file.getframerate() < SONG_SECONDS + 10
    assert (tmp_path / "tiny-seed0-1.png").read_bytes().startswith(b"\x89PNG")
    pianoroll = pypianoroll.load(tmp_path / "tiny-seed0-1.npz")
    assert [track.name for track in pianoroll.tracks] == [name for name, _, _ in played]


def test_formats_stems_and_sounds_are_options(trained: Path, tmp_path: Path):
    options = ("--count", 1, "--bars", 2, "--seed", 7, "--device", "cpu", "--to", tmp_path)
    asked = ("--format", "mid,mp3", "--stems", "--programs", "bass=38,piano=electric piano")
    code, said, complaint = run("music", "sample", trained, *options, *asked)
    assert (code, complaint) == (0, "")
    song = pretty_midi.PrettyMIDI(str(tmp_path / "tiny-seed7-1.mid"))
    assert (tmp_path / "tiny-seed7-1.mp3").stat().st_size > 1000
    programs = {part.name: part.program for part in song.instruments if part.notes}
    usual = {"Drums": 0, "Guitar": 24, "Strings": 48}
    assert programs == {
        n: p for n, p in {**usual, "Bass": 38, "Piano": 4}.items() if n in programs
    }
    stems = {path.name for path in (tmp_path / "tiny-seed7-1-stems").iterdir()}
    assert stems == {f"{name.lower()}.{kind}" for name in programs for kind in ("mid", "mp3")}
    assert len(said.splitlines()) == 2 + len(stems)


def test_stems_are_not_read_as_songs_of_their_own(data: Path, trained: Path, tmp_path: Path):
    """Neither by prepare nor by evaluate; both say how many were left out, and why."""
    songs, alone = tmp_path / "songs", tmp_path / "songs" / "tiny-seed7-1-stems"
    options = ("--bars", 8, "--seed", 7, "--only", "mid", "--device", "cpu", "--to", songs)
    assert run("music", "sample", trained, "--count", 2, *options, "--stems")[0] == 0
    stems = len(list(songs.rglob("*-stems/*.mid")))
    assert stems >= 4
    command = ("music", "prepare", songs, "--bars", 4, "--steps-per-beat", 4, "--min-tracks", 1)
    code, said, _ = run(*command, "--to", tmp_path / "prepared")
    assert code == 0
    assert said.splitlines()[:2] == [
        f"{2 + stems} files: 2 kept, {stems} rejected",
        f"  {stems:6} stem",
    ]
    (path, *_) = sorted(alone.iterdir())
    lines = (tmp_path / "prepared" / "rejects.jsonl").read_text().splitlines()
    details = {one["path"]: one["detail"] for one in map(json.loads, lines)}
    track = path.stem.capitalize()
    assert details[str(path)].startswith(f"{track} alone, a stem of tiny-seed7-1, made with")
    assert details[str(path)].endswith(": the song itself counts, not its tracks")

    command = ("music", "evaluate", songs, "--against", data, "--count", 4, "--json")
    code, said, complaint = run(*command, "--device", "cpu")
    assert code == 0
    (row,) = [row for row in json.loads(said)["rows"] if row["name"] == str(songs)]
    assert row["phrase_count"] == 10
    said = f"{songs}: 2 of {2 + stems} files are measured, left out: {stems} stem\n"
    assert complaint == said
    command = ("music", "evaluate", alone, "--against", data, "--device", "cpu")
    refused(1, f"({len(list(alone.iterdir()))} stem)", *command)


def test_a_bridge_from_one_song_alone_is_refused_in_its_own_words():
    """And not as a run called 2, which the option that follows would be left with."""
    command = ("music", "sample", "--between", "a.mid", "--count", 2)
    refused(2, "--between needs 2 values and has 1, a.mid: Two of your songs, to be", *command)


def test_wrong_formats_and_sounds_get_the_known_ones_before_a_song_is_sampled(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from musegen.model import Model

    monkeypatch.setattr(Model, "sample", None)
    command = ["music", "sample", trained, "--device", "cpu", "--to", tmp_path / "to"]
    refused(2, "there are mid, png, wav, flac, mp3, ogg", *command, "--only", "mid,aiff")
    refused(2, "there are drums, piano, guitar, bass", *command, "--programs", "tuba=3")
    refused(2, "no instrument is called 'kazoo'", *command, "--programs", "bass=kazoo")
    assert not (tmp_path / "to").exists()


def test_another_song_is_not_overwritten_and_that_is_said_before_one_is_sampled(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from musegen.model import Model

    command = ["music", "sample", trained, "--only", "mid", "--device", "cpu", "--to", tmp_path]
    for _ in range(2):  # the same songs can be written again
        assert run(*command, "--count", 2, "--bars", 2)[0] == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run(*command, "--count", 1, "--bars", 2, "--seed", 5)[0] == 0, "another name"
    assert run(*command, "--count", 2, "--bars", 3, "--overwrite")[0] == 0
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after.keys() - before.keys() == {"tiny-seed5-1.mid"}
    assert not any(after[name] == song for name, song in before.items())
    monkeypatch.setattr(Model, "sample", None)
    for other in (("--bars", 2), ("--bars", 3, "--tempo-bpm", 96)):
        refused(1, "tiny-seed0-1.mid is there and holds another song", *command, *other)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == after


def test_a_run_and_its_songs_are_measured_beside_real_songs(
    data: Path, trained: Path, tmp_path: Path
):
    songs = tmp_path / "songs"
    options = ("--count", 2, "--bars", 8, "--only", "mid", "--device", "cpu", "--to", songs)
    run("music", "sample", trained, *options)
    for subject, phrases in ((trained, 6), (songs, 10)):
        command = ["music", "evaluate", subject, "--against", data, "--count", 6, "--json"]
        report = tmp_path / f"report-{phrases}"
        code, said, complaint = run(*command, "--device", "cpu", "--to", report)
        assert (code, complaint) == (0, "")
        rows = {row["name"]: row for row in json.loads(said)["rows"]}
        name = subject.name if subject == trained else str(subject)
        assert rows[name]["phrase_count"] == phrases
        assert rows["training, other half"]["distance"] < rows["independent cells"]["distance"]
        assert rows["training, other half"]["distance"] < rows[name]["distance"]
        assert json.loads((report / "evaluation.json").read_text())["rows"]
        assert (report / "evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_an_evaluation_is_printed_as_tables_that_fit_120_columns(data: Path, trained: Path):
    command = ["music", "evaluate", trained, "--against", data, "--count", 4, "--device", "cpu"]
    code, said, _ = run(*command)
    assert code == 0
    lines = [line.split() for line in said.splitlines()]
    assert max(map(len, said.splitlines())) <= 120
    heading = next(words for words in lines if words[:2] == ["phrases", "of"])
    assert " ".join(heading[2:]) == (
        "distance bars a bar notes polyphony a bar length distance self-similarity reconstruction"
    ), "the last line of each heading"
    rows = {" ".join(words[:2]): words for words in lines}
    assert len(rows["held-out songs"]) == 2 + 10
    assert rows["held-out songs"][-1] == "-", "real songs are not reconstructed"
    assert "-" not in rows["independent cells"][2:-1]
    heading = next(words for words in lines if words[:2] == ["songs", "of"])
    assert " ".join(heading[2:]) == (
        "total phrases form harmony register beat dynamics classifier copies TIME accuracy bars"
        " parts"
    )
    assert len(next(words for words in lines if words[:2] == ["held-out", "songs"])) == 2 + 13
    assert {"repetition, bass", "register, Piano", "in key"} <= {
        " ".join(words[:2]) for words in lines
    }
    for legend in ("empty bars: % of bars without a note (EB)", "AAAI 2018", "Piano-Bass"):
        assert legend in said
    for legend in ("TIME: structure in time", "form 3, harmony 2", "Museformer, NeurIPS 2022"):
        assert legend in " ".join(said.split())


@pytest.mark.slow
def test_the_tables_of_the_papers_are_printed_beside_ours(data: Path, trained: Path):
    command = ["music", "evaluate", trained, "--against", data, "--count", 4, "--device", "cpu"]
    code, said, _ = run(*command, "--paper")
    assert code == 0
    assert max(map(len, said.splitlines())) <= 120
    for title in ("AAAI 2018, table 1", "AAAI 2018, table 2", "ISMIR 2018, table 1"):
        assert f"MuseGAN, {title}" in said or title in said
    rows = [line.split() for line in said.splitlines()]
    published = next(words for words in rows if words[:3] == ["published:", "training", "data"])
    assert published[3:8] == ["8.06", "8.06", "19.4", "24.8", "10.1"]
    assert len([words for words in rows if words[:2] == ["held-out", "songs"]]) == 2 + 3
    assert "published:" not in run(*command)[1]


def test_the_same_seed_gives_the_same_song_and_another_seed_another(trained: Path, tmp_path: Path):
    songs = []
    options = ("--count", 1, "--bars", 2, "--only", "mid")
    for number, seed in enumerate((3, 3, 4)):
        to = tmp_path / str(number)
        run("music", "sample", trained, *options, "--seed", seed, "--to", to)
        songs.append(next(to.glob("*.mid")).read_bytes())
    assert songs[0] == songs[1] != songs[2]


def test_a_dry_run_prints_what_would_be_trained_and_writes_nothing(data: Path, tmp_path: Path):
    arguments = ["--steps", 7, "--seed", 3, "--model", "musegan", "--wiring", "jamming"]
    arguments += ["--set", "train.batch_size=9"]
    code, said, _ = run("music", "train", data, *arguments, "--dry-run", "--to", tmp_path / "run")
    assert code == 0
    for line in ("steps: 7", "minutes: null", "batch_size: 9", "seed: 3", "wiring: jamming"):
        assert f"  {line}\n" in said
    assert not (tmp_path / "run").exists()


def test_the_same_command_goes_on_and_another_one_is_refused(
    data: Path, trained: Path, tmp_path: Path
):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    options = ("--model", "musegan", "--preset", "tiny", "--device", "cpu")
    command = ["music", "train", data, *options, "--to", folder]
    assert run(*command, "--steps", 3)[0] == 0
    assert (folder / "checkpoints" / "step-00000003").is_dir()
    code, _, complaint = run(*command, "--steps", 3, "--seed", 8)
    assert code == 2
    assert "train.seed: 0 -> 8" in complaint


def test_prepare_says_what_the_python_api_means():
    """The command's defaults are those of `PrepareConfig`."""
    shown = run("music", "prepare", "--help")[1]
    defaults = PrepareConfig()
    assert f"[default: {defaults.grid.steps_per_beat}]" in shown
    from inspect import signature

    from musegen.commands.group import MusicCommands

    stated = {name: p.default for name, p in signature(MusicCommands.prepare).parameters.items()}
    for name in ("bars", "hop", "min_tracks", "pedal", "seed"):
        assert stated[name] == getattr(defaults, name)
    assert stated["steps_per_beat"] == defaults.grid.steps_per_beat
    assert stated["meter"] == defaults.grid.metre.name
    assert defaults.meter == "kept"


def test_the_metre_of_a_collection_is_an_option(tmp_path: Path):
    """Twelve bars of 7/8: refused by default, and the message names the option that keeps them."""
    song = midi(signature(7, 3), 84 * note(60, 240))
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "seven.mid").write_bytes(song)
    command = [
        "music",
        "prepare",
        tmp_path / "songs",
        "--min-tracks",
        1,
        "--bars",
        4,
        "--to",
        tmp_path / "to",
    ]
    refused(1, "1 of 1: no bar is in 4/4, most are in 7/8: --meter 7/8", *command)
    refused(2, "'7' is no metre", *command, "--meter", 7)
    refused(2, "--steps-per-beat 4", *command, "--meter", "7/8", "--steps-per-beat", 3)
    assert run(*command, "--meter", "7/8", "--pickup", 0.5)[0] == 0
    facts = json.loads((tmp_path / "to" / "index.json").read_text())["facts"]
    grid = facts["grid"]
    assert (grid["steps_per_beat"], grid["beats_per_bar"], grid["beat_unit"]) == (6, 7, 8)
    assert [song["bars"] for song in facts["songs"]] == [12], "83 eighths after a pickup of one"


def refused(code: int, said: str, *arguments: object) -> None:
    """The command ends with `code` and one sentence on stderr that holds `said`."""
    got, out, complaint = run(*arguments)
    assert got == code, complaint
    assert said in complaint
    assert complaint.startswith("error: ")
    assert complaint.count("\n") == 1
    assert "Traceback" not in complaint + out


@pytest.mark.parametrize("name", ["song.mid", "absent.mid", "score.musicxml"])
def test_a_song_in_the_place_of_a_run_is_refused(tmp_path: Path, name: str):
    (tmp_path / "song.mid").touch()
    code, _, complaint = run("music", "sample", tmp_path / name, "--to", tmp_path / "to")
    assert code == 2
    assert f"{name} names a file, and is no run: --given, --continue, --between" in complaint


def test_a_missing_folder(tmp_path: Path):
    refused(1, "does not exist", "music", "prepare", tmp_path / "absent", "--to", tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_folder_without_midi(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no music")
    refused(1, "no MIDI file", "music", "prepare", tmp_path, "--to", tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_folder_of_nothing_but_broken_files(tmp_path: Path):
    source = tmp_path / "songs"
    source.mkdir()
    (source / "empty.mid").touch()
    (source / "text.mid").write_text("no music")
    refused(1, "1 not-midi", "music", "prepare", source, "--to", tmp_path / "to")
    lines = (tmp_path / "to" / "rejects.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in lines] == ["empty-file", "not-midi"]


def test_one_broken_file_is_reported_and_strict_exits_1(tmp_path: Path, trained: Path):
    songs = tmp_path / "songs"
    run("music", "sample", trained, "--count", 1, "--bars", 4, "--to", songs)
    (songs / "broken.mid").write_bytes(b"MThd")
    command = ["music", "prepare", songs, "--min-tracks", 1, "--bars", 4, "--to", tmp_path / "to"]
    code, said, _ = run(*command)
    assert code == 0
    assert "2 files: 1 kept, 1 rejected" in said
    assert run(*command, "--strict")[0] == 1


def test_sources_and_band_exclude_each_other(tmp_path: Path):
    refused(2, "either SOURCES or --band", "music", "prepare", "--to", tmp_path)
    refused(2, "either SOURCES or", "music", "prepare", "x", "--band", 3, "--to", tmp_path)
    shard = ("--shard", "1/2", "--to", tmp_path)
    refused(2, "--shard is for files", "music", "prepare", "--band", 3, *shard)
    refused(2, "--lpd is for files", "music", "prepare", "--band", 3, "--lpd", "--to", tmp_path)


def test_parts_are_prepared_by_an_option(tmp_path: Path):
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "song.mid").write_bytes(midi(64 * note(60, 240)))
    command = ["music", "prepare", tmp_path / "songs", "--min-tracks", 1, "--bars", 4]
    command += ["--to", tmp_path / "to"]
    assert "part 2 of 2: 0 files, 0 rejected" in run(*command, "--shard", "2/2")[1]
    code, said, _ = run(*command, "--shard", "1/2")
    assert code == 0
    assert "part 1 of 2: 1 file, 0 rejected" in said
    assert "without --shard" in said
    assert "1 file: 1 kept" in run(*command)[1]
    refused(2, "give 3/8, for example", *command, "--shard", "3/2")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("train.batch_sise=3", "did you mean 'batch_size'"),
        ("train.batch_size=x", "'train.batch_size'"),
        ("train", "--set needs KEY=VALUE"),
    ],
)
def test_a_wrong_setting(data: Path, tmp_path: Path, setting: str, said: str):
    refused(2, said, "music", "train", data, "--to", tmp_path / "run", "--set", setting)
    assert not (tmp_path / "run").exists()


def test_unknown_names_get_the_known_ones(data: Path, tmp_path: Path):
    to = ("--to", tmp_path / "run")
    refused(2, "did you mean 'wgan'", "music", "train", data, *to, "--model", "wgann")
    refused(2, "did you mean 'small'", "music", "train", data, *to, "--preset", "smal")
    refused(2, "did you mean 'voices'", "music", "prepare", data, *to, "--tracks", "voice")
    refused(2, "called 'zzzz': `pianoreel models` lists all", "cite", "zzzz")
    refused(2, "did you mean 'vae'? `pianoreel models` lists all", "cite", "VAE")
    refused(2, "auto, cpu, cuda", "music", "train", data, *to, "--device", "tpu")


def test_a_run_of_another_form_is_not_measured(trained: Path, tmp_path: Path):
    other = tmp_path / "coarse"
    run("music", "prepare", "--band", 3, "--steps-per-beat", 12, "--bars", 4, "--to", other)
    said = "it has 4 steps a beat: prepare the songs with --steps-per-beat 4"
    refused(1, said, "music", "evaluate", trained, "--against", other)


def test_a_folder_without_music_is_not_measured(data: Path, tmp_path: Path):
    refused(1, "no run and no MIDI", "music", "evaluate", tmp_path, "--against", data)


def test_data_that_was_never_prepared(tmp_path: Path):
    refused(1, "holds no prepared data", "music", "train", tmp_path, "--to", tmp_path / "run")


def test_options_without_the_option_that_they_belong_to_are_refused(tmp_path: Path):
    sample = ("music", "sample", "--to", tmp_path / "songs")
    refused(2, "--scale-strength is for --key", *sample, "--scale-strength", 0.5)
    refused(2, "--against is for several", *sample, "--against", tmp_path, "--best-of", 1)


@pytest.mark.parametrize(
    ("written", "option", "cure"),
    [
        ("mid", ("--voice", "fluid"), "wav"),
        ("mid,png", ("--soundfont", "x.sf2"), "wav"),
        ("png", ("--stems",), "mid"),
        ("png", ("--programs", "bass=38"), "mid"),
    ],
)
def test_an_option_that_would_change_no_file_is_refused(tmp_path: Path, written, option, cure):
    sample = ("music", "sample", "--only", written, *option, "--to", tmp_path)
    refused(2, f"{option[0]} changes none of these files: add {cure} to --only", *sample)


def test_a_run_that_is_none(tmp_path: Path):
    songs = ("--to", tmp_path / "songs")
    refused(1, "is no run: give a folder that `train` wrote", "music", "sample", tmp_path, *songs)
    absent = tmp_path / "absent"
    refused(1, "absent is no folder", "music", "sample", absent, "--to", tmp_path / "songs")


def test_corrupted_weights_are_refused_by_the_files_name(trained: Path, tmp_path: Path):
    run_folder = tmp_path / "run"
    shutil.copytree(trained, run_folder)
    for weights in run_folder.rglob("ema.safetensors"):
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    command = ["music", "sample", run_folder, "--to", tmp_path / "songs"]
    code, _, complaint = run(*command)
    assert code == 1
    assert "ema.safetensors" in complaint
    assert not (tmp_path / "songs").exists()


def test_a_wrong_option_is_wrong_usage():
    code, _, complaint = run("music", "sample", "--cuont", 3)
    assert code == 2
    assert "--cuont" in complaint


def test_a_fault_of_ours_is_a_sentence_and_a_traceback_on_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    import core.app.domain

    monkeypatch.setattr(core.app.domain, "find_recipe", lambda domains, model: 1 // 0)
    refused(1, "PIANOREEL_DEBUG=1", "cite", "vae")
    monkeypatch.setenv("PIANOREEL_DEBUG", "1")
    assert isinstance(CliRunner().invoke(app, ["cite", "vae"]).exception, ZeroDivisionError)


def test_models_and_cite_know_the_same_names():
    code, table, _ = run("models")
    assert code == 0
    for name in ("vae", "wgan_gp", "autoregressive", "lookback_rnn", "text_to_video"):
        assert name in table
        assert run("cite", name)[1].startswith("@")


def test_weights_that_ship_and_runs_are_cited_as_their_models(trained: Path):
    """The settings of a run name its model, whatever its folder is called."""
    cited = {
        name: run("cite", name) for name in ("gist_flow", "shapes", trained, "autoregressive")
    }
    assert all(code == 0 for code, _, _ in cited.values())
    assert cited["shapes"] == cited["gist_flow"] != cited["autoregressive"]
    assert run("cite", "notes") == run("cite", "note_transformer") == cited["autoregressive"]
    assert cited[trained] == run("cite", "musegan")
    refused(1, "runs/absent is no folder", "cite", "runs/absent")


def test_doctor_is_content_here():
    code, said, complaint = run("doctor")
    assert (code, complaint) == (0, "")
    assert "torchaudio" in said
    assert "200,000" in said
    assert ".sf2" in said


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_an_interrupted_training_saves_and_says_how_to_go_on(
    data: Path, tmp_path: Path, number: signal.Signals, code: int
):
    folder = tmp_path / "run"
    options = ["--preset", "tiny", "--steps", 100_000, "--device", "cpu"]
    process = start("music", "train", data, *options, "--to", folder)
    log = folder / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == code
    assert "the same command resumes" in complaint
    assert list((folder / "checkpoints").glob("step-*"))
