"""Likeness: the measures of excerpts, their errors against real songs, and one total.

The error of a measure is |generated - real| / real, averaged over its values; of registers and of
the growth of density it is in octaves and doublings. A group's error is the mean of its measures',
and the total is the mean of the groups, weighted by `WEIGHTS`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
from jaxtyping import Float

from musegen.measures import beat, form, harmony, register
from musegen.measures.classifier import accuracy
from musegen.measures.excerpts import PARTS, Excerpts, Values, mean_over_excerpts
from musegen.measures.form import LAGS
from musegen.measures.yardstick import mean_of_known

WEIGHTS = {
    "phrases": 2.0,
    "form": 3.0,
    "harmony": 2.0,
    "register": 2.0,
    "beat": 1.0,
    "dynamics": 1.0,
    "classifier": 2.0,
    "copies": 1.0,
}
"""The weight of each group's error in the total.

phrases: the yardstick's distance, of seven metrics; form, harmony, register, beat, dynamics: see
the module of that name; classifier: 2 (accuracy - 0.5), at least 0; copies: the shares of copied
bars and of copied parts beyond those of real songs, their mean.
"""

SMALLEST = 0.1
"""Real values nearer to 0 than this do not divide an error: rare things vary between songs."""

Vector = Float[np.ndarray, " value"]
Shown = Float[np.ndarray, "excerpt shown"]
"""Few values of each excerpt, that stand for all."""

Error = Callable[[Vector, Vector], float]
Compute = Callable[[Excerpts], Values]


def relative(generated: Vector, real: Vector) -> float:
    """Return the mean of |generated - real| / real; 1 where only the real songs have a value."""
    error = np.abs(generated - real) / np.maximum(np.abs(real), SMALLEST)
    return mean_of_known(np.where(np.isnan(generated) & ~np.isnan(real), 1.0, error))


def relative_area(generated: Vector, real: Vector) -> float:
    """Return the sum of |generated - real| over the sum of real, 0 to 2 for shares."""
    known = ~np.isnan(real)
    difference = np.abs(np.where(np.isnan(generated), 0, generated) - real)[known].sum()
    return float(difference / real[known].sum()) if real[known].any() else float("nan")


def absolute(generated: Vector, real: Vector) -> float:
    """Return the mean of |generated - real|; 1 where only the real songs have a value."""
    error = np.where(np.isnan(generated) & ~np.isnan(real), 1.0, np.abs(generated - real))
    return mean_of_known(error)


def octaves(generated: Vector, real: Vector) -> float:
    """Return the mean of the earth mover's distance and the errors of p5, median and p95."""
    if np.isnan(real).any() or np.isnan(generated).any():
        return 1.0 if not np.isnan(real).any() else float("nan")
    found, wanted = (np.array(register.quantiles(shares)) for shares in (generated, real))
    moved = np.abs(found - wanted) / register.OCTAVE
    return (register.octaves_apart(generated, real) + float(moved.mean())) / 2


@dataclass(frozen=True)
class Measure:
    """One or several values of each excerpt.

    `error` compares their means over excerpts with those of real songs. `shown`: the few values
    that stand for them in tables, and by which the classifier knows an excerpt. `in_time`: the
    part of `TIME` to which it belongs.
    """

    group: str
    name: str
    meaning: str
    compute: Compute
    error: Error = relative
    shown: Callable[[Values], Shown] = lambda values: values
    in_time: str = ""


def _over_lags(measure: Callable[[Excerpts, str, int], Values], part: str) -> Compute:
    def compute(excerpts: Excerpts) -> Values:
        return np.concatenate([measure(excerpts, part, lag) for lag in LAGS], 1)

    return compute


def _beside(*measures: Compute) -> Compute:
    def compute(excerpts: Excerpts) -> Values:
        return np.concatenate([measure(excerpts) for measure in measures], 1)

    return compute


