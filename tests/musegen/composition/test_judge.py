"""The judge: fitted scores, and the best of several songs."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from excerpt_rows import BASS, DRUMS, excerpts

from core.errors import UserError
from musegen.composition.judge import Judge, judge_of
from musegen.data.collection import Collection
from musegen.measures.classifier import Classifier
from musegen.measures.excerpts import Excerpts
from musegen.measures.likeness import Portrait
from musegen.roll import Grid
from musegen.tracks import TRACK_LISTS

SONGS = 40


def played(seed: int, repeats: bool) -> Excerpts:
    """Return excerpts of drums and bass: of bars that repeat, or that are new each time."""
    chance, rows = np.random.default_rng(seed), []
    for song in range(SONGS):
        bar = chance.permutation(12)[:5]
        for number in range(4):
            bar = bar if repeats else chance.permutation(12)[:5]
            rows += [(song, DRUMS, number * 12 + step, 36) for step in bar.tolist()]
            rows += [(song, BASS, number * 12 + step, 40 + step) for step in bar.tolist()[:3]]
    return excerpts(*rows, bars=4, songs=tuple(range(SONGS)))


def test_unseen_songs_are_known_by_their_repetition() -> None:
    judge = Judge.of(real=played(1, repeats=True), generated=played(2, repeats=False))
    real, generated = judge.log_odds(played(3, True)), judge.log_odds(played(4, False))
    assert (real > 0).mean() > 0.9 and (generated < 0).mean() > 0.9


def test_a_judge_is_the_classifier_that_measures_songs() -> None:
    """Fitted to excerpts of which some have no value: their bass rests."""
    real, generated = played(1, repeats=True), played(2, repeats=False)
    taken = generated.take(np.arange(9))
    drums = taken.notes.track == DRUMS
    silent = replace(taken, excerpt=taken.excerpt[drums], notes=taken.notes.of(DRUMS))
    features = [Portrait.of(one).features for one in (real, silent)]
    rows = np.concatenate(features)
    rows[:, np.isnan(features[0]).all(0)] = 0
    fitted = Classifier.of(rows, np.arange(len(rows)) < len(real))
    assert np.isnan(rows).any()
    assert np.array_equal(Judge.of(real, silent).log_odds(silent), fitted.log_odds(rows[-9:]))


def test_equal_songs_are_undecided() -> None:
    judge = Judge.of(real=played(1, repeats=True), generated=played(1, repeats=True))
    assert np.abs(judge.log_odds(played(3, True))).max() < 1e-6


def test_a_longer_song_has_the_mean_of_its_excerpts() -> None:
    judge = Judge.of(real=played(1, repeats=True), generated=played(2, repeats=False))
    songs = played(3, True)
    halves = Judge(**{**dict(judge), "bars": 2}).score(songs)
    assert np.allclose(halves, judge.log_odds(songs.cut(2)).reshape(SONGS, 2).mean(1))


def test_a_run_keeps_its_judge(tmp_path: Path) -> None:
    assert Judge.read(tmp_path) is None
    judge = Judge.of(real=played(1, repeats=True), generated=played(2, repeats=False))
    judge.write(tmp_path)
    assert Judge.read(tmp_path) == judge


@pytest.mark.parametrize(
    ("changed", "cure"),
    [
        ({"grid": Grid(steps_per_beat=4)}, "12 steps a beat: prepare .* --steps-per-beat 12, or"),
        ({"grid": Grid(beats_per_bar=3)}, "bars of 4/4: prepare the songs with --meter 4/4, or"),
        ({"tracks": ()}, "other tracks: prepare the songs with the --tracks of its songs, or"),
        ({"grid": Grid(pitches=12)}, "other pitches: prepare the songs with --set of its grid"),
    ],
)
def test_a_judge_is_fitted_to_songs_of_the_models_own_form(
    changed: dict[str, Any], cure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notes of a model on one grid would be read on another; as in an evaluation."""
    own = {"grid": Grid(steps_per_beat=12), "tracks": TRACK_LISTS["lakh"]}
    model: Any = SimpleNamespace(name="mine", spec=SimpleNamespace(**own))
    found = Collection.__new__(Collection)
    vars(found).update(own | changed, store=SimpleNamespace(folder=tmp_path))
    monkeypatch.setattr(Collection, "open", lambda folder: found)
    with pytest.raises(UserError, match=f"mine is not for .*: it has {cure}"):
        judge_of(model, tmp_path, tmp_path / "data")
    assert Judge.read(tmp_path) is None
