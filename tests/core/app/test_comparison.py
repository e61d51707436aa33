"""Models side by side, and models that go between two collections, as a user meets them."""

import json
from pathlib import Path

import numpy as np
import pytest
from command import run
from matplotlib.figure import Figure
from rich.table import Table

from core.app.comparison import Contender, contenders, markdown, write
from core.errors import ConfigError
from core.files import locked
from core.training.run import Run
from musegen.data.band import song
from musegen.files.midi import read_midi, write_midi
from musegen.model import DOMAIN as MUSIC
from musegen.roll import Grid
from musegen.tracks import LAKH
from videogen.model import DOMAIN as VIDEO

pytestmark = pytest.mark.usefixtures("quick_evaluation")

TINY = ("--preset", "tiny", "--steps", 2, "--device", "cpu")
SHAPES = ("--shapes", "--set", "train.batch_size=2")
GRID = Grid(steps_per_beat=4)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIANOREEL_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("videogen.measures.classifier.STEPS", 8)
        yield


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Funk and ballads of the band."""
    folder = tmp_path_factory.mktemp("data")
    for style in ("funk", "ballad"):
        size = ("--steps-per-beat", 4, "--bars", 4)
        command = ("--band", 3, "--style", style, *size, "--to", folder / style)
        assert run("music", "prepare", *command)[0] == 0
    return folder / "funk", folder / "ballad"


@pytest.fixture(scope="module")
def translating(collections: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "funk"
    funk, ballad = collections
    command = ("--other", ballad, "--model", "cyclegan", *TINY, "--to", folder)
    assert run("music", "train", funk, *command)[0] == 0
    return folder


def test_the_band_plays_in_one_style(collections: tuple[Path, Path]):
    for folder, style in zip(collections, ("funk", "ballad"), strict=True):
        answers = [
            json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()
        ]
        assert {answer["style"] for answer in answers} == {style}
    code, _, complaint = run("music", "prepare", "--band", 2, "--style", "funky", "--to", "x")
    assert code == 2
    assert "did you mean 'funk'" in complaint


@pytest.mark.slow
def test_models_of_songs_are_trained_and_measured_side_by_side(
    collections: tuple[Path, Path], tmp_path: Path
):
    funk, ballad = collections
    models = [option for name in ("vae", "gan", "cyclegan") for option in ("--model", name)]
    command = ["music", "compare", funk, "--other", ballad, *models, *TINY, "--count", 6]
    code, _, complaint = run(*command, "--to", tmp_path)
    assert (code, complaint) == (0, "1 of 3: vae\n2 of 3: gan\n3 of 3: cyclegan\n")
    rows = {r["name"]: r for r in json.loads((tmp_path / "evaluation.json").read_text())["rows"]}
    assert [n for n, r in rows.items() if r["kind"] == "generated"] == ["vae", "gan", "cyclegan"]
    assert rows["gan"]["reconstruction"] is None
    f1 = {name: rows[name]["reconstruction"] for name in ("vae", "cyclegan")}
    assert 0 <= f1["vae"] < f1["cyclegan"] <= 1  # CycleGAN starts as a copy
    written = (tmp_path / "comparison.md").read_text()
    for line in ("| model | steps | seconds | parameters |", "| cyclegan |", "| held-out songs |"):
        assert line in written
    assert (tmp_path / "models.png").stat().st_size > 10_000
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    assert "![](models.png)\n\n![](curves.png)" in written


@pytest.mark.slow
def test_models_of_clips_are_trained_and_measured_side_by_side(tmp_path: Path):
    started = f"gist_gan start={tmp_path}/runs/gist"
    names = ("gist", "vq_vae", "cyclegan", started)
    models = [option for name in names for option in ("--model", name)]
    command = ["video", "compare", *SHAPES, "--showing", "red", "--other", "blue", *models, *TINY]
    code, said, complaint = run(*command, "--count", 8, "--to", tmp_path)
    titles = ("gist", "vq_vae", "cyclegan", "gist_gan-from-gist")
    expected = "".join(f"{n} of 4: {title}\n" for n, title in enumerate(titles, 1))
    assert (code, complaint) == (0, expected)
    assert Run.read(tmp_path / "runs" / titles[-1]).config["start"] == f"{tmp_path}/runs/gist"
    newest = tmp_path / "runs" / "gist" / "checkpoints" / "step-00000002"
    before = newest.stat().st_mtime_ns
    assert run(*command, "--count", 8, "--to", tmp_path)[:2] == (0, said)  # resumed
    assert newest.stat().st_mtime_ns == before
    rows = json.loads((tmp_path / "evaluation.json").read_text())["rows"]
    of = {(row["group"], row["name"]): row for row in rows}
    group = "one shape, seen captions"
    assert of[group, "other clips"]["attributes"]["all"] == 1
    assert of[group, "real clips"]["attributes"]["all"] == 1
    assert of[group, "cyclegan"]["attributes"]["path"] > 0.5  # a little trained, nearly a copy
    assert "| vq_vae |" in (tmp_path / "comparison.md").read_text()
    assert (tmp_path / "models.png").stat().st_size > 1000


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    roll, _ = song(5, GRID)
    write_midi(roll, tmp_path / "mine.mid")
    return tmp_path / "mine.mid"


@pytest.mark.slow
def test_a_song_is_translated_and_back(translating: Path, mine: Path, tmp_path: Path):
    names = {(): "translation-mine", ("--back",): "translation-back-mine"}
    for back, kind in names.items():
        command = ("music", "translate", translating, mine, *back)
        code, said, _ = run(*command, "--device", "cpu", "--to", tmp_path / "to")
        assert code == 0
        assert str(tmp_path / "to" / f"{translating.name}-{kind}.mid") in said
        assert str(tmp_path / "to" / f"{translating.name}-{kind}-both.png") in said
    path = tmp_path / "to" / f"{translating.name}-translation-mine.mid"
    translated = read_midi(path, LAKH, GRID).roll()
    assert abs(translated.bars - read_midi(mine, LAKH, GRID).roll().bars) <= 4
    assert np.any(translated.cells)


def test_a_clip_is_translated(tmp_path: Path):
    command = ("video", "train", *SHAPES, "--showing", "red", "--other", "blue", *TINY)
    assert run(*command, "--model", "cyclegan", "--to", tmp_path / "run")[0] == 0
    caption = "A small blue circle is moving in a zigzag path towards north"
    assert run("video", "train", *SHAPES, *TINY, "--to", tmp_path / "gist")[0] == 0
    options = ("--device", "cpu", "--format", "mp4", "--to", tmp_path / "to")
    run("video", "sample", tmp_path / "gist", caption, *options)
    film = next((tmp_path / "to").glob("*.mp4"))
    code, said, complaint = run("video", "translate", tmp_path / "run", film, "--to", tmp_path)
    assert (code, complaint) == (0, "")
    assert (tmp_path / f"run-translation-{film.stem}-both.png").is_file()
    assert str(tmp_path / f"run-translation-{film.stem}.mp4") in said
    wanted = "video", "evaluate", tmp_path / "run", "--count", 8
    code, _, complaint = run(*wanted)
    assert (code, "--other" in complaint) == (1, True)
    assert run(*wanted, "--other", "blue")[0] == 0


def test_what_does_not_translate_says_so(
    translating: Path, collections: tuple[Path, Path], mine: Path, tmp_path: Path
):
    funk, _ = collections
    code, _, complaint = run("music", "sample", translating, "--to", tmp_path)
    assert (code, "translates: give it files" in complaint) == (1, True)
    code, _, complaint = run("music", "evaluate", translating, "--against", funk)
    assert (code, "--other" in complaint) == (1, True)
    code, _, complaint = run("music", "vary", translating, 1, "--to", tmp_path)
    assert (code, "has no latent space" in complaint) == (1, True)
    assert run("music", "train", funk, "--model", "vae", *TINY, "--to", tmp_path / "vae")[0] == 0
    code, _, complaint = run("music", "translate", tmp_path / "vae", mine)
    assert (code, "does not translate" in complaint) == (1, True)


def test_all_that_can_take_part_do():
    songs, clips = ([one.model for one in contenders(d, [])] for d in (MUSIC, VIDEO))
    assert {"vae", "wgan_gp", "autoregressive", "musegan", "vq_vae"} <= set(songs)
    assert {"gist", "cgan", "pix2pix", "tfgan", "vgan"} <= set(clips)
    for out in ("ae", "cyclegan", "nice", "dann", "pixelcnn"):
        assert out not in (*songs, *clips)
    assert Contender("cyclegan") in contenders(MUSIC, [], two=True)
    assert contenders(MUSIC, ["note_transformer"]) == [Contender("note_transformer")]
    for named, said in {
        "van": "no model is called 'van'",
        "ppca": "ppca needs what music lacks: vectors",
        "cyclegan": "give the second by --other",
    }.items():
        with pytest.raises(ConfigError, match=said):
            contenders(MUSIC, ["vae", named])


def test_a_wrong_setting_of_the_last_is_refused_before_the_first_trains(tmp_path: Path):
    models = ("--model", "vae", "--model", "gan foo=3")
    code, _, said = run("ring", "compare", *models, *TINY, "--to", tmp_path)
    assert (code, "unknown key 'foo'" in said) == (2, True), said
    assert not (tmp_path / "runs").exists()


def test_a_comparison_is_not_written_into_a_collection(tmp_path: Path):
    (tmp_path / "prepare.json").write_text("{}")
    code, _, said = run("ring", "compare", "--model", "vae", *TINY, "--to", tmp_path)
    assert (code, "holds a prepared collection: choose an empty or" in said) == (2, True), said
    assert [path.name for path in tmp_path.iterdir()] == ["prepare.json"]


def test_of_two_comparisons_in_one_folder_the_second_is_refused(tmp_path: Path):
    """Each would leave out the model that the other trains, and the last write its tables."""
    command = ("ring", "compare", "--model", "vae", *TINY, "--count", 9, "--to", tmp_path)
    with locked(tmp_path):
        code, _, said = run(*command)
        assert (code, f"works in {tmp_path}: wait for it" in said) == (1, True), said
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert run(*command)[0] == 0


def test_a_comparison_without_one_of_its_models_is_written_and_no_success(tmp_path: Path):
    models = ("--model", "vae", "--model", "gan")
    command = ("ring", "compare", *models, *TINY, "--count", 9, "--to", tmp_path)
    (tmp_path / "runs" / "gan").mkdir(parents=True)
    with locked(tmp_path / "runs" / "gan"):
        code, out, said = run(*command)
    assert (code, "error: the tables are without gan: once that is fixed" in said) == (1, True)
    assert out.splitlines()[-1] == str(tmp_path / "comparison.md")
    assert run(*command)[0] == 0


@pytest.mark.parametrize("start", ["nowhere", "{to}/runs/wgan", "{to}/runs/gan-from-wgan"])
def test_a_start_that_nothing_trains_is_refused_before_the_first_trains(
    tmp_path: Path, start: str
):
    """Neither a run that is there, nor one that an earlier model of the comparison trains."""
    second = f"gan start={start.format(to=tmp_path)}"
    models = ("--model", "vae", "--model", second, "--model", "wgan")
    code, _, said = run("ring", "compare", *models, *TINY, "--to", tmp_path)
    assert (code, "is no folder: give a run" in said) == (1, True), said
    assert not (tmp_path / "runs").exists()


def test_the_command_of_a_comparison_can_be_pasted(tmp_path: Path):
    command = ["pianoreel", "compare", "--model", "gan start=a b", "--to", "c"]
    written = write([], [], command, tmp_path).read_text()
    assert "`pianoreel compare --model 'gan start=a b' --to c`" in written


def test_a_table_with_its_caption_becomes_markdown():
    table = Table(title="sizes", caption="- size: in metres")
    table.add_column("name")
    table.add_column("size", justify="right")
    table.add_row("one", "1")
    lines = ["### sizes", "", "| name | size |", "| --- | --: |", "| one | 1 |"]
    lines += ["", "- size: in metres"]
    assert markdown(table).splitlines() == lines


def test_each_model_of_points_has_a_ring_of_its_own_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One point of each over one ring showed nothing, and no name."""
    figures = list[Figure]()
    monkeypatch.setattr("core.ring.domain.write_figure", lambda figure, _: figures.append(figure))
    models = ("--model", "vae", "--model", "gan")
    assert run("ring", "compare", *models, *TINY, "--count", 9, "--to", tmp_path)[0] == 0
    drawn = figures[-1].axes
    assert [axes.get_title() for axes in drawn] == ["real", "vae", "gan"]
    assert {len(np.asarray(axes.collections[1].get_offsets())) for axes in drawn} == {500}
