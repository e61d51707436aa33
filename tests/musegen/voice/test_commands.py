"""The commands of voices as a user meets them, and models in Python."""

import json
import os
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from command import run
from note_sounds import CONFIG, RATE, SECONDS, note, wav, write_notes

from core.app import fit
from core.errors import UserError
from core.training.step import TrainState, step
from musegen.playing.voice import Voice
from musegen.voice.data.collection import Collection
from musegen.voice.files import joined
from musegen.voice.fundamental import hear, is_right
from musegen.voice.model import DOMAIN, Model
from musegen.voice.recipes import RECIPES

TINY = ("--preset", "tiny", "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("voices")


@pytest.fixture(scope="module")
def data(folder: Path) -> Path:
    """Notes of two instruments, prepared by the command."""
    wavs, to = write_notes(folder / "wavs"), folder / "data"
    form = ("--rate", RATE, "--seconds", SECONDS, "--lowest", 48, "--highest", 72)
    code, said, complaint = run("voice", "prepare", wavs, "--to", to, *form, "--jobs", 1)
    assert (code, complaint) == (0, "")
    assert "24 notes to train on, 2 held out" in said and "2 instruments: organ, reed" in said
    return to


@pytest.fixture(scope="module")
def trained(folder: Path, data: Path) -> Path:
    """A run of two steps."""
    to = folder / "tiny"
    code, said, complaint = run("voice", "train", data, *TINY, "--steps", 2, "--to", to)
    assert (code, complaint) == (0, "") and str(to) in said
    return to


def samples_of(path: Path) -> tuple[int, np.ndarray]:
    with wave.open(str(path)) as file:
        assert file.getnchannels() == 1
        return file.getframerate(), np.frombuffer(file.readframes(10**6), "<i2")


def test_notes_of_a_pitch_are_written_with_a_picture_and_repeat(trained: Path, tmp_path: Path):
    command = ("voice", "sample", trained, "--pitch", 60, "--count", 2, "--seed", 3)
    code, said, complaint = run(*command, "--device", "cpu", "--to", tmp_path / "one")
    assert (code, complaint) == (0, "")
    names = [Path(line).name for line in said.splitlines()]
    assert names == [
        *("tiny-seed3-C4-001.wav", "tiny-seed3-C4-002.wav"),
        "tiny-seed3-C4-2-notes.png",
    ]
    rate, first = samples_of(tmp_path / "one" / names[0])
    assert (rate, len(first)) == (RATE, SECONDS * RATE)
    assert (first != samples_of(tmp_path / "one" / names[1])[1]).any()
    assert run(*command, "--device", "cpu", "--to", tmp_path / "two")[0] == 0
    for name in names[:2]:
        one, two = (tmp_path / folder / name for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_what_cannot_be_is_said_with_its_cure(trained: Path, data: Path, tmp_path: Path):
    for command, words in (
        (("sample", trained, "--pitch", 90), "knows pitches from C3 (48) to C5 (72), not 90"),
        (("sample", trained, "--pitch", "H4"), "C4,E4,G4"),
        (("interpolate", trained, "C4:x", "C4"), "C4:7"),
        (("train", data, "--model", "cyclegan", "--other", data), "needs what voice lacks: other"),
        (("train", data, "--model", "realnvp"), "needs what voice lacks: maps"),
        (("evaluate", trained), "--against"),
    ):
        code, _, complaint = run("voice", *command, "--to", tmp_path / "x")
        assert code and words in complaint, (command, complaint)


def test_two_timbres_become_one_sound(trained: Path, tmp_path: Path):
    command = ("voice", "interpolate", trained, "C4:1", "E4:2", "--points", 3, "--device", "cpu")
    code, said, complaint = run(*command, "--to", tmp_path)
    assert (code, complaint) == (0, "")
    assert len(said.splitlines()) == 5  # three notes, all in one, and a picture
    _, whole = samples_of(tmp_path / "tiny-seed0-interpolation-c4-1-e4-2.wav")
    assert len(whole) == 2 * SECONDS * RATE, "three notes that overlap by half"


def test_one_sound_passes_from_note_to_note():
    ones = np.ones((3, 100))
    whole = joined(ones)
    assert len(whole) == 200
    share = np.linspace(0, np.pi / 2, 50)
    assert whole[50:100] == pytest.approx(np.sin(share) + np.cos(share))
    assert whole[:50].tolist() == whole[150:].tolist() == [1] * 50


def test_a_file_can_be_varied_and_reconstructed(trained: Path, tmp_path: Path):
    path = tmp_path / "mine.wav"
    path.write_bytes(wav(note(60, seconds=0.4, rate=8000), 8000))
    for command in (("vary", trained, path, "--count", 1), ("reconstruct", trained, path)):
        code, said, complaint = run("voice", *command, "--device", "cpu", "--to", tmp_path)
        assert (code, complaint) == (0, "")
        assert len(said.splitlines()) == 2
    (tmp_path / "noise.wav").write_bytes(wav(np.zeros(800)))
    code, _, complaint = run("voice", "reconstruct", trained, tmp_path / "noise.wav")
    assert code == 1 and "no pitch" in complaint


@pytest.mark.slow
def test_an_evaluation_shows_notes_beside_real_ones_and_noise(
    trained: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PIANOREEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("musegen.voice.measures.classifier.STEPS", 60)
    monkeypatch.setattr("musegen.voice.measures.evaluation.TIMBRES", 2)
    monkeypatch.setattr("musegen.voice.measures.evaluation.OCTAVES", 1)
    command = ("voice", "evaluate", trained, "--against", data, "--count", 12, "--json")
    code, said, complaint = run(*command, "--device", "cpu", "--to", tmp_path / "report")
    assert code == 0, complaint
    rows = json.loads(said)["rows"]
    by_name = {(row["group"], row["name"]): row for row in rows}
    real, noise = by_name["seen pairs", "real notes"], by_name["seen pairs", "noise"]
    assert real["right"] > 0.8 and real["harmonicity"] > 0.98
    assert noise["right"] == 0 and noise["harmonicity"] < 0.7
    assert real["frechet"] < noise["frechet"]
    assert real["named_timbre"] > 0.9
    assert {group for group, _ in by_name} == {"seen pairs", "held-out pairs"}
    assert ("seen pairs", "tiny, known timbres") in by_name
    assert (tmp_path / "report" / "evaluation.png").stat().st_size > 1000
    code, said, _ = run(*command[:-1], "--device", "cpu")
    assert code == 0 and "the judge of pitch" in said and "NDB" in said


def test_a_timbre_is_a_voice_whose_rows_do_not_depend_on_others(trained: Path):
    voice = Model.load(trained, "cpu").voice(seed=5)
    assert isinstance(voice, Voice)
    assert (voice.sample_rate_hz, voice.pitches, voice.velocities) == (RATE, range(48, 73), (127,))
    pitches, velocities = np.array([60, 55, 60]), np.array([1, 64, 127])
    rows = voice.notes(pitches, velocities, 0.1)
    assert rows.shape == (3, 400) and rows.dtype == np.float32
    assert (rows[0] == rows[2]).all() and (rows[0] != rows[1]).any()
    assert (voice.notes(pitches[:1], velocities[:1], 9.0)[0, :400] == rows[0]).all()
    assert (Model.load(trained, "cpu").voice(6).notes(pitches, velocities, 0.1) != rows).any()


@pytest.mark.parametrize("seed", (0, 3))
def test_the_weights_that_ship_have_their_pitches_in_one_timbre(seed: int):
    pitches = np.array([30, 43, 60, 67, 79])
    voice = Model.load(None, "cpu").voice(seed)
    rows = voice.notes(pitches, np.full(5, 100), 1.0)
    for row, pitch in zip(rows, pitches, strict=True):
        assert is_right(hear(row, voice.sample_rate_hz), int(pitch)), pitch
    assert (np.abs(rows).max(1) > 0.03).all() and np.abs(rows).max() < 1


NAMES = [name for name, one in RECIPES.items() if one.needs <= DOMAIN.offers and not one.other]


@pytest.mark.parametrize("name", NAMES)
def test_any_recipe_trains_and_makes_notes(name: str, data: Path):
    prepared, device = Collection.open(data), torch.device("cpu")
    config = fit.configure(DOMAIN, prepared, name, "tiny", ["train.batch_size=4"])
    model, train = config.model, config.train
    networks = model.stabilisers.fit(DOMAIN.networks(config))
    state = TrainState(networks, model.resolved_recipe, train.learner, train.critic, 0.5)
    before = {key: value.clone() for key, value in networks.named_parameters()}
    assert step(state, DOMAIN.batches(prepared, config, device), 0, seed=0)["skipped"] == 0
    changed = {n.split(".")[0] for n, p in networks.named_parameters() if (p != before[n]).any()}
    trained = {name for term in model.resolved_recipe.terms for name in term.trains}
    assert changed >= trained & {"encoder", "decoder", "condition"}
    notes = Model(state.ema, config.model, config.spec, name)
    sounds = notes.generate(DOMAIN.examples(prepared, 2, seed=0), seed=1)
    assert sounds.shape == (2, RATE * SECONDS) and torch.isfinite(sounds).all()
    assert (sounds[0] != sounds[1]).any()


def test_recipes_that_need_what_notes_lack_say_so():
    for name in RECIPES.keys() - set(NAMES):
        with pytest.raises(UserError, match=r"needs|translates"):
            DOMAIN.require(name, has_other=False)


def test_another_game_keeps_the_classifier_of_pitch(data: Path):
    config = fit.configure(DOMAIN, Collection.open(data), "gansynth", "tiny", ["model.game=hinge"])
    (term,) = config.model.resolved_recipe.critics
    assert "pitch" in term.by.formula and term.by.game.__name__ == "hinge"


@pytest.mark.parametrize("name", ["tiny-seed0-C4-1-notes.png", "tiny-seed0-C4-001.wav"])
def test_nothing_is_written_where_a_note_or_a_picture_is_another(
    name: str, trained: Path, tmp_path: Path
):
    (tmp_path / name).write_text("mine")
    command = ("voice", "sample", trained, "--device", "cpu", "--to", tmp_path)
    code, _, complaint = run(*command)
    assert code == 1 and f"{name} is there and holds another item" in complaint
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_notes_of_one_seed_stand_in_one_folder(trained: Path, tmp_path: Path):
    """By their pitches, their number and their timbres; a pitch named twice is one."""
    command = ("voice", "sample", trained, "--device", "cpu", "--to", tmp_path)
    for options in (
        ("--pitch", "C4"), ("--pitch", "D4"), ("--pitch", "D4,62", "--count", 2),
        ("--pitch", "E4,F4", "--one-timbre"),
        ("--pitch", ",".join(map(str, range(48, 65))), "--one-timbre", "--seed", 1),
    ):  # fmt: skip
        code, _, complaint = run(*command, *options)
        assert (code, complaint) == (0, "")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "tiny-seed0-C4-1-notes.png",
        "tiny-seed0-D4-1-notes.png",
        "tiny-seed0-D4-2-notes.png",
        "tiny-seed0-E4-F4-one-timbre-1-notes.png",
        "tiny-seed1-17-pitches-one-timbre-1-notes.png",
    ]


def test_a_device_is_no_recording(trained: Path, tmp_path: Path):
    command = ("voice", "reconstruct", trained, os.devnull, "--device", "cpu", "--to", tmp_path)
    assert run(*command)[::2] == (1, f"error: {os.devnull}: neither a file nor a folder\n")


def test_the_pitch_of_a_sound_file_is_that_of_its_name_as_when_it_is_prepared(tmp_path: Path):
    """NSynth's names have a number: 60 for a file that sounds an octave higher."""
    path = tmp_path / "organ_electronic_001-060-100.wav"
    path.write_bytes(wav(note(72)))
    model: Any = SimpleNamespace(form=CONFIG)
    assert DOMAIN.read(model, path).conditions == ["C4"]
