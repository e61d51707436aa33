"""Captions that a model cannot mean: the distance by hand, and the shipped weights."""

import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
import yaml
from command import run
from films import greys

from core.app.latent_commands import place
from videogen.data.collection import Collection, Video
from videogen.data.preparation import prepare
from videogen.data.records import PrepareConfig
from videogen.familiarity import MARGIN, Familiarity
from videogen.files.clip import write_gif, write_mp4
from videogen.model import Model, train
from videogen.shapes.dataset import MovingShapes
from videogen.shapes.grammar import CAPTIONS, COLOURS, COMPASS, DIAGONALS, WORDS, split_of

RED = "A small red circle is moving in a "
PLACES = {
    "low left": (0.0, 0.0),
    "low right": (2.0, 0.0),
    "top left": (0.0, 1.0),
    "top right": (2.0, 1.0),
}
OTHERS = {
    "beside": (3.0, 0.1),
    "top beside": (3.0, 0.1),
    "right": (4.05, 0.0),
    "far right": (4.2, 0.0),
}


def read(captions: Sequence[str]) -> torch.Tensor:
    """Places in the plane as conditions."""
    return torch.tensor([(PLACES | OTHERS)[text] for text in captions])


def test_distances_are_measured_in_the_spread_of_training_captions():
    """The variances are 1 and 1/4, and with a thousandth of the first 1.001 and 0.251.

    Corners are 2 / sqrt(1.001) = 1.999 apart along x, 1 / sqrt(0.251) = 1.996 along y.
    """
    known = Familiarity(list(PLACES), read)
    assert known.radius == pytest.approx(MARGIN / 0.251**0.5)
    nearest, distance = known.nearest("beside")
    assert nearest == "low right"
    assert distance == pytest.approx((1 / 1.001 + 0.01 / 0.251) ** 0.5, abs=1e-5)
    assert known.objection("right") == ""  # 2.05 away, of 2.096
    far = known.objection("far right")  # 2.20 away
    assert far == '"far right" is not like the sentences in training; nearest: "low right"'


def test_the_sentence_that_is_proposed_shares_the_most_words():
    """The nearest of those that share as many; the least distance is that of any."""
    known = Familiarity(list(PLACES), read)
    (low, near), (top, same) = known.nearest("beside"), known.nearest("top beside")
    assert (low, top) == ("low right", "top right")
    assert same == near


def test_the_sentence_that_is_proposed_shares_rare_words_and_parts_of_words():
    """By hand, of four clauses: "cat" is in one, "rain" in two, "in" in all."""
    clauses = ["dogs in rain", "cats in snow", "dogs in snow", "cows in rain"]
    known = Familiarity(clauses, lambda texts: torch.zeros(len(texts), 2))
    assert known.nearest("cats in rain")[0] == "cats in snow"
    assert known.nearest("the dog in a snowfall")[0] == "dogs in snow"
    assert known.nearest("cow")[0] == "cows in rain"


@pytest.mark.parametrize(
    ("caption", "proposed"),
    [
        ("a large red circle moves in a straight path to the east", "straight line towards east"),
        ("a small red circle goes diagonally to the north east", "in the northeast direction"),
        ("smal red circel zigzaging north", "zigzag path towards north"),
    ],
)
def test_shipped_weights_propose_the_sentence_that_is_meant(caption: str, proposed: str):
    known = Model.load("shapes", device="cpu").familiarity
    assert known is not None and known.nearest(caption)[0].endswith(proposed)


def test_captions_are_familiar_up_to_the_largest_distance_of_neighbours_in_training():
    """Conditions 0, 1 and 3: the neighbours are 1, 1 and 2 apart, of a variance of 14 / 9."""
    numbers = {"a": 0.0, "b": 1.0, "c": 3.0}
    known = Familiarity(
        ["a", "b", "c"], lambda said: torch.tensor([[numbers[one]] for one in said])
    )
    assert known.radius == pytest.approx(1.05 * 2 / (14 / 9 * 1.001) ** 0.5)


def test_captions_of_held_out_videos_are_not_those_of_training():
    data = object.__new__(Collection)
    data.videos = [Video("1", "", "train", "a dog"), Video("2", "", "test", "a cat")]
    assert data.captions_in_training(9) == ["a dog"]


def test_a_caption_alone_in_training_is_the_only_familiar_one():
    known = Familiarity(["low right"], read)
    assert known.objection("low right") == ""
    assert known.objection("beside").endswith('nearest: "low right"')