def _at_lags(similarity: Values) -> Shown:
    """Return the similarities at the lags of `LAGS`; NaN beyond the end."""
    padded = np.pad(similarity, ((0, 0), (0, LAGS[-1])), constant_values=np.nan)
    return padded[:, np.array(LAGS) - 1]


def _mean_interval(shares: Values) -> Shown:
    return shares @ np.arange(1, shares.shape[1] + 1)[:, None]


def _quantiles(shares: Values) -> Shown:
    return np.array([register.quantiles(one) for one in shares]).reshape(-1, 3)  # [excerpt value]


PLACES = "at the same place 1, 2, 4 and 8 bars later"
PLAYED_BY = {"drums": "the drums'", "bass": "the bass's", "others": "the other tracks'"}


def _measures_of_part(part: str) -> tuple[Measure, ...]:
    owner = PLAYED_BY[part]
    return (
        Measure(
            "form",
            f"repetition, {part}",
            f"share of {owner} notes whose pitch starts {PLACES}",
            _over_lags(form.repetition, part),
            in_time="repetition",
        ),
        Measure(
            "form",
            f"rhythm, {part}",
            f"share of {owner} onsets, of any pitch, with one {PLACES}",
            _over_lags(form.rhythm_repetition, part),
            in_time="rhythm",
        ),
        Measure(
            "form",
            f"intervals of time, {part}",
            f"mean time between {owner} successive onsets in sixteenths, up to 16; the error is "
            "that of the shares of 1, 2, ...",
            partial(form.inter_onset_intervals, part=part),
            relative_area,
            _mean_interval,
            "intervals of time",
        ),
    )


MEASURES: tuple[Measure, ...] = (
    *(measure for part in PARTS for measure in _measures_of_part(part)),
    Measure(
        "form",
        "similar bars",
        "notes that two bars share over those of either, 1, 2, 4 and 8 bars apart; the error is "
        "over all distances (similarity error, Yu et al., Museformer, NeurIPS 2022)",
        form.similarity_by_lag,
        relative_area,
        _at_lags,
        "similar bars",
    ),
    Measure(
        "form",
        "returning bars",
        "mean similarity of a bar with the most similar one before it, 0 to 1",
        form.returning_bars,
        in_time="form",
    ),
    Measure(
        "form",
        "groove",
        "1 - share of steps whose onsets change from bar to bar; drums, all tracks",
        _beside(
            partial(form.groove_consistency, part="drums"),
            partial(form.groove_consistency, part="all"),
        ),
        in_time="groove",
    ),
    Measure(
        "form",
        "compressed size",
        "bytes of the zipped notes over bytes of the notes: low means repetitive",
        form.compressed_size,
        in_time="compressed size",
    ),
    Measure(
        "form",
        "growth",
        "log2 of the notes of the last four bars over those of the first four, its absolute value",
        form.density_drift,
        absolute,
    ),
    Measure(
        "harmony",
        "in key",
        "share of notes in the best major scale: of the excerpt, of each four bars",
        _beside(
            lambda excerpts: harmony.in_best_key(excerpts, excerpts.bars),
            lambda excerpts: harmony.in_best_key(excerpts, 4),
        ),
        in_time="key",
    ),
    Measure(
        "harmony",
        "chord tones",
        "share of the other tracks' notes that are root, third or fifth over the bass",
        harmony.chord_agreement,
        in_time="chord",
    ),
    Measure(
        "harmony",
        "bass in the chord",
        "share of the bass's notes whose pitch class the other tracks sound then",
        harmony.bass_fit,
        in_time="bass",
    ),
    Measure("beat", "kinds of drums", "number of different drums of an excerpt", beat.drum_kinds),
    Measure(
        "beat",
        "unknown drums",
        "share of drum notes outside General MIDI's 35 to 81",
        beat.drums_outside,
    ),
    Measure("beat", "backbeat", "share of beats 2 and 4 with a snare", beat.backbeat),
    Measure(
        "beat",
        "bass on one",
        "share of bars with bass in which it plays on beat 1",
        beat.bass_on_downbeat,
    ),
    Measure(
        "dynamics",
        "velocities",
        "number of different velocities of an excerpt",
        register.distinct_velocities,
    ),
    Measure(
        "dynamics",
        "spread of velocity",
        "standard deviation of an excerpt's velocities",
        register.velocity_spread,
    ),
)

