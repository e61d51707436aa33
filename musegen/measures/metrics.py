"""What can be counted in phrases: the metrics of the papers, by track.

Phrases are cells uint8 [phrase track bar step pitch]. Every metric is a number for a track, or for
a pair of tracks, of a whole set of phrases; NaN where nothing of its kind sounds. Published values
of UPC and TD rest on a chroma that adds neighbouring semitones; `chroma` here adds octaves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int, UInt8

from musegen.roll import HOLD, ONSET, SILENT, Grid
from musegen.tracks import Track

Phrases = UInt8[np.ndarray, "phrase track bar step pitch"]
CoarsePhrases = UInt8[np.ndarray, "phrase track bar step_of_4 pitch_of_72"]

MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
TONAL_RADII = (1.0, 1.0, 0.5)
"""Of the circles of fifths, minor thirds and major thirds (Harte et al. 2006)."""


@dataclass(frozen=True)
class TrackPhrases:
    """One track of a set of phrases, and what several metrics need of it."""

    cells: UInt8[np.ndarray, "phrase bar step pitch"]
    grid: Grid

    @cached_property
    def sounding(self) -> np.ndarray:
        return self.cells > SILENT

    @cached_property
    def onset(self) -> np.ndarray:
        return self.cells == ONSET

    @cached_property
    def bar_sounds(self) -> np.ndarray:
        """[phrase bar]"""
        return np.asarray(self.sounding.any((2, 3)))

    @cached_property
    def voices(self) -> np.ndarray:
        """Notes that sound together, [phrase bar step]."""
        return self.sounding.sum(3)

    @cached_property
    def lengths(self) -> Int[np.ndarray, " note"]:
        """Length of every note in steps."""
        flat = self.cells.reshape(len(self.cells), -1, self.cells.shape[3])
        length = np.zeros(flat.shape, np.int16)
        after = np.zeros((len(flat), flat.shape[2]), np.int16)
        for step in reversed(range(flat.shape[1])):
            length[:, step] = after + 1
            after = np.where(flat[:, step] == HOLD, after + 1, 0).astype(np.int16)
        return length[flat == ONSET].astype(np.int64)

    @cached_property
    def chroma(self) -> Float[np.ndarray, "phrase beat pitch_class"]:
        """Cells that sound in each pitch class of a beat; pitch class 0 is C."""
        phrases, bars, steps = self.cells.shape[:3]
        beats = bars * steps // self.grid.steps_per_beat
        folded = np.zeros((phrases, bars * steps, 12))
        for pitch_class in range(12):
            first = (pitch_class - self.grid.lowest_pitch) % 12
            octaves = self.sounding[..., first::12].sum(3)
            folded[..., pitch_class] = octaves.reshape(phrases, -1)
        return folded.reshape(phrases, beats, self.grid.steps_per_beat, 12).sum(2)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def empty_bars(track: TrackPhrases) -> float:
    """EB: bars in which nothing sounds, in % (MuseGAN, AAAI 2018)."""
    return 100 * (1 - _mean(track.bar_sounds))


def used_pitch_classes(track: TrackPhrases) -> float:
    """UPC: pitch classes of a bar that is not empty, 1 to 12 (MuseGAN, AAAI 2018)."""
    beats = track.cells.shape[2] // track.grid.steps_per_beat
    bars = track.chroma.reshape(len(track.cells), -1, beats, 12)
    return _mean((bars.sum(2) > 0).sum(2)[track.bar_sounds])


def used_pitch_classes_paper(track: TrackPhrases) -> float:
    """UPC as the published code counts it: 12 groups of neighbouring semitones, 0 to 12."""
    pitches = track.cells.shape[3]
    groups = np.array_split(track.sounding.any(2), 12, axis=2) if pitches >= 12 else []
    used = np.stack([group.any(2) for group in groups], 2).sum(2)
    return _mean(used[track.bar_sounds])


def qualified_notes(track: TrackPhrases) -> float:
    """QN: notes of at least a 32nd (an eighth of a beat, 2 steps at least), share of all."""
    return _mean(track.lengths >= max(2, -(-track.grid.steps_per_beat // 8)))


def polyphony_rate(track: TrackPhrases) -> float:
    """PP: steps with two or more notes, share of the steps that sound."""
    return _mean(track.voices[track.voices > 0] >= 2)


def polyphony(track: TrackPhrases) -> float:
    """Notes that sound together where any does."""
    return _mean(track.voices[track.voices > 0])


def notes_per_bar(track: TrackPhrases) -> float:
    """Notes that begin in a bar."""
    return float(track.onset.sum() / track.bar_sounds.size)


def note_length(track: TrackPhrases) -> float:
    """Mean length of a note in beats."""
    return _mean(track.lengths) / track.grid.steps_per_beat


def pitch_range(track: TrackPhrases) -> float:
    """Semitones from the lowest to the highest note of a phrase that sounds."""
    used = np.asarray(track.sounding.any((1, 2)))
    there = used.any(1)
    high = used.shape[1] - 1 - used[:, ::-1].argmax(1)
    return _mean((high - used.argmax(1))[there])


def pitch_class_entropy(track: TrackPhrases) -> float:
    """Entropy of a phrase's pitch classes in bits, 0 to 3.58 (muspy)."""
    counts = track.chroma.sum(1)
    counts = counts[counts.sum(1) > 0]
    share = counts / counts.sum(1, keepdims=True)
    return _mean(-(share * np.log2(np.where(share > 0, share, 1))).sum(1))


