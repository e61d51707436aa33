"""Films with music: cut on bars, decoded again; music under a clip."""

from pathlib import Path

import av
import numpy as np
import pytest
from command import run
from matplotlib.image import imread

from core.errors import ConfigError
from videogen.files.clip import SAMPLE_RATE_HZ
from videogen.files.label import origin_of
from videogen.rendering.reel import format_of

CAPTIONS = (
    "A small red circle is moving in a zigzag path towards north",
    "A large blue square is moving in a straight line towards east",
    "A small yellow triangle is moving in a diagonal path in the southeast direction",
)


def decoded(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The frames and the sound of a film."""
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    with av.open(str(path)) as file:
        sound = np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], 1)
    return np.stack(frames), sound


def decibels(sound: np.ndarray) -> float:
    return 20 * np.log10(np.sqrt((sound**2).mean()) + 1e-9)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "to" / "film.mp4"
    options = ("--tempo-bpm", 100, "--bars-per-clip", 1, "--seed", 5, "--device", "cpu")
    code, said, complaint = run("reel", *CAPTIONS, *options, "--to", path)
    assert (code, complaint) == (0, "")
    assert said.splitlines() == [str(path), str(path.with_suffix(".png"))]
    return path


def test_scenes_are_cut_on_the_bars_of_the_music(film: Path):
    """A bar of 4/4 at 100 beats a minute lasts 2.4 seconds; colours tell the scenes apart."""
    frames, sound = decoded(film)
    assert len(frames) / 24 == pytest.approx(3 * 2.4, abs=1 / 24)
    assert sound.shape[1] / SAMPLE_RATE_HZ == pytest.approx(3 * 2.4, abs=0.05)
    light = frames.astype(float).mean((1, 2))  # [time rgb]
    scene = np.select([light[:, 2] > light[:, 0], light[:, 1] > light[:, 0] / 2], [1, 2], 0)
    cuts = np.flatnonzero(np.diff(scene)) + 1
    assert scene[0] == 0 and scene[-1] == 2
    assert cuts / 24 == pytest.approx([2.4, 4.8], abs=1 / 24)


def test_no_film_is_written_beside_the_picture_of_another(tmp_path: Path):
    (tmp_path / "film.png").write_bytes(b"another")
    options = ("--tempo-bpm", 100, "--bars-per-clip", 1, "--device", "cpu")
    code, _, complaint = run("reel", CAPTIONS[0], *options, "--to", tmp_path / "film.mp4")
    assert (code, complaint.split(":")[0]) == (1, "error")
    assert [path.name for path in tmp_path.iterdir()] == ["film.png"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((120, 10, 2), "5760 frames, and at most 4096 are sampled: lower"),
        ((1, 400, 1), "no frame: raise"),
    ],
)
def test_scenes_too_long_or_short_are_refused_by_the_options_of_a_reel(
    values: tuple[int, int, int], said: str, tmp_path: Path
):
    """At 10 beats a minute two bars of 4/4 last 48 seconds, at 400 one lasts 0.6."""
    names = ("--fps", "--tempo-bpm", "--bars-per-clip")
    options = [text for pair in zip(names, values, strict=True) for text in pair]
    to = ("--device", "cpu", "--to", tmp_path / "film.mp4")
    code, _, complaint = run("reel", *CAPTIONS[:2], *options, *to)
    assert (code, complaint) == (2, f"error: a scene would have {said} --fps or --bars-per-clip\n")
    assert list(tmp_path.iterdir()) == []


def test_the_picture_shows_scenes_as_the_film_does(film: Path):
    """A pixel of 32 in a frame of 128 would be a square of 4, as all edges would lie."""
    first = imread(film.with_suffix(".png"))[40:150, 6:130]
    edges = np.flatnonzero(np.abs(np.diff(first, axis=1)).max((0, 2)) > 0.1)
    assert len({*(edges % 4)}) > 1


def test_a_film_sounds_throughout_and_fades_out(film: Path):
    _, sound = decoded(film)
    seconds = [sound[:, n * SAMPLE_RATE_HZ : (n + 1) * SAMPLE_RATE_HZ] for n in range(6)]
    assert min(map(decibels, seconds)) > -40
    assert -26 < decibels(sound[:, : 6 * SAMPLE_RATE_HZ]) < -10
    assert np.abs(sound).max() <= 1
    end = round(3 * 2.4 * SAMPLE_RATE_HZ)
    assert decibels(sound[:, end - 2000 : end]) < decibels(seconds[-1]) - 20


def test_a_film_says_what_it_shows_and_is_not_overwritten(film: Path):
    with av.open(str(film)) as file:
        assert file.metadata["title"] == "; ".join(CAPTIONS)
    origin = origin_of(film)
    assert all(caption in origin for caption in CAPTIONS)
    assert "lookback_rnn, seed 5" in origin and "seed 5" in origin.removesuffix("seed 5")
    code, _, complaint = run("reel", CAPTIONS[0], "--seed", 5, "--to", film)
    assert code == 1
    assert f"{film} is there and holds another clip" in complaint


def test_a_film_is_named_with_its_format():
    assert format_of(Path("a/film.WEBM")) == ("webm",)
    with pytest.raises(ConfigError, match=r"mp4 or webm: --to film\.mp4"):
        format_of(Path("film.gif"))


def test_a_song_lies_under_a_clip_as_long_as_it(tmp_path: Path):
    command = ["video", "sample", CAPTIONS[0], "--seed", 3, "--music", "--device", "cpu"]
    assert run(*command, "--music-run", "latent_musegan", "--to", tmp_path)[0] == 0
    (clip,) = tmp_path.glob("shapes-seed3-*.mp4")
    frames, sound = decoded(clip)
    assert len(frames) == 16
    assert sound.shape[1] / SAMPLE_RATE_HZ == pytest.approx(2, abs=0.05)
    assert decibels(sound[:, : round(1.5 * SAMPLE_RATE_HZ)]) > -30
    assert "music latent_musegan" in origin_of(clip)
    silent = ["video", "sample", CAPTIONS[0], "--format", "gif", "--music", "--to", tmp_path]
    code, _, complaint = run(*silent)
    assert (code, "add one of them to --format" in complaint) == (2, True)