TIME = tuple(dict.fromkeys(measure.in_time for measure in MEASURES if measure.in_time))
"""The parts of TIME, structure in time: the mean of their errors, each the mean of its measures'.
"""


REGISTER = (
    "MIDI pitches below which 5, 50 and 95 % of an excerpt's notes lie, middle C is 60; the error "
    "is in octaves"
)


def measures_of(excerpts: Excerpts) -> tuple[Measure, ...]:
    """Return all measures, with the register of each melodic track."""
    registers = tuple(
        Measure(
            "register",
            f"register, {track.name}",
            REGISTER,
            partial(register.pitch_shares, track=number),
            octaves,
            _quantiles,
        )
        for number, track in enumerate(excerpts.tracks)
        if not track.is_drum
    )
    return (*MEASURES, *registers)


@dataclass(frozen=True, eq=False)
class Portrait:
    """Excerpts with the values of every measure for each of them."""

    excerpts: Excerpts
    measures: tuple[Measure, ...] = field(repr=False)
    values: dict[str, Values] = field(repr=False)

    @classmethod
    def of(cls, excerpts: Excerpts) -> "Portrait":
        """Measure excerpts."""
        measures = measures_of(excerpts)
        return cls(excerpts, measures, {one.name: one.compute(excerpts) for one in measures})

    @cached_property
    def means(self) -> dict[str, Vector]:
        """Return the means over excerpts of all values."""
        return {name: mean_over_excerpts(values) for name, values in self.values.items()}

    @property
    def shown(self) -> dict[str, list[float]]:
        """Return the means over excerpts of the values for tables."""
        return {
            one.name: mean_over_excerpts(one.shown(self.values[one.name])).tolist()
            for one in self.measures
        }

    @cached_property
    def features(self) -> Shown:
        """Return what the classifier sees of each excerpt."""
        return np.concatenate([one.shown(self.values[one.name]) for one in self.measures], 1)

    def errors(self, real: "Portrait") -> dict[str, float]:
        """Return the error of each measure against real songs; NaN where these have no value."""
        return {
            one.name: one.error(self.means[one.name], real.means[one.name])
            for one in self.measures
        }

    def accuracy(self, real: "Portrait") -> float:
        """Return how well a classifier tells these excerpts from real ones; 0.5 is chance.

        What no real excerpt has (velocities, in a collection without) is no feature.
        """
        known = ~np.isnan(real.features).all(0)
        songs = real.excerpts.song, self.excerpts.song
        return accuracy(real.features[:, known], self.features[:, known], *songs)


def group_errors(errors: Mapping[str, float], measures: Iterable[Measure]) -> dict[str, float]:
    """Return the mean error of the measures of each group, by its name."""
    return _means_by(errors, {one.name: one.group for one in measures})


def structure_in_time(errors: Mapping[str, float]) -> float:
    """TIME: return the mean error of repetition, rhythm, groove, key, chord, bass and form."""
    parts = _means_by(errors, {one.name: one.in_time for one in MEASURES if one.in_time})
    return mean_of_known(parts.values())


def _means_by(errors: Mapping[str, float], keys: Mapping[str, str]) -> dict[str, float]:
    return {
        key: mean_of_known(errors[name] for name, own in keys.items() if own == key)
        for key in dict.fromkeys(keys.values())
    }


def total(groups: Mapping[str, float]) -> float:
    """Return the mean of the groups' errors by `WEIGHTS`, over those that are known."""
    known = {name: value for name, value in groups.items() if not np.isnan(value)}
    weight = sum(WEIGHTS[name] for name in known)
    weighted = sum(WEIGHTS[name] * value for name, value in known.items())
    return weighted / weight if weight else float("nan")