def test_longer_captions_than_any_and_those_without_words_are_objected_to():
    known = Familiarity(["low left", "top right"], lambda texts: torch.zeros(len(texts), 3))
    assert "(3 words, and there at most 2)" in known.objection("low low left")
    assert "(it has no words)" in known.objection("🐶 ...")
    unknown = [f"word{number}" for number in range(9)]
    assert known.objection("low", unknown).count("word") == 1 + 6
    assert "and 3 more)" in known.objection("low", unknown)


def test_clauses_are_compared_apart():
    """Each with the clauses in training, wherever these stood."""

    def split(caption: str) -> list[str]:
        return caption.split(" and ")

    known = Familiarity(["low left and top right", "low right", "top left"], read, split)
    assert known.radius == pytest.approx(MARGIN / 0.251**0.5)
    assert known.objection("top right and right") == ""
    assert known.objection("low left and far right").endswith('nearest: "low right"')
    assert known.objection("low left and far right").count('(it joins "low" and "left", ') == 1
    assert known.objection("far right and low left").endswith('nearest: "low right"')
    assert "(3 clauses, and there at most 2)" in known.objection("right and right and right")


def test_a_sentence_is_proposed_as_it_is_written_in_training():
    """Its clauses are compared in lower case; one that never stands alone is shown so."""

    def split(caption: str) -> list[str]:
        return caption.lower().split(" and ")

    known = Familiarity(["Low Left and top right", "Low RIGHT", "top left"], read, split)
    assert known.objection("far right").endswith('nearest: "Low RIGHT"')
    known = Familiarity(["Low Left and LOW right", "top left"], read, split)
    assert known.objection("far right").endswith('nearest: "low right"')


def test_halves_that_were_seen_apart_are_named():
    """The first as long as a sentence in training has it; a familiar clause names none."""
    seen = [
        "a man in red waves",
        "a man in green bends down",
        "a girl waves",
        "a boy in red jumps",
    ]
    numbers = {text: torch.tensor([float(n), 0.0]) for n, text in enumerate(seen)}
    known = Familiarity(
        seen, lambda texts: torch.stack([numbers.get(t, torch.tensor([9.0, 9.0])) for t in texts])
    )
    joined = known.objection("A man in green waves")
    assert '(it joins "a man in green" and "waves", never together there); nearest:' in joined
    assert known.objection("a girl waves") == ""
    assert '"a girl" and "bends down"' in known.objection("a girl bends down")
    assert "training; nearest" in known.objection("waves a man in")
    assert "training; nearest" in known.objection("a girl in blue waves")


@pytest.fixture(scope="module")
def shipped() -> Model:
    return Model.load("shapes", "cpu")


def test_shipped_weights_are_silent_on_all_captions_of_the_grammar(shipped: Model):
    """Those in training and those held out, in any case, with and without a full stop."""
    for text in CAPTIONS:
        assert not shipped.objection(text), text
    assert not [text for text in CAPTIONS[::7] if shipped.objection(f"{text.upper()} .")]


def contradictions() -> Iterator[str]:
    colours_and_ways = itertools.product(COLOURS, ("circle", "square"))
    for colour, kind in colours_and_ways:
        of = f"A large {colour} {kind} is moving in a"
        yield from (f"{of} diagonal path in the {way} direction" for way in COMPASS)
        yield from (f"{of} straight line towards {way}" for way in DIAGONALS)
        yield from (f"{of} zigzag path towards {way}" for way in DIAGONALS)


def test_shipped_weights_object_to_contradictions(shipped: Model):
    silent = [text for text in contradictions() if not shipped.objection(text)]
    assert silent == []


def test_shipped_weights_object_to_salads_of_known_words(shipped: Model):
    chance = random.Random(0)
    for text in (chance.choice(CAPTIONS) for _ in range(60)):
        shuffled = text.split()
        chance.shuffle(shuffled)
        assert shipped.objection(" ".join(shuffled))
        assert shipped.objection(" ".join(chance.sample(list(WORDS), 8)))


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("", "(it has no words)"),
        ("🐶🎉", "(it has no words)"),
        ("a purple dog", "(it has words never seen there: purple, dog)"),
        (f"{RED}zigzag path towards north and a large blue square is moving in a straight line "
         "towards south and a small red circle is moving in a zigzag path towards west",
         "(3 clauses, and there at most 2)"),
        (f"{RED}diagonal path in the north direction", 'training; nearest: "A small red'),
        ("A small large red blue circle is moving in a zigzag path towards north", "nearest:"),
        ("A small red circle", "training; nearest:"),
        ("north north north north", "training; nearest:"),
    ],
)  # fmt: skip
def test_shipped_weights_name_the_nearest_caption(shipped: Model, caption: str, reason: str):
    objection = shipped.objection(caption)
    assert "is not like the sentences in training" in objection
    assert reason in objection
    nearest = objection.rpartition('nearest: "')[2].removesuffix('"')
    assert nearest in CAPTIONS


