"""The judge: how real a song sounds, by the classifier that tells real songs from a model's own.

Logistic regression on the measures of excerpts, as the classifier of the total, fitted once on
all training songs and as many of the model's, and kept beside its weights. Its odds estimate the
ratio of both densities, as a critic's do (Azadi et al., Discriminator rejection sampling, ICLR
2019): of several songs one is drawn in proportion to them, or the one with the highest is kept.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from core.config import Strict, resolve
from core.data.preparation import Tick
from core.errors import UserError
from core.files import write_text
from core.yaml_files import read_yaml
from musegen.data.collection import Collection, spread
from musegen.measures.classifier import Classifier
from musegen.measures.excerpts import Excerpts
from musegen.measures.hearing import lengths_of
from musegen.measures.likeness import Portrait
from musegen.roll import Grid, Notes
from musegen.tracks import Track

if TYPE_CHECKING:
    from musegen.model import Model

FILE = "judge.yaml"
"""The file of a run in which its judge is kept."""

JUDGED_SONGS, JUDGED_SEED = 512, 2**62
"""The songs of a model to which its judge is fitted; no user is likely to sample this seed."""

FEWEST_REAL, MOST_REAL = 20, 2000
"""Real excerpts to which a judge is fitted; of fewer a finished training fits none."""

DRAW = 7
"""Part of the seed of draws, which are independent of the songs among which they choose."""

LogOdds = Float[np.ndarray, " excerpt"]

Form = tuple[int, Grid, tuple[Track, ...]]
"""Bars, grid and tracks of songs."""

Choice = Callable[[LogOdds], int]
"""A choice among several songs by their log odds of being real: the number of one."""


class Judge(Strict):
    """Scores of excerpts of `bars` bars: a `Classifier` of `Portrait.features`.

    `step`: of the training, after which the run had the weights that were judged; 0 is unknown.
    """

    step: int = 0
    bars: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    unknown: tuple[float, ...]
    bias: float

    @classmethod
    def of(cls, real: Excerpts, generated: Excerpts) -> "Judge":
        """Fit a judge to excerpts of equal length, of which both kinds count the same."""
        features = [Portrait.of(one).features for one in (real, generated)]
        known = ~np.isnan(features[0]).all(0)  # what no real excerpt has is no feature
        rows = np.where(known, np.concatenate(features), 0.0)
        fitted = Classifier.of(rows, np.arange(len(rows)) < len(features[0]))
        mean, scale, weights, unknown = (tuple(one.tolist()) for one in fitted[:-1])
        return cls(
            bars=real.bars,
            mean=mean,
            scale=scale,
            weights=weights,
            unknown=unknown,
            bias=fitted.bias,
        )

    @property
    def classifier(self) -> Classifier:
        """Return the classifier of excerpts that the stored numbers describe."""
        return Classifier(
            np.array(self.mean),
            np.array(self.scale),
            np.array(self.weights),
            np.array(self.unknown),
            self.bias,
        )

    def log_odds(self, excerpts: Excerpts) -> LogOdds:
        """Return the log odds that each excerpt is real, against one of the model that was judged.

        Of equal numbers of both: 0 is undecided.
        """
        features = Portrait.of(excerpts).features
        if features.shape[1] != len(self.mean):
            raise UserError("the judge was fitted to other tracks: fit another with --against")
        return self.classifier.log_odds(features)

    def score(self, songs: Excerpts) -> LogOdds:
        """Return the mean log odds of each song over its excerpts; a shorter song is one."""
        if songs.bars <= self.bars:
            return self.log_odds(songs)
        pieces = songs.cut(self.bars)
        each = len(pieces) // len(songs)
        return self.log_odds(pieces).reshape(len(songs), each).mean(1)  # [song]

    def chosen(
        self, songs: Iterable[Notes], of_each: int, form: Form, choose: Choice
    ) -> Iterator[Notes]:
        """Yield one of every `of_each` songs in succession."""
        source = iter(songs)
        while several := list(islice(source, of_each)):
            yield several[choose(self.score(Excerpts.of_notes(several, *form)))]

    @classmethod
    def read(cls, folder: Path) -> "Judge | None":
        """Read the judge of a run; None where it has none yet."""
        path = folder / FILE
        return resolve(cls, read_yaml(path), str(path)) if path.is_file() else None

    def write(self, folder: Path) -> None:
        """Keep the judge beside a run's weights."""
        import yaml

        write_text(folder / FILE, yaml.safe_dump(self.model_dump(mode="json")))


def judge_of(model: "Model", folder: Path, against: Path | None = None) -> Judge:
    """Read the judge of a model's run, or fit one against a collection and keep it there.

    `UserError` where there is neither.
    """
    known = None if against else Judge.read(folder)
    if known:
        return known
    if not against:
        raise UserError(
            f"{folder.name} has no judge yet: --against DATA, the collection that it learned from"
        )
    data = Collection.open(against)
    data.require_form(model.name, model.spec.grid, model.spec.tracks)
    judge = fit_judge(model, real_songs(data))
    judge.write(folder)
    return judge


def fit_judge(model: "Model", real: Excerpts, tick: Tick = lambda done, total: None) -> Judge:
    """Fit a judge to excerpts of real songs, and to first samples of a model of their form.

    `tick`: called while these are sampled.
    """
    songs = model.pieces(JUDGED_SONGS, JUDGED_SEED, real.bars, tick=tick, tries=1)
    form = real.bars, model.spec.grid, model.spec.tracks
    return Judge.of(real, Excerpts.of_notes(list(songs), *form))


def real_songs(data: Collection) -> Excerpts:
    """Take excerpts from the training songs, as long as those by which they are measured."""
    bars = lengths_of(data)[0]
    return Excerpts.of_songs(data, spread(data.beginnings(bars, "train"), MOST_REAL), bars)


def by_odds(seed: int) -> Choice:
    """Return a choice of songs by chance, each in proportion to its odds.

    The largest of log odds with Gumbel noise is such a draw. So songs are distributed as real ones
    are, as far as the judge can tell (sampling importance resampling, Rubin 1987).

    >>> choose = by_odds(seed=1)
    >>> [choose(np.log([1.0, 3.0, 6.0])) for _ in range(6)]
    [2, 2, 1, 0, 2, 0]
    """
    chance = np.random.default_rng([seed, DRAW])
    return lambda scores: most_real(scores + chance.gumbel(size=len(scores)))


def most_real(scores: LogOdds) -> int:
    """Choose the song that sounds most real."""
    return int(scores.argmax())
