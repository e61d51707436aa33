"""Songs that are drawn from several samples, by the odds of the judge beside the weights."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from command import run
from untrained import untrained

from core.errors import Stopped
from musegen.composition.composition import Composition
from musegen.composition.judge import FILE, Judge, by_odds, fit_judge
from musegen.composition.request import Request
from musegen.data.collection import Collection
from musegen.data.preparation import PrepareConfig, prepare_band
from musegen.measures.excerpts import Excerpts
from musegen.model import DOMAIN, Model, train
from musegen.roll import Grid, Notes
from musegen.steering import UNSTEERED, Steering

TRIES, BARS = 3, 4


def rows(songs: list[Notes]) -> list[list[tuple[int, ...]]]:
    return [
        sorted(zip(*(c.tolist() for c in (n.track, n.start, n.pitch, n.length)), strict=True))
        for n in songs
    ]


def excerpts(model: Model, songs: list[Notes]) -> Excerpts:
    return Excerpts.of_notes(songs, BARS, model.spec.grid, model.spec.tracks)


@pytest.fixture(scope="module")
def model() -> Model:
    """Return an untrained model, and a judge that prefers what comes with a high density."""
    model: Model = untrained(DOMAIN, "latent_musegan", [f"model.tries={TRIES}"])
    dense, thin = (
        excerpts(model, model.notes(12, 9, BARS, Steering(density=one))) for one in (2.0, 0.5)
    )
    model.judge = Judge.of(dense, thin)
    return model


def test_a_song_is_drawn_in_proportion_to_its_odds() -> None:
    """Odds of 1, 3 and 6: shares of 0.1, 0.3 and 0.6."""
    draws, choose = 20_000, by_odds(seed=1)
    chosen = [choose(np.log([1.0, 3.0, 6.0])) for _ in range(draws)]
    shares = np.bincount(chosen) / draws
    assert shares == pytest.approx([0.1, 0.3, 0.6], abs=0.01)


def test_each_draw_depends_on_the_seed_and_its_own_songs_alone() -> None:
    scores = np.random.default_rng(0).normal(size=(20, 2))
    changed = np.concatenate([scores[:10], scores[10:] - [0, 50]])

    def draws(scores: np.ndarray, seed: int = 5) -> list[int]:
        return list(map(by_odds(seed), scores))

    first, other = draws(scores), draws(changed)
    assert first[:10] == other[:10] == draws(scores[:10])
    assert first[10:] != other[10:] and first != draws(scores, 6)


def test_songs_are_those_of_the_samples_that_were_drawn(model: Model) -> None:
    samples = model.notes(4 * TRIES, 5, BARS, tries=1)
    assert model.judge
    scores = model.judge.score(excerpts(model, samples)).reshape(4, TRIES)  # [song sample]
    chosen = list(map(by_odds(5), scores))
    assert any(chosen)
    songs = rows(model.notes(4, 5, BARS))
    assert songs == rows([samples[TRIES * n + one] for n, one in enumerate(chosen)])
    assert rows(model.notes(2, 5, BARS)) == songs[:2]
    assert np.array_equal(model.cells(2, 5, BARS), model.cells_of(model.notes(2, 5, BARS), BARS))


@pytest.mark.parametrize(
    ("bars", "steering", "tries"),
    [
        (BARS - 1, Steering(), None),
        (BARS, Steering(temperature=0.5), None),
        (BARS, Steering(), 1),
    ],
)
def test_first_samples_stay_where_a_song_is_short_or_steered(
    bars: int, steering: Steering, tries: int | None, model: Model
) -> None:
    plain: Model = untrained(DOMAIN, "latent_musegan", [f"model.tries={TRIES}"])
    songs = model.notes(3, 2, bars, steering, tries=tries)
    assert rows(songs) == rows(plain.notes(3, 2, bars, steering))


def test_samples_of_a_song_share_its_opening_alone() -> None:
    """The opening has four bars here; the first sample is the song without others."""
    model: Model = untrained(DOMAIN, "lookback_rnn", ["model.lookback.opening_bars=4"])
    opening = 4 * model.spec.grid.steps_per_bar
    samples = list(model.sampler(each=TRIES).notes(2, 2, 16, UNSTEERED))
    assert rows(samples[::TRIES]) == rows(list(model.sampler().notes(2, 2, 16, UNSTEERED)))
    begins = [
        list(zip(notes.track.tolist(), notes.start.tolist(), notes.pitch.tolist(), strict=True))
        for notes in (song[song.start < opening] for song in samples)
    ]
    assert begins[0] == begins[1] == begins[2] != begins[3] == begins[4] == begins[5]
    assert all(begins)
    assert len(set(map(str, rows(samples)))) == 2 * TRIES


def test_the_best_of_one_is_the_first_sample(model: Model) -> None:
    request = Request(bars=BARS)
    first, own = (
        rows([roll.notes for roll in Composition(model, request, best_of=each).songs(3, 5)])
        for each in (1, None)
    )
    assert first == rows(model.notes(3, 5, BARS, tries=1))
    assert own == rows(model.notes(3, 5, BARS)) != first


def test_a_judge_travels_with_its_weights(model: Model, tmp_path: Path) -> None:
    loaded = Model.from_pretrained(model.save_pretrained(tmp_path), "cpu")
    assert rows(loaded.notes(3, 5, BARS)) == rows(model.notes(3, 5, BARS))


def test_a_stopped_training_has_no_judge_until_one_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("musegen.composition.judge.JUDGED_SONGS", 6)
    prepare_band(2, tmp_path / "data", PrepareConfig(grid=Grid(steps_per_beat=4), bars=2))
    data, songs = Collection.open(tmp_path / "data"), tmp_path / "run"
    settings = ["train.steps=2", "train.batch_size=2", "model.tries=2"]
    train(data, songs, "latent_musegan", "tiny", "cpu", settings)
    assert not (songs / FILE).exists()  # of two songs there are too few excerpts
    sample = ("music", "sample", songs, "--count", 1, "--only", "mid", "--device", "cpu")
    code, _, said = run(*sample, "--to", tmp_path / "first")
    assert (code, said.count("first samples, since it has no judge")) == (0, 1)
    code, _, said = run(*sample, "--against", tmp_path / "data", "--to", tmp_path / "drawn")
    assert (code, said) == (0, "") and (songs / FILE).exists()
    code, _, said = run(*sample, "--to", tmp_path / "later")
    assert (code, said) == (0, "")
    drawn, later = (next((tmp_path / one).iterdir()).read_bytes() for one in ("drawn", "later"))
    assert drawn == later


@pytest.mark.parametrize(("tries", "songs"), [(1, 24), (2, 24), (2, 2)])
def test_a_finished_training_fits_a_judge_where_there_are_tries_and_songs(
    tries: int, songs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("musegen.composition.judge.JUDGED_SONGS", 6)
    config = PrepareConfig(grid=Grid(steps_per_beat=4), bars=2)
    prepare_band(songs, tmp_path / "data", config)
    settings = ["train.steps=2", "train.batch_size=2", f"model.tries={tries}"]
    folder = tmp_path / "run"
    data = Collection.open(tmp_path / "data")
    trained = train(data, folder, "latent_musegan", "tiny", "cpu", settings)
    assert Judge.read(folder) == trained.judge == Model.load(folder, "cpu").judge
    assert (trained.judge is not None) == (tries > 1 and songs > 2)
    if trained.judge is None:
        return
    assert trained.judge.step == 2
    trained.judge.model_copy(update={"bias": 7.0}).write(folder)
    more = ["train.steps=4", *settings[1:]]
    train(data, folder, "latent_musegan", "tiny", "cpu", settings)
    kept = Judge.read(folder)
    assert kept and kept.bias == 7  # nothing was trained
    shutil.rmtree(folder / "checkpoints" / "best", ignore_errors=True)
    later = train(data, folder, "latent_musegan", "tiny", "cpu", more).judge
    assert later and (later.step, later.bias == 7) == (4, False)


def test_a_judge_counts_the_bars_that_are_sampled_for_it(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that Ctrl-C is answered among them, and not after the last."""
    monkeypatch.setattr("musegen.composition.judge.JUDGED_SONGS", 6)
    asked: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        asked.append((done, total))
        raise Stopped("stopped after the last step")

    with pytest.raises(Stopped):
        fit_judge(model, excerpts(model, model.notes(2, 5, BARS, tries=1)), stop)
    assert len(asked) == 1
