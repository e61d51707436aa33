"""Metrics of music: numbers for each track, or pair of tracks, of a set of phrases.

A metric is NaN where nothing that it measures sounds. Published values of used pitch classes and
tonal distance rest on a chroma that adds neighbouring semitones; the chroma here adds octaves.

EB, UPC, QN, PP, DP, TD: Dong, Hsiao, Yang and Yang, MuseGAN, AAAI 2018, section 5.2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int, UInt8

from musegen.roll import HOLD, ONSET, SILENT, Grid, Phrases
from musegen.tracks import Track

MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
TONAL_RADII = (1.0, 1.0, 0.5)
"""Radii of the circles of fifths, minor thirds and major thirds (Harte et al. 2006)."""


@dataclass(frozen=True)
class TrackPhrases:
    """One track of a set of phrases, with the quantities that several metrics share."""

    cells: UInt8[np.ndarray, "phrase bar step pitch"]
    grid: Grid

    @cached_property
    def sounding(self) -> np.ndarray:
        """Return which cells sound, [phrase bar step pitch]."""
        return self.cells > SILENT

    @cached_property
    def onset(self) -> np.ndarray:
        """Return which cells start a note, [phrase bar step pitch]."""
        return self.cells == ONSET

    @cached_property
    def bar_sounds(self) -> np.ndarray:
        """Return which bars are not empty, [phrase bar]."""
        return np.asarray(self.sounding.any((2, 3)))

    @cached_property
    def voices(self) -> np.ndarray:
        """Count the notes that sound at the same time, [phrase bar step]."""
        return self.sounding.sum(3)

    @cached_property
    def lengths(self) -> Int[np.ndarray, " note"]:
        """Return the length of every note in steps."""
        phrases, bars, steps, pitches = self.cells.shape
        line = self.cells.reshape(phrases, bars * steps, pitches)  # [phrase bar*step pitch]
        kind = np.int16 if bars * steps < np.iinfo(np.int16).max else np.int32
        number = np.arange(1, bars * steps + 1, dtype=kind)[:, None]  # [bar*step pitch]
        following = np.full(line.shape, bars * steps + 1, kind)
        following[:, :-1] = np.where(line == HOLD, following, number)[:, 1:]
        ends = np.minimum.accumulate(following[:, ::-1], 1)[:, ::-1]  # the next step without hold
        return (ends - number)[line == ONSET].astype(np.int64)

    @cached_property
    def chroma(self) -> Float[np.ndarray, "phrase beat pitch_class"]:
        """Count the sounding cells of each pitch class in each beat; pitch class 0 is C."""
        phrases, bars, steps = self.cells.shape[:3]
        chroma = np.zeros((phrases, bars * steps, 12))
        for pitch_class in range(12):
            first = (pitch_class - self.grid.lowest_pitch) % 12
            octaves = self.sounding[..., first::12].sum(3)
            chroma[..., pitch_class] = octaves.reshape(phrases, -1)  # [phrase bar*step]
        beats = bars * steps // self.grid.steps_per_beat
        by_beat = chroma.reshape(phrases, beats, -1, 12)  # [phrase beat step pitch_class]
        return by_beat.sum(2)


def mean_or_nan(values: np.ndarray) -> float:
    """Return the mean; NaN of no values."""
    return float(values.mean()) if values.size else float("nan")


def empty_bars(track: TrackPhrases) -> float:
    """EB: return the bars in which nothing sounds, in %."""
    return 100 * (1 - mean_or_nan(track.bar_sounds))


def used_pitch_classes(track: TrackPhrases) -> float:
    """UPC: return the mean number of pitch classes in a bar that is not empty, 1 to 12."""
    beats = track.grid.beats_per_bar
    by_bar = track.chroma.reshape(len(track.cells), -1, beats, 12)  # [phrase bar beat pitch_class]
    return mean_or_nan((by_bar.sum(2) > 0).sum(2)[track.bar_sounds])


def used_pitch_groups(track: TrackPhrases) -> float:
    """Return UPC as MuseGAN's published code computes it: 12 groups of neighbouring semitones."""
    groups = np.array_split(track.sounding.any(2), 12, axis=2)
    used = np.stack([group.any(2) for group in groups], 2).sum(2)
    return mean_or_nan(used[track.bar_sounds])