def test_captions_in_training_are_those_of_its_data():
    one = MovingShapes(16, 4).captions_in_training(2000)
    assert set(one) == {text for text in CAPTIONS if split_of(text) == "train"}
    blue = MovingShapes(16, 4, showing="blue").captions_in_training(2000)
    assert set(blue) == {text for text in one if " blue " in text}
    both = MovingShapes(16, 4, counts=(1, 2)).captions_in_training(1000)
    assert both[: len(one)] == one and len(one) + 300 < len(both) == len(set(both)) <= 1000
    assert all(" and " in text and split_of(text) == "train" for text in both[len(one) :])
    assert MovingShapes(16, 4).captions_in_training(5) == one[:5]


def test_python_is_warned_once_and_points_too(shipped: Model, caplog: pytest.LogCaptureFixture):
    model = Model(shipped.networks, shipped.config, shipped.spec, "mine")
    for _ in range(2):
        model.clips(["a dog", CAPTIONS[0]])
        place(model, "a cat", 0)
    assert [record.getMessage().split(" is")[0] for record in caplog.records] == [
        '"a dog"',
        '"a cat"',
    ]


def test_a_file_has_the_caption_of_its_folder_where_only_that_is_known(
    shipped: Model, tmp_path: Path
):
    """A collection prepared by folders has files of any names."""
    known, other = CAPTIONS[0], CAPTIONS[9]
    captions = {f"{known}/rex": known, f"{known}/{other}": other, "dogs/rex": "rex"}
    for name in captions:
        film = tmp_path / f"{name}.gif"
        film.parent.mkdir(exist_ok=True)
        write_gif(greys(9, 99, 200, height=32, width=32), film, 8.0)
        assert shipped.domain.read(shipped, film).conditions == [captions[name]]


def test_commands_that_read_captions_warn_of_them(tmp_path: Path):
    film = tmp_path / "film.mp4"
    write_mp4(greys(9, 99, 200, height=32, width=32), film, 8.0)
    film.with_suffix(".txt").write_text("my holidays")
    commands = {
        "sample": ["a dog"],
        "interpolate": ["a dog", CAPTIONS[0], "--points", 2],
        "arithmetic": ["a dog", CAPTIONS[0], CAPTIONS[1]],
        "vary": ["a dog", "--count", 1],
        "reconstruct": [film],
    }
    for command, arguments in commands.items():
        options = ("--device", "cpu", "--format", "png", "--to", tmp_path / command)
        code, _, complaint = run("video", command, *arguments, *options)
        (line,) = complaint.splitlines()
        caption = "my holidays" if command == "reconstruct" else "a dog"
        assert line.startswith(f'"{caption}" is not like the sentences in training (')
        assert code == 0


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """Six films of one grey each, of which one is held out."""
    for number in range(6):
        path = tmp_path / "films" / f"{number}.gif"
        path.parent.mkdir(exist_ok=True)
        write_gif(greys(*[40 * number] * 4, height=16, width=16), path, 8)
        path.with_suffix(".txt").write_text(f"grey number {number}")
    config = PrepareConfig(size=16, frames=4, test_share=0.2)
    prepare([str(tmp_path / "films")], tmp_path / "data", config, jobs=0)
    return Collection.open(tmp_path / "data")


def test_a_run_keeps_the_captions_of_its_files_and_one_without_them_resumes(
    collection: Collection, tmp_path: Path
):
    training = collection.captions_in_training(2000)
    assert set(training) == {v.caption for v in collection.videos if v.split == "train"}
    middle = training[round((len(training) - 1) / 2)]
    assert collection.captions_in_training(3) == [training[0], middle, training[-1]]
    run_folder = tmp_path / "run"
    train(collection, run_folder, "gist", "tiny", "cpu", ["train.steps=1"])
    model = Model.load(run_folder, "cpu")
    assert model.familiarity and model.familiarity.clauses == training
    assert model.objection(training[0]) == "" != model.objection("grey grey")
    config = run_folder / "config.yaml"
    head, settings = config.read_text().split("train:", 1)
    stored = yaml.safe_load(f"train:{settings}")
    del stored["spec"]["captions"]
    config.write_text(head + yaml.safe_dump(stored))
    assert Model.load(run_folder, "cpu").familiarity is None
    assert "never seen there: dog" in Model.load(run_folder, "cpu").objection("grey dog")
    train(collection, run_folder, "gist", "tiny", "cpu", ["train.steps=2"])
    assert Model.load(run_folder, "cpu").familiarity
