"""The commands of video as a user meets them, and what is said of bad input."""

import json
import re
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from command import REPOSITORY, run

from core.app.label import shortened, slug
from videogen.files.clip import Frames
from videogen.model import Model
from videogen.rendering.take import Take

CAPTION = "A small red circle is moving in a zigzag path towards north"
TINY = ("--shapes", "--preset", "tiny", "--device", "cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps on moving shapes."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    code, said, _ = run("video", "train", *TINY, "--steps", 2, "--to", folder)
    assert code == 0
    assert str(folder) in said
    return folder


def decoded(path: Path) -> int:
    with av.open(str(path)) as file:
        return sum(1 for _ in file.decode(video=0))


NAME = "a-small-red-circle-is-moving-in-a-zigzag-path-towards-north"


def test_a_sentence_becomes_files_that_play(trained: Path, tmp_path: Path):
    """Each clip is named by the seed that makes it alone."""
    command = ["video", "sample", trained, CAPTION, "--count", 2, "--seed", 3, "--parts"]
    code, said, complaint = run(*command, "--device", "cpu", "--to", tmp_path)
    assert (code, complaint) == (0, "")
    written = sorted(Path(line) for line in said.splitlines())
    assert written == sorted(tmp_path.iterdir())
    kinds = ("-parts.png", ".gif", ".mp4", ".png", ".txt")
    assert [p.name for p in written] == [
        f"tiny-seed{seed}-{NAME}{kind}" for seed in (3, 4) for kind in kinds
    ]
    assert {decoded(p) for p in written if p.suffix in (".mp4", ".gif")} == {16}
    alone = ["video", "sample", trained, CAPTION, "--seed", 4, "--parts", "--device", "cpu"]
    assert run(*alone, "--to", tmp_path / "alone")[0] == 0
    for path in (tmp_path / "alone").iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_clips_are_complete_one_by_one_where_the_user_stops(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Stopped in the third of four, two are there with their texts and their lines."""
    sampled, shoot = [], Take.shoot

    def stopped(take: Take, model: Model) -> Frames:
        sampled.append(take.seed)
        if len(sampled) == 3:
            raise KeyboardInterrupt
        return shoot(take, model)

    monkeypatch.setattr(Take, "shoot", stopped)
    command = ["video", "sample", trained, CAPTION, "--count", 4, "--format", "mp4,jsonl"]
    command += ["--device", "cpu", "--to", tmp_path]
    assert run(*command)[0] == 130 and sampled == [0, 1, 2]
    films = [f"tiny-seed{seed}-{NAME}.mp4" for seed in range(4)]
    texts = [Path(film).with_suffix(".txt").name for film in films]
    assert {p.name for p in tmp_path.iterdir()} == {*films[:2], *texts[:2], "metadata.jsonl"}
    rows = [json.loads(row) for row in (tmp_path / "metadata.jsonl").read_text().splitlines()]
    assert rows == [{"file_name": film, "caption": CAPTION} for film in films[:2]]
    assert run(*command)[0] == 0, "the same command writes the others"
    assert {p.name for p in tmp_path.glob("*.mp4")} == {*films}


@pytest.mark.parametrize("more", [("--frames", 20), ("--then", CAPTION), ("--fps", 24)])
def test_layers_are_of_a_clip_as_in_training(trained: Path, tmp_path: Path, more: tuple):
    command = ("video", "sample", trained, CAPTION, "--parts", *more, "--to", tmp_path / "to")
    code, _, said = run(*command)
    assert code == 2 and "--parts draws the layers of a clip as in training" in said
    assert not list((tmp_path / "to").iterdir())


def test_no_clip_is_written_whose_layers_are_missing(tmp_path: Path):
    assert (
        run("video", "train", *TINY, "--model", "tfgan", "--steps", 1, "--to", tmp_path / "r")[0]
        == 0
    )
    code, _, said = run(
        "video", "sample", tmp_path / "r", CAPTION, "--parts", "--to", tmp_path / "to"
    )
    assert code == 1 and "its clips have no layers" in said
    assert not list((tmp_path / "to").iterdir())


def test_the_same_seed_writes_the_same_bytes(trained: Path, tmp_path: Path):
    for name, seed in (("one", 4), ("same", 4), ("other", 5)):
        command = ("video", "sample", trained, CAPTION, "--seed", seed, "--format", "png")
        assert run(*command, "--to", tmp_path / name)[0] == 0
    one, same, other = (next((tmp_path / n).glob("*.png")) for n in ("one", "same", "other"))
    assert one.read_bytes() == same.read_bytes() != other.read_bytes()


def test_a_clip_of_that_name_is_not_overwritten_and_that_is_said_before_one_is_sampled(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from videogen.model import Model

    command = ["video", "sample", trained, CAPTION, "--device", "cpu", "--to", tmp_path]
    assert run(*command)[0] == run(*command)[0] == 0, "the same clip can be written again"
    with monkeypatch.context() as patch:
        patch.setattr(Model, "clips", None)
        code, _, complaint = run(*command, "--scale", 2)
        assert code == 1
        assert f"tiny-seed0-{NAME}.mp4 is there and holds another clip" in complaint
        assert "--overwrite" in complaint
    assert run(*command, "--scale", 2, "--overwrite")[0] == 0
    with av.open(str(tmp_path / f"tiny-seed0-{NAME}.mp4")) as file:
        assert file.streams.video[0].height == 32


def test_the_lines_of_the_readme_write_the_clip_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (lines,) = [code for code in re.findall(r"```python\n(.+?)```", text, re.S) if "clips" in code]
    monkeypatch.chdir(tmp_path)
    exec(lines, {})
    assert run("video", "sample", CAPTION, "--seed", 1, "--format", "mp4", "--to", "clips")[0] == 0
    one, other = (
        [frame.to_ndarray() for frame in av.open(str(path)).decode(video=0)]
        for path in (tmp_path / "clip.mp4", tmp_path / "clips" / f"shapes-seed1-{NAME}.mp4")
    )
    assert np.array_equal(one, other)


def test_captions_of_any_length_and_script_are_written_and_found(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from videogen.data.sources.listing import listing

    monkeypatch.setattr("videogen.continuation.STEPS", 1)  # of clips that nobody looks at
    captions = ["a dog " * 150, "犬が走る " * 30, "a dog: runs?", CAPTION]
    command = [
        "video",
        "sample",
        trained,
        *captions,
        "--device",
        "cpu",
        "--loop",
        "--to",
        tmp_path,
    ]
    assert run(*command)[0] == 0
    found = listing([str(tmp_path)]).clips
    assert len(found) == 4
    assert [clip.caption for clip in found] == [" ".join(text.split()) for text in captions]
    assert {(clip.origin, Path(clip.name).suffix) for clip in found} == {("text", ".mp4")}
    assert all(len(path.name.encode()) <= 143 for path in tmp_path.iterdir())


def test_size_and_formats_are_options_of_every_command_that_writes_clips(
    trained: Path, tmp_path: Path
):
    options = ["--format", "webm,png-sequence", "--scale", 3, "--resize", "lanczos"]
    for command in (["sample", trained, CAPTION], ["vary", trained, CAPTION, "--count", 1]):
        to = tmp_path / command[0]
        code, said, _ = run("video", *command, *options, "--device", "cpu", "--to", to)
        assert code == 0
        films = [Path(line) for line in said.splitlines() if line.endswith(".webm")]
        assert len(films) == 1 and decoded(films[0]) == 16
        with av.open(str(films[0])) as file:
            assert file.streams.video[0].height == 48
        assert len(list(films[0].with_suffix("").iterdir())) == 16


def test_what_lies_between_two_captions_comes_with_the_nearer_one(trained: Path, tmp_path: Path):
    """Variations and points between are read back with a caption, as samples are."""
    from videogen.data.sources.listing import listing

    other = "A large white square is moving in a straight line towards west"
    common = ("--device", "cpu", "--format", "mp4", "--to", tmp_path)
    assert run("video", "interpolate", trained, CAPTION, other, "--points", 4, *common)[0] == 0
    ends = [shortened(slug(text), limit=48) for text in (CAPTION, other)]
    between = f"tiny-seed0-interpolation-{'-'.join(ends)}"
    film = tmp_path / f"{between}-004.mp4"
    assert run("video", "vary", trained, film, "--count", 1, *common)[0] == 0
    read = {Path(clip.name).name: clip.caption for clip in listing([str(tmp_path)]).clips}
    assert read == {
        f"{between}-001.mp4": CAPTION,
        f"{between}-002.mp4": CAPTION,
        f"{between}-003.mp4": other,
        f"{between}-004.mp4": other,
        f"tiny-seed0-variation-{shortened(film.stem)}-1.mp4": other,
    }


@pytest.mark.parametrize("name", ["rex.mp4", "rex.png"])
def test_a_file_in_the_place_of_a_caption_is_refused(tmp_path: Path, name: str):
    (tmp_path / name).touch()
    code, _, complaint = run("video", "sample", tmp_path / name, "--to", tmp_path / "to")
    assert code == 2
    assert f"{name} names a file, and is no caption: --start begins" in complaint
    assert not (tmp_path / "to").exists()


def test_unknown_words_are_named_and_prompts_are_read(trained: Path, tmp_path: Path):
    (tmp_path / "captions.txt").write_text("A purple dog\n\nA red circle\n")
    command = (
        "video",
        "sample",
        trained,
        "--prompts",
        tmp_path / "captions.txt",
        "--best-of",
        1,
        "--to",
        tmp_path / "to",
    )
    code, said, complaint = run(*command)
    assert code == 0
    assert complaint.startswith(
        '"A purple dog" is not like the sentences in training (it has words never seen there: '
        'purple, dog); nearest: "A '
    )
    assert complaint.count("A purple dog") == 1
    assert {p.stem for p in map(Path, said.splitlines())} == {
        "tiny-seed0-a-purple-dog",
        "tiny-seed1-a-red-circle",
    }


def test_without_a_caption_some_of_the_training_captions_are_taken(trained: Path, tmp_path: Path):
    code, said, _ = run("video", "sample", trained, "--format", "mp4", "--to", tmp_path)
    assert code == 0
    assert 1 < len([line for line in said.splitlines() if line.endswith(".mp4")]) <= 8


def test_training_goes_on_where_it_stopped(trained: Path):
    before = (trained / "metrics.jsonl").read_text()
    code, _, _ = run("video", "train", *TINY, "--steps", 3, "--to", trained)
    assert code == 0
    after = (trained / "metrics.jsonl").read_text()
    assert after.startswith(before)
    assert '"step": 3' in after.removeprefix(before)


def test_a_dry_run_prints_what_can_be_set(tmp_path: Path):
    settings = ("--set", "model.video.text_filter=false", "--dry-run")
    code, said, _ = run("video", "train", *TINY, *settings, "--to", tmp_path / "run")
    assert code == 0
    assert "text_filter: false" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["train", "--to", "run"], 2, "give either DATA, or --shapes"),
        (["train", "nowhere", "--to", "run"], 1, "nowhere holds no prepared data"),
        (["train", *TINY, "--to", "run", "--model", "gits"], 2, "did you mean 'gist'"),
        (["train", *TINY, "--to", "run", "--model", "musegan"], 2, "lacks: statistics"),
        (["train", *TINY, "--to", "run", "--set", "model.game=hing"], 2, "did you mean 'hinge'"),
        (["sample", "runs/nowhere", CAPTION], 1, "runs/nowhere is no folder"),
        (["sample", "--prompts", "absent.txt"], 1, "cannot read absent.txt"),
        (["sample", "--start", "absent.png"], 1, "absent.png: there is no such file: correct"),
        (
            ["prepare", ".", "--check", "--hold-out", "absent.txt"],
            2,
            "neither a file nor one of auto",
        ),
        (
            ["prepare", ".", "--check", "--set", "size=15"],
            2,
            "must be at least 16, got 15",
        ),
        (["prepare", ".", "--check", "--set", "frames=1"], 2, "must be at least 2, got 1"),
        (["prepare", ".", "--check", "--shard", "1/2"], 2, "leave --shard out"),
        (["sample", CAPTION, "--format", "mp4,git"], 2, "'git': did you mean 'gif'"),
        (["sample", CAPTION, "--only", "png", "--scale", 3], 2, "leave --scale out, or add one"),
        (["sample", CAPTION, "--start", "notes.txt"], 1, "notes.txt: it is neither a film nor"),
        (["reconstruct", "LICENSE"], 1, "LICENSE: it is neither a film nor a picture"),
    ],
)
def test_bad_input_gets_a_sentence(arguments, code, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("notes.txt", "LICENSE"):
        Path(name).write_text("of the day")
    answered, _, complaint = run("video", *arguments)
    assert answered == code
    assert sentence in complaint
    assert complaint.startswith("error: ")


def test_a_run_is_measured_beside_another_one(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PIANOREEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("videogen.measures.classifier.STEPS", 2)
    command = ["video", "evaluate", trained, "--count", 8, "--device", "cpu"]
    other = shutil.copytree(trained, tmp_path / "other")
    code, said, complaint = run(*command, "--beside", other, "--to", tmp_path / "report")
    assert (code, complaint) == (0, "")
    assert "held-out captions" in said
    assert (tmp_path / "report" / "evaluation.png").is_file()
    code, said, _ = run(*command, "--json")
    rows = json.loads(said)["rows"]
    assert [row["name"] for row in rows[:3]] == ["tiny", "real clips", "captions exchanged"]
    assert rows[1]["attributes"]["all"] == 1
    written = json.loads((tmp_path / "report" / "evaluation.json").read_text())["rows"]
    assert written[0] == rows[0]
    names = ["tiny", "other", "real clips", "captions exchanged"]
    assert [row["name"] for row in written[:4]] == names, "the models together"