def scale_consistency(track: TrackPhrases) -> float:
    """Share of a phrase's cells in the major scale that fits it best (muspy)."""
    counts = track.chroma.sum(1)
    counts = counts[counts.sum(1) > 0]
    inside = np.stack([counts[:, (MAJOR + key) % 12].sum(1) for key in range(12)], 1)
    return _mean(inside.max(1) / counts.sum(1)) if len(counts) else float("nan")


def drum_pattern(track: TrackPhrases) -> float:
    """DP: drum onsets on the grid of 16ths, share of all (8- or 16-beat patterns, MuseGAN)."""
    by_step = track.onset.sum((0, 1, 3))
    places = np.arange(len(by_step)) * 4 % track.grid.steps_per_beat == 0
    return float(by_step[places].sum() / by_step.sum()) if by_step.sum() else float("nan")


def groove_consistency(track: TrackPhrases) -> float:
    """1 - mean distance of neighbouring bars' onset patterns, 0 to 1 (muspy)."""
    struck = np.asarray(track.onset.any(3))
    changed = (struck[:, 1:] != struck[:, :-1]).mean(2)
    return 1 - _mean(changed)


def tonal_centroid(chroma: Float[np.ndarray, "*place pitch_class"]) -> np.ndarray:
    """Six coordinates of a chroma on three circles, [*place 6] (Harte et al. 2006)."""
    pitch_class = np.arange(12)
    angles = [7 * np.pi / 6, 3 * np.pi / 2, 2 * np.pi / 3]
    rows = [
        radius * turn(pitch_class * angle)
        for radius, angle in zip(TONAL_RADII, angles, strict=True)
        for turn in (np.sin, np.cos)
    ]
    level = chroma.sum(-1, keepdims=True)
    return (chroma / np.maximum(level, 1e-9)) @ np.stack(rows, 1)


def tonal_distance(first: TrackPhrases, second: TrackPhrases) -> float:
    """TD: mean Euclidean distance of two tracks' tonal centroids over beats where both sound."""
    both = (first.chroma.sum(2) > 0) & (second.chroma.sum(2) > 0)
    apart = tonal_centroid(first.chroma[both]) - tonal_centroid(second.chroma[both])
    return _mean(np.linalg.norm(apart, axis=1))


@dataclass(frozen=True)
class Metric:
    """A number of each track, and how to tell it."""

    name: str
    unit: str
    of: Callable[[TrackPhrases], float]
    drums: bool = False
    melodic: bool = True

    def applies(self, track: Track) -> bool:
        return self.drums if track.is_drum else self.melodic


