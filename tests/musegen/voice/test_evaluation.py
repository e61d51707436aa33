"""Evaluation of notes: groups, what the judges say of them, and the tables."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from note_sounds import ORGAN, RATE, REED, SECONDS, collection, note
from torch import nn

from core.errors import UserError
from musegen.voice.data.collection import Collection
from musegen.voice.measures import classifier as classifiers
from musegen.voice.measures import evaluation
from musegen.voice.measures.classifier import Classifier, load_classifier
from musegen.voice.measures.evaluation import (
    SPLITS,
    Evaluation,
    Group,
    Row,
    _bins,
    _Judge,
    evaluate,
)
from musegen.voice.measures.scorecard import LEGEND, tables
from musegen.voice.model import Model
from musegen.voice.spectrogram import Spectrogram

LOWEST, HIGHEST = 48, 72


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Notes of an organ and a reed, every second pitch from 48 to 72."""
    return collection(tmp_path_factory.mktemp("notes"))


def played(pitches: list[int], amplitudes: tuple[float, ...] = ORGAN) -> torch.Tensor:
    sounds = [note(pitch, amplitudes) for pitch in pitches]
    return torch.tensor(np.array(sounds), dtype=torch.float32)


class Listener(Classifier):
    """A classifier that hears the loudest frequency, and a reed by its missing octave."""

    def __init__(self) -> None:
        nn.Module.__init__(self)

    def features(self, sounds: torch.Tensor) -> np.ndarray:
        return torch.fft.rfft(sounds).abs()[:, 20:150:10].numpy()

    def named(self, sounds: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        power = torch.fft.rfft(sounds, 8 * RATE).abs()  # eight bins a Hz
        loudest = 800 + power[:, 800:6000].argmax(1)
        octave = power.gather(1, 2 * loudest[:, None])[:, 0] / power.amax(1)
        hz = loudest / 8
        pitches = (69 + 12 * torch.log2(hz / 440)).round().long() - LOWEST
        return pitches.numpy(), (octave < 0.2).long().numpy()


class Player(Model):
    """A model that plays each pitch as an organ, so many semitones off."""

    def __init__(self, name: str = "player", off: int = 0, rate: int = RATE) -> None:
        self.name, self.off, self.networks = name, off, nn.ModuleDict()
        samples = round(rate * SECONDS)
        self.spec: Any = SimpleNamespace(sample_rate_hz=rate, samples=samples, seconds=SECONDS)

    def samples(self, pitches: list[int], seed: int) -> torch.Tensor:
        return played([pitch + self.off for pitch in pitches])

    def notes_of(self, pitches: list[int], seed: int) -> torch.Tensor:
        """Play the last 13 pitches as a reed where the seed is odd."""
        sounds = played(pitches)
        if seed % 2:
            sounds[-13:] = played(pitches[-13:], REED)
        return sounds


class Octaves(Collection):
    """A collection of these pitches."""

    def __init__(self, lowest: int, highest: int) -> None:
        self.lowest, self.highest = lowest, highest


def test_a_group_is_two_sets_of_notes_that_share_none(data: Collection):
    group = Group.draw(data, "train", 5, seed=1)
    assert group.name == SPLITS["train"]
    sounds = [s.tobytes() for batch in (group.real, group.other) for s in batch.sounds]
    assert len(set(sounds)) == len(sounds) == 10
    same, another = (Group.draw(data, "train", 5, seed) for seed in (1, 2))
    assert (same.real.sounds == group.real.sounds).all()
    assert (another.real.pitches != group.real.pitches).any()


def test_a_group_has_half_of_a_small_split_at_most(data: Collection):
    assert len(data.indices("train")) == 24
    assert len(Group.draw(data, "train", 99, seed=0).real.sounds) == 12
    assert len(Group.draw(data, "test", 99, seed=0).other.sounds) == 1


def test_a_split_of_one_note_is_measured_by_it(data: Collection, monkeypatch: pytest.MonkeyPatch):
    """One of ten recordings is held out; a distance of one note to itself is not measured."""
    (test, *_), train = data.indices("test"), data.indices("train")
    monkeypatch.setattr(data, "indices", lambda of: np.array([test]) if of == "test" else train)
    group = Group.draw(data, "test", 99, seed=0)
    assert len(group.real.sounds) == len(group.other.sounds) == len(group.partners.sounds) == 1
    real, noise = judge(data).rows(group, [], seed=0)
    assert (real.notes, real.right, noise.right) == (1, 1, 0)
    assert math.isnan(real.frechet) and math.isnan(real.bins)


def test_a_partner_is_a_training_note_of_the_instrument_at_another_pitch(data: Collection):
    trained = {s.tobytes() for s in data.notes_of(data.indices("train")).sounds}
    for split in data.splits:
        group = Group.draw(data, split, 12, seed=3)
        assert (group.partners.timbres == group.real.timbres).all()
        assert (group.partners.pitches != group.real.pitches).all()
        assert {s.tobytes() for s in group.partners.sounds} <= trained


@pytest.fixture(autouse=True)
def two_timbres(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constancy is that of two timbres, of the seed and the next."""
    monkeypatch.setattr(evaluation, "TIMBRES", 2)


def judge(data: Collection) -> _Judge:
    return _Judge(Listener(), data)


def test_real_notes_are_right_and_noise_is_not(data: Collection):
    group = Group.draw(data, "train", 12, seed=0)
    real, noise = judge(data).rows(group, [], seed=0)
    assert (real.name, real.kind, real.group) == ("real notes", "real", "seen pairs")
    assert (real.notes, real.named_pitch, real.named_timbre) == (12, 1, 1)
    assert real.right > 0.8 and real.harmonicity > 0.9
    assert (noise.name, noise.kind, noise.right) == ("noise", "baseline", 0)
    assert noise.named_pitch < 0.3 and noise.harmonicity < 0.7
    others = torch.from_numpy(group.other.sounds)
    same = judge(data).row(group, "others", "real", others, group.other.timbres)
    assert min(noise.frechet, real.frechet) > 1 > abs(same.frechet)
    assert (same.named_timbre, noise.diversity > real.diversity) == (1, True)
    assert math.isnan(noise.constancy)


def test_a_model_is_measured_at_the_pitches_of_the_real_notes(data: Collection):
    group = Group.draw(data, "train", 12, seed=0)
    right, off = judge(data).rows(group, [Player(), Player("off", 1)], seed=0)[:2]
    assert (right.name, right.kind) == ("player", "generated")
    assert right.right > 0.8 and right.named_pitch == 1
    assert (off.name, off.right, off.named_pitch) == ("off", 0, 0)
    assert math.isnan(right.named_timbre), "no instrument is wanted"


def test_the_constancy_of_a_model_is_the_mean_over_its_timbres(data: Collection):
    """One of two timbres keeps its instrument, the other for 13 of 25 notes."""
    row = judge(data).rows(Group.draw(data, "train", 4, seed=0), [Player()], seed=0)[0]
    assert row.constancy == pytest.approx((1 + 13 / 25) / 2)


@pytest.mark.parametrize(
    ("low", "high", "first", "last"),
    [(48, 72, 48, 72), (50, 60, 50, 60), (36, 96, 54, 78), (21, 108, 52, 76)],
)
def test_constancy_is_measured_over_two_octaves_in_the_middle(
    low: int, high: int, first: int, last: int
):
    pitches = _Judge(Listener(), Octaves(low, high))._middle()
    assert pitches == list(range(first, last + 1))


def test_real_takes_over_all_pitches_have_a_constancy(data: Collection):
    """The takes have every second pitch: over those the first keeps its instrument."""
    one = judge(data)
    assert math.isnan(one._real_constancy()), "no take has all 25 pitches"
    own = data.store.whole["take"] == data.store.whole["take"].min()
    pitches = sorted(data.store.whole["pitch"][own].tolist())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Judge, "_middle", lambda self: pitches)
        assert one._real_constancy() == 1


def test_the_exact_judge_is_calibrated_by_instrument(data: Collection):
    group = Group.draw(data, "train", 12, seed=0)
    wrong = group.real.pitches + (group.real.timbres == 1)  # the reed's are a semitone off
    half = replace(group, real=group.real._replace(pitches=wrong))
    reeds = [(batch.timbres == 1).sum() for batch in (group.real, group.other)]
    found, all_right = judge(data).calibration([half]), judge(data).calibration([group])
    assert list(found) == ["organ", "reed"]
    assert found["organ"] == all_right["organ"] > 0.7
    assert found["reed"] <= reeds[1] / sum(reeds) < all_right["reed"] + 0.2


def test_bins_hold_about_eight_notes_and_need_two():
    features = np.random.default_rng(0).normal(size=(40, 2))
    assert math.isnan(_bins(features, features[:15]))
    assert _bins(features, features) == 0
    assert _bins(features + 100, features) >= 0.8, "5 bins, of which one takes all"


def test_models_of_another_form_are_refused(data: Collection):
    with pytest.raises(UserError, match=r"player makes notes of 0.25 s at 8000 Hz.*--rate 8000"):
        evaluate([Player(rate=8000)], data)


def test_an_evaluation_shows_real_notes_above_the_models_of_the_same_pitches(
    data: Collection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(evaluation, "load_classifier", lambda data, tick: Listener())
    report = evaluate([Player()], data, count=6, seed=0)
    assert [row.group for row in report.rows[::3]] == list(SPLITS.values())
    held_out = Group.draw(data, "test", 6, seed=0).real
    assert (report.sounds[0] == held_out.sounds[0]).all()
    assert report.sounds[1] == pytest.approx(note(int(held_out.pitches[0])), abs=1e-6)
    real, model = (title.split()[0] for title in report.titles)
    assert (real, model, report.rate) == ("real", "player", RATE)
    assert report.calibration.keys() == {"organ", "reed"}


# ---------------------------------------------------------------------------- the classifier


def untrained() -> Classifier:
    torch.manual_seed(0)
    return Classifier(Spectrogram(RATE, 1000, 256), 25, 2)


def test_levels_are_means_over_eight_parts_of_the_time():
    one, sounds = untrained(), played([60, 67, 71])
    levels = one.spectrogram.analyse(sounds)[:, 0]  # [note frame row]
    frames = levels.shape[1] // 8
    assert levels.shape[1] == 8 * frames
    by_hand = [levels[:, frames * n : frames * (n + 1)].mean(1) for n in range(8)]
    torch.testing.assert_close(one.levels(sounds), torch.stack(by_hand, 1))


def test_the_loss_of_chance_is_the_entropy_of_pitches_and_instruments():
    one = untrained().eval()
    for head in (one.pitch, one.timbre):
        head.weight.data.zero_()
        head.bias.data.zero_()
    levels = one.levels(played([60, 67]))
    loss = one.loss(levels, torch.tensor([12, 19]), torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(math.log(25) + math.log(2))
    one.pitch.bias.data[7], one.timbre.bias.data[1] = 5, 5
    assert [found.tolist() for found in one.named(played([60, 67]))] == [[7, 7], [1, 1]]


def test_it_learns_and_is_kept(data: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIANOREEL_CACHE", str(tmp_path))
    monkeypatch.setattr(classifiers, "STEPS", 40)
    monkeypatch.setattr(classifiers, "BATCH", 16)
    done: list[tuple[int, int | None]] = []
    one = load_classifier(data, lambda *step: done.append(step))
    assert done == [(n + 1, 40) for n in range(40)]
    notes = data.notes_of(data.indices("train"))
    sounds = torch.from_numpy(notes.sounds)
    assert not one.training
    assert (one.named(sounds)[0] + LOWEST == notes.pitches).mean() > 0.5  # by chance 0.04
    kept = load_classifier(data, lambda *step: pytest.fail("it is trained again"))
    assert (kept.features(sounds) == one.features(sounds)).all()
    monkeypatch.setattr(classifiers, "VERSION", -1)
    other = load_classifier(data)
    assert (other.features(sounds) == one.features(sounds)).all(), "same data, same weights"
    assert len(list((tmp_path / "classifiers").iterdir())) == 2


# ---------------------------------------------------------------------------- the tables


def test_a_table_for_each_group_and_one_of_the_judge():
    row = Row("seen", "mine", "generated", 9, 0.25, 0.5, math.nan, 0.75, 1.5, 0.125, 3.25, 0.875)
    rows = (row, replace(row, group="held out", name="real notes", kind="real", right=1.0))
    report = Evaluation(rows, {"reed": 0.9, "organ": 0.4}, RATE, (), np.zeros((0, 4)))
    seen, held_out, judge = tables(report)
    assert [table.title for table in (seen, held_out)] == ["seen", "held out"]
    assert not seen.caption and "Frechet" in str(held_out.caption)
    assert [column.header for column in seen.columns] == ["notes of", *LEGEND]
    cells = [list(column.cells) for column in seen.columns]
    assert [cell for (cell,) in cells] == [
        *("mine", "25.0", "50.0", "-", "75.0", "1.5", "0.12", "3.25", "87.5")
    ]
    assert (seen.rows[0].style, held_out.rows[0].style) == ("bold", "")
    instruments, right = (list(column.cells) for column in judge.columns)
    assert (instruments, right) == (["organ", "reed"], ["40.0", "90.0"])