def qualified_notes(track: TrackPhrases) -> float:
    """QN: return the share of notes of at least a 32nd note (1/8 beat) and at least 2 steps."""
    return mean_or_nan(track.lengths >= max(2, -(-track.grid.steps_per_quarter // 8)))


def polyphony_rate(track: TrackPhrases) -> float:
    """PP: return the share of two or more notes at once, among the steps that sound."""
    return mean_or_nan(track.voices[track.voices > 0] >= 2)


def notes_at_once(track: TrackPhrases) -> float:
    """Return the mean number of sounding notes, over the steps that sound."""
    return mean_or_nan(track.voices[track.voices > 0])


def notes_per_bar(track: TrackPhrases) -> float:
    """Return the mean number of notes that start in a bar."""
    return float(track.onset.sum() / track.bar_sounds.size)


def note_length(track: TrackPhrases) -> float:
    """Return the mean length of a note in beats."""
    return mean_or_nan(track.lengths) / track.grid.steps_per_beat


def pitch_range(track: TrackPhrases) -> float:
    """Return the mean distance from lowest to highest note of a phrase that sounds, semitones."""
    used = np.asarray(track.sounding.any((1, 2)))  # [phrase pitch]
    highest = used.shape[1] - 1 - used[:, ::-1].argmax(1)
    return mean_or_nan((highest - used.argmax(1))[used.any(1)])


def pitch_class_entropy(track: TrackPhrases) -> float:
    """Return the mean entropy of a phrase's pitch classes in bits, 0 to 3.58 (muspy)."""
    counts = track.chroma.sum(1)
    counts = counts[counts.sum(1) > 0]
    share = counts / counts.sum(1, keepdims=True)
    return mean_or_nan(-(share * np.log2(np.where(share > 0, share, 1))).sum(1))


def scale_consistency(track: TrackPhrases) -> float:
    """Return the mean share of a phrase's cells in its best-fitting major scale (muspy)."""
    counts = track.chroma.sum(1)
    counts = counts[counts.sum(1) > 0]
    inside = np.stack([counts[:, (MAJOR + key) % 12].sum(1) for key in range(12)], 1)
    return mean_or_nan(inside.max(1) / counts.sum(1)) if len(counts) else float("nan")


def drum_pattern(track: TrackPhrases) -> float:
    """DP: return the share of drum onsets on the grid of 16th notes (8- or 16-beat patterns)."""
    by_step = track.onset.sum((0, 1, 3))
    on_16th = np.arange(len(by_step)) * 4 % track.grid.steps_per_quarter == 0
    return float(by_step[on_16th].sum() / by_step.sum()) if by_step.sum() else float("nan")


def groove_consistency(track: TrackPhrases) -> float:
    """Return 1 - the mean Hamming distance of consecutive bars' onsets, 0 to 1 (muspy)."""
    rhythm = np.asarray(track.onset.any(3))  # [phrase bar step]
    distance = (rhythm[:, 1:] != rhythm[:, :-1]).mean(2)
    return 1 - mean_or_nan(distance)


def tonal_centroid(chroma: Float[np.ndarray, "*place pitch_class"]) -> np.ndarray:
    """Return a chroma's six coordinates on three circles, [*place 6] (Harte et al. 2006)."""
    pitch_class = np.arange(12)
    angles = [7 * np.pi / 6, 3 * np.pi / 2, 2 * np.pi / 3]
    rows = [
        radius * wave(pitch_class * angle)
        for radius, angle in zip(TONAL_RADII, angles, strict=True)
        for wave in (np.sin, np.cos)
    ]
    level = chroma.sum(-1, keepdims=True)
    return (chroma / np.maximum(level, 1e-9)) @ np.stack(rows, 1)


def tonal_distance(first: TrackPhrases, second: TrackPhrases) -> float:
    """TD: return the mean distance of two tracks' tonal centroids, over beats where both sound."""
    both = (first.chroma.sum(2) > 0) & (second.chroma.sum(2) > 0)
    difference = tonal_centroid(first.chroma[both]) - tonal_centroid(second.chroma[both])
    return mean_or_nan(np.linalg.norm(difference, axis=1))


@dataclass(frozen=True)
class Metric:
    """A number of each track, with its name and meaning for tables."""

    name: str
    meaning: str
    compute: Callable[[TrackPhrases], float]
    drums: bool = False
    melodic: bool = True

    def applies(self, track: Track) -> bool:
        """Return whether the metric has a meaning for this track."""
        return self.drums if track.is_drum else self.melodic


METRICS: tuple[Metric, ...] = (
    Metric("empty bars", "% of bars without a note (EB)", empty_bars, drums=True),
    Metric(
        "pitch classes a bar", "mean number in bars with notes, 1 to 12 (UPC)", used_pitch_classes
    ),
    Metric(
        "pitch groups a bar",
        "UPC as MuseGAN's code computes it, in groups of neighbouring semitones",
        used_pitch_groups,
    ),
    Metric(
        "long notes",
        "share of notes of at least a 32nd note and 2 steps (QN, qualified notes)",
        qualified_notes,
    ),
    Metric("polyphony", "share of sounding steps with 2 or more notes (PP)", polyphony_rate),
    Metric("notes at once", "mean number in sounding steps", notes_at_once),
    Metric("notes a bar", "mean number of notes that start in a bar", notes_per_bar, drums=True),
    Metric("note length", "mean, in beats", note_length),
    Metric("pitch range", "semitones from the lowest to the highest note", pitch_range),
    Metric("pitch-class entropy", "bits, 0 to 3.58", pitch_class_entropy),
    Metric(
        "scale consistency", "share of cells in the best-fitting major scale", scale_consistency
    ),
    Metric(
        "groove consistency",
        "1 - share of steps whose onsets change from bar to bar",
        groove_consistency,
        drums=True,
    ),
    Metric(
        "hits on 16ths",
        "share of drum hits on the grid of 16th notes (DP, drum pattern)",
        drum_pattern,
        drums=True,
        melodic=False,
    ),
)

TONAL_DISTANCE = "tonal distance"
MEANINGS = {metric.name: metric.meaning for metric in METRICS} | {
    TONAL_DISTANCE: "harmonic distance of two tracks, over beats where both sound (TD)"
}

MetricTable = dict[str, dict[str, float]]
"""metric -> track or pair of tracks -> value."""


def measure(cells: Phrases, grid: Grid, tracks: tuple[Track, ...]) -> MetricTable:
    """Compute every metric of every track, and each melodic pair's tonal distance."""
    phrases = [TrackPhrases(cells[:, number], grid) for number in range(len(tracks))]
    table: MetricTable = {
        metric.name: {
            track.name: metric.compute(one)
            for track, one in zip(tracks, phrases, strict=True)
            if metric.applies(track)
        }
        for metric in METRICS
    }
    melodic = [(t.name, p) for t, p in zip(tracks, phrases, strict=True) if not t.is_drum]
    table[TONAL_DISTANCE] = {
        f"{a}-{b}": tonal_distance(one, other) for (a, one), (b, other) in combinations(melodic, 2)
    }
    return table