METRICS: tuple[Metric, ...] = (
    Metric("EB", "% empty bars", empty_bars, drums=True),
    Metric("UPC", "pitch classes a bar", used_pitch_classes),
    Metric("UPC paper", "pitch groups a bar", used_pitch_classes_paper),
    Metric("QN", "share of notes", qualified_notes),
    Metric("PP", "share of steps", polyphony_rate),
    Metric("polyphony", "notes at once", polyphony),
    Metric("notes", "notes a bar", notes_per_bar, drums=True),
    Metric("length", "beats", note_length),
    Metric("range", "semitones", pitch_range),
    Metric("entropy", "bits", pitch_class_entropy),
    Metric("scale", "share of cells", scale_consistency),
    Metric("groove", "0 to 1", groove_consistency, drums=True),
    Metric("DP", "share of onsets", drum_pattern, drums=True, melodic=False),
)

Table = dict[str, dict[str, float]]
"""metric -> track or pair of tracks -> value."""


def measure(cells: Phrases, grid: Grid, tracks: tuple[Track, ...]) -> Table:
    """Every metric of every track, and the tonal distance of every pair of melodic tracks."""
    heard = [TrackPhrases(cells[:, number], grid) for number in range(len(tracks))]
    table: Table = {
        metric.name: {
            track.name: metric.of(one)
            for track, one in zip(tracks, heard, strict=True)
            if metric.applies(track)
        }
        for metric in METRICS
    }
    melodic = [(t.name, h) for t, h in zip(tracks, heard, strict=True) if not t.is_drum]
    table["TD"] = {
        f"{a}-{b}": tonal_distance(one, other) for (a, one), (b, other) in combinations(melodic, 2)
    }
    return table


def relative(made: float, real: float) -> float:
    """|made - real| / real, 1 where nothing was made of what the data has; NaN without data."""
    if np.isnan(real) or real == 0:
        return float("nan")
    return 1.0 if np.isnan(made) else abs(made - real) / real


YARDSTICK_GRID = Grid(steps_per_beat=4, lowest_pitch=24, pitches=72)
YARDSTICK = ("EB", "UPC", "QN", "PP", "notes", "length", "TD")
YARDSTICK_PAIRS = ("Piano-Guitar", "Guitar-Bass")
BASS = "Bass"


def regrid(cells: Phrases, grid: Grid) -> CoarsePhrases:
    """Cells at 4 steps a beat and pitches 24 to 95, where the yardstick is defined.

    Onsets and ends go to the nearest step; two that meet there become one.
    """
    steps = YARDSTICK_GRID.steps_per_beat * grid.beats_per_bar
    phrases, tracks, bars = cells.shape[:3]
    shape = (phrases, tracks, bars * steps, YARDSTICK_GRID.pitches)
    if grid.steps_per_beat == YARDSTICK_GRID.steps_per_beat:
        coarse = cells.reshape(phrases, tracks, bars * steps, -1)
    else:
        coarse = _rounded(cells, grid, bars * steps)
    made = np.zeros(shape, np.uint8)
    shift = grid.lowest_pitch - YARDSTICK_GRID.lowest_pitch
    first, last = max(0, shift), min(shape[3], shift + grid.pitches)
    made[..., first:last] = coarse[..., first - shift : last - shift]
    return made.reshape(phrases, tracks, bars, steps, -1)


def _rounded(cells: Phrases, grid: Grid, steps: int) -> np.ndarray:
    phrases, tracks = cells.shape[:2]
    flat = cells.reshape(phrases, tracks, -1, cells.shape[4])
    nearest = np.floor(np.arange(flat.shape[2]) * steps / flat.shape[2] + 0.5).astype(int)
    nearest = np.minimum(nearest, steps - 1)
    onset = np.zeros((phrases, tracks, steps, cells.shape[4]), bool)
    held = np.zeros_like(onset)
    for fine, coarse in enumerate(nearest):
        onset[:, :, coarse] |= flat[:, :, fine] == ONSET
    centre = np.minimum((np.arange(steps) + 0.5) * flat.shape[2] / steps, flat.shape[2] - 1)
    for coarse, fine in enumerate(centre.astype(int)):  # a step is held if its middle sounds
        held[:, :, coarse] = flat[:, :, fine] > SILENT
    sounding = _continued(onset, held)
    return np.where(onset, ONSET, np.where(sounding, HOLD, SILENT)).astype(np.uint8)


def _continued(onset: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Held steps that go on from an onset."""
    sounding = onset.copy()
    for step in range(1, onset.shape[2]):
        sounding[:, :, step] |= held[:, :, step] & sounding[:, :, step - 1]
    return sounding


@dataclass(frozen=True)
class Yardstick:
    """How far phrases lie from the data: one number over seven metrics.

    For each metric the mean over tracks of |made - real| / real; their mean is the distance. The
    bass is left out of PP (it is nearly never polyphonic), and TD is over piano-guitar and
    guitar-bass; where the tracks are others, over all pairs.
    """

    grid: Grid
    tracks: tuple[Track, ...]
    real: Table = field(repr=False)

    @classmethod
    def of(cls, cells: Phrases, grid: Grid, tracks: tuple[Track, ...]) -> "Yardstick":
        return cls(grid, tracks, measure(regrid(cells, grid), YARDSTICK_GRID, tracks))

    def distance(self, cells: Phrases) -> float:
        """0 for the data itself; held-out songs of the shipped collection lie at 0.1."""
        return float(np.nanmean(list(self.parts(cells).values())))

    def parts(self, cells: Phrases) -> dict[str, float]:
        """The distance of each metric."""
        made = measure(regrid(cells, self.grid), YARDSTICK_GRID, self.tracks)
        return {name: self._part(name, made[name], self.real[name]) for name in YARDSTICK}

    def _part(self, name: str, made: dict[str, float], real: dict[str, float]) -> float:
        chosen = [key for key in real if self._counts(name, key, real)]
        return float(np.nanmean([relative(made[key], real[key]) for key in chosen]))

    def _counts(self, name: str, key: str, real: dict[str, float]) -> bool:
        if name == "TD" and set(YARDSTICK_PAIRS) <= set(real):
            return key in YARDSTICK_PAIRS
        return not (name == "PP" and key == BASS and len(real) > 1)


def diversity(cells: Phrases, pairs: int = 500, seed: int = 0) -> float:
    """Mean Jaccard similarity of two phrases' sounding cells, 0 to 1; real songs lie near 0.03."""
    generator = np.random.default_rng(seed)
    sounding = (cells > SILENT).reshape(len(cells), -1)
    first, second = generator.integers(0, len(cells), (2, pairs))
    different = first != second
    a, b = sounding[first[different]], sounding[second[different]]
    together = (a & b).sum(1) / np.maximum((a | b).sum(1), 1)
    return _mean(together)


def copied_bars(made: Phrases, data: UInt8[np.ndarray, "known track _ step pitch"]) -> float:
    """Share of sounding bars, all tracks together, that stand note for note in the data."""
    known = {bar.tobytes() for bar in _packed_bars(data)}
    bars = [bar.tobytes() for bar in _packed_bars(made)]
    return sum(bar in known for bar in bars) / len(bars) if bars else float("nan")


def _packed_bars(cells: Phrases) -> np.ndarray:
    bars = cells.transpose(0, 2, 1, 3, 4).reshape(cells.shape[0] * cells.shape[2], -1)
    bars = bars[(bars > SILENT).any(1)]
    return np.concatenate([np.packbits(bars > SILENT, 1), np.packbits(bars == ONSET, 1)], 1)


def returned_notes(phrases: Phrases, again: Phrases) -> float:
    """F1 of onsets: 1 where every note comes back in its place, and none beside them."""
    wanted, found = phrases == ONSET, again == ONSET
    both = wanted.sum() + found.sum()
    return float(2 * (wanted & found).sum() / both) if both else 1.0


def overlapped_area(made: np.ndarray, real: np.ndarray, bins: int = 50) -> float:
    """Area under both densities, on one grid, 0 to 1 (Yang and Lerch 2020)."""
    made, real = made[~np.isnan(made)], real[~np.isnan(real)]
    if not len(made) or not len(real):
        return 0.0
    edges = np.histogram_bin_edges(np.concatenate([made, real]), bins)
    densities = [np.histogram(values, edges)[0] / len(values) for values in (made, real)]
    return float(np.minimum(*densities).sum())
