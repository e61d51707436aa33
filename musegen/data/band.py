"""The procedural band: five-track songs generated from a seed, with known answers.

Key, mode, tempo, the chord of every bar, groove and form are sampled first and returned as the
song's `Answers`; then drums, bass, piano, guitar and strings play them. A melody repeats its motif
over the chords, sections bring tracks in and out, and each fourth bar ends with a fill.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from musegen.roll import Grid, Notes, Roll
from musegen.tonality import SCALES, spelled
from musegen.tracks import TRACK_LISTS

NAMES = spelled("Eb", "Ab", "Bb")
"""Names of tonics and of the roots of chords."""

PROGRESSIONS = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 0, 4), (1, 4, 0, 5)),
    "minor": ((0, 5, 2, 6), (0, 3, 6, 2), (0, 5, 3, 4), (0, 6, 5, 6), (0, 3, 0, 4)),
}
"""Degrees of the scale, one chord for each bar."""

DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)
KICK, SNARE, CLOSED, RIDE, CRASH, LOW_TOM, MID_TOM, RIM = 36, 38, 42, 51, 49, 43, 47, 37

Beats = tuple[float, ...]
EIGHTHS: Beats = tuple(n / 2 for n in range(8))
SIXTEENTHS: Beats = tuple(n / 4 for n in range(16))


@dataclass(frozen=True)
class Style:
    """A groove: the beats of the bar at which each instrument plays; `swing` delays off-beats."""

    tempo_bpm: tuple[int, int]
    kick: Beats
    snare: Beats
    cymbal: int
    cymbal_beats: Beats
    bass: Beats
    chords: Beats
    swing: bool = False


STYLES: dict[str, Style] = {
    "pop": Style((96, 128), (0, 1.5, 2), (1, 3), CLOSED, EIGHTHS, EIGHTHS, (0, 1.5, 2.5)),
    "rock": Style((112, 160), (0, 2, 2.5), (1, 3), CLOSED, EIGHTHS, EIGHTHS, (0, 1, 2, 3)),
    "ballad": Style((60, 84), (0, 2.5), (2,), RIDE, (0, 1, 2, 3), (0, 2), (0, 1, 2, 3)),
    "funk": Style(
        (92, 116), (0, 0.75, 2.5), (1, 3), CLOSED, SIXTEENTHS, (0, 0.75, 1.5, 2.5, 3.25),
        (0.5, 1.25, 2.5, 3.25),
    ),
    "bossa": Style(
        (108, 140), (0, 1.5, 2, 3.5), (0, 1.5, 3), CLOSED, EIGHTHS, (0, 1.5, 2, 3.5),
        (0, 1.5, 2.5),
    ),
    "swing": Style(
        (120, 180), (0, 2), (1, 3), RIDE, (0, 1, 1.5, 2, 3, 3.5), (0, 1, 2, 3), (1.5, 3.5),
        swing=True,
    ),
}  # fmt: skip

SECTIONS: dict[str, tuple[int, ...]] = {
    "intro": (PIANO, BASS),
    "verse": (DRUMS, PIANO, BASS, GUITAR),
    "chorus": (DRUMS, PIANO, GUITAR, BASS, STRINGS),
    "bridge": (PIANO, BASS, STRINGS),
    "outro": (DRUMS, BASS, STRINGS),
}
FORMS = (
    ("intro", "verse", "chorus", "verse", "chorus", "outro"),
    ("verse", "verse", "chorus", "bridge", "chorus"),
    ("intro", "verse", "chorus", "bridge", "verse", "chorus", "chorus"),
)
BARS_PER_SECTION = 4


@dataclass(frozen=True)
class Answers:
    """The facts from which a song was generated."""

    key: str
    mode: str
    tempo_bpm: int
    style: str
    form: tuple[str, ...]
    chords: tuple[str, ...]
    """The chord of each bar, such as Am or F."""


def songs(count: int, seed: int = 0, grid: Grid = Grid()) -> Iterator[tuple[Roll, Answers]]:
    """Generate songs number 0, 1, ... of a seed; a song does not depend on the count."""
    for number in range(count):
        yield song([seed, number], grid)


def song(
    seed: int | list[int], grid: Grid = Grid(), style: str | None = None
) -> tuple[Roll, Answers]:
    """Generate one song with the five Lakh tracks; without `style` its style is random."""
    generator = np.random.default_rng(seed)
    score = _Score.sample(generator, grid, style)
    for bar in range(len(score.degrees)):
        score.play(bar)
    return score.roll(), score.answers()


@dataclass
class _Score:
    """A song while it is composed; `notes` are (track, beat, MIDI pitch, length in beats)."""

    generator: np.random.Generator
    grid: Grid
    tonic: int
    mode: str
    style: str
    tempo_bpm: int
    form: tuple[str, ...]
    degrees: tuple[int, ...]
    motifs: dict[str, tuple[tuple[float, int, float], ...]]
    notes: list[tuple[int, float, int, float]]

    @classmethod
    def sample(
        cls, generator: np.random.Generator, grid: Grid, style: str | None = None
    ) -> "_Score":
        """Sample all facts of a song; it has no notes yet."""
        mode = str(generator.choice(list(SCALES)))
        random_style = str(generator.choice(list(STYLES)))  # sampled also where it is given
        style = style or random_style
        form = FORMS[generator.integers(len(FORMS))]
        options = PROGRESSIONS[mode]
        of_section = {name: options[generator.integers(len(options))] for name in SECTIONS}
        degrees = tuple(degree for name in form for degree in of_section[name])
        motifs = {name: _motif(generator) for name in SECTIONS}
        low, high = STYLES[style].tempo_bpm
        tempo = int(generator.integers(low, high + 1))
        tonic = int(generator.integers(12))
        return cls(generator, grid, tonic, mode, style, tempo, form, degrees, motifs, [])

    def play(self, bar: int) -> None:
        """Write all tracks of one bar."""
        section = self.form[bar // BARS_PER_SECTION]
        tracks = SECTIONS[section]
        players = {
            DRUMS: self._drums,
            PIANO: self._piano,
            GUITAR: self._guitar,
            BASS: self._bass,
            STRINGS: self._strings,
        }
        for track in tracks:
            players[track](bar, section)

    def scale(self, degree: int) -> int:
        """Return the semitones from the tonic to a degree, which may lie beyond the octave."""
        octave, step = divmod(degree, 7)
        return 12 * octave + SCALES[self.mode][step]

    def chord(self, bar: int, low: int) -> list[int]:
        """Return a bar's triad, each tone at its lowest pitch at or above `low`."""
        root = self.degrees[bar]
        tones = [self.tonic + self.scale(root + third) for third in (0, 2, 4)]
        return sorted(low + (tone - low) % 12 for tone in tones)

    def put(self, track: int, bar: int, beat: float, pitch: int, beats: float) -> None:
        """Write one note; a swung off-beat is played late."""
        off_beat = STYLES[self.style].swing and beat % 1 == 0.5
        late = 1 / 6 if off_beat else 0.0
        self.notes.append((track, 4 * bar + beat + late, pitch, beats))

    def _drums(self, bar: int, section: str) -> None:
        style = STYLES[self.style]
        is_fill = bar % BARS_PER_SECTION == BARS_PER_SECTION - 1
        for pitch, beats in ((KICK, style.kick), (style.cymbal, style.cymbal_beats)):
            for beat in beats:
                self.put(DRUMS, bar, beat, pitch, 0.1)
        drum = RIM if self.style == "bossa" else SNARE
        for beat in style.snare:
            if not (is_fill and beat >= 3):
                self.put(DRUMS, bar, beat, drum, 0.1)
        if is_fill:
            for number, pitch in enumerate((SNARE, SNARE, MID_TOM, LOW_TOM)):
                self.put(DRUMS, bar, 3 + number / 4, pitch, 0.1)
        if bar % BARS_PER_SECTION == 0 and section == "chorus":
            self.put(DRUMS, bar, 0, CRASH, 0.1)

    def _bass(self, bar: int, section: str) -> None:
        style = STYLES[self.style]
        root, third, fifth = (self.tonic + self.scale(self.degrees[bar] + n) for n in (0, 2, 4))
        following = self.degrees[(bar + 1) % len(self.degrees)]
        approach = self.tonic + self.scale(following - 1)
        walk = (root, third, fifth, approach) if style.swing else (root, root, fifth, root)
        for beat, until in zip(style.bass, (*style.bass[1:], 4.0), strict=True):
            last = beat >= 3.5 and self.generator.random() < 0.5
            tone = approach if last else walk[int(beat) % 4]
            pitch = 28 + (tone - 28) % 12
            self.put(BASS, bar, beat, pitch, min(until - beat, 1.0))

    def _piano(self, bar: int, section: str) -> None:
        chord = self.chord(bar, 55)
        if section in ("intro", "bridge") or self.style == "ballad":
            for number, beat in enumerate(EIGHTHS):
                self.put(PIANO, bar, beat, [*chord, chord[1]][number % 4], 0.5)
            return
        beats = STYLES[self.style].chords
        for beat, until in zip(beats, (*beats[1:], 4.0), strict=True):
            for pitch in chord:
                self.put(PIANO, bar, beat, pitch, min(until - beat, 0.75))

    def _guitar(self, bar: int, section: str) -> None:
        if section == "verse":
            self._melody(GUITAR, bar, section, 57)
            return
        low = self.chord(bar, 45)
        power = [low[0], low[0] + 12, *low[1:]] if self.style != "rock" else [low[0], low[0] + 7]
        for beat in EIGHTHS if self.style == "rock" else STYLES[self.style].chords:
            for pitch in sorted(set(power)):
                self.put(GUITAR, bar, beat, pitch, 0.5)

    def _strings(self, bar: int, section: str) -> None:
        if section == "chorus":
            self._melody(STRINGS, bar, section, 69)
        else:
            for pitch in self.chord(bar, 60):
                self.put(STRINGS, bar, 0, pitch, 4.0)

    def _melody(self, track: int, bar: int, section: str, low: int) -> None:
        """Play the section's motif on the bar's chord; each fourth bar closes on its root."""
        tonic = low + (self.tonic - low) % 12
        degree = self.degrees[bar] % 7
        if bar % BARS_PER_SECTION == BARS_PER_SECTION - 1:
            self.put(track, bar, 0, tonic + self.scale(degree), 3.0)
            return
        for beat, step, beats in self.motifs[section]:
            self.put(track, bar, beat, tonic + self.scale(degree + step), beats)

    def roll(self) -> Roll:
        """Convert the score to notes on its grid; beats are those of 4/4."""
        table = np.array(self.notes)
        per_beat, tracks = self.grid.steps_per_beat, TRACK_LISTS["lakh"]
        start = np.floor(table[:, 1] * per_beat + 0.5).astype(np.int64)
        end = np.floor((table[:, 1] + table[:, 3]) * per_beat + 0.5).astype(np.int64)
        track = table[:, 0].astype(np.int64)
        length = np.where(track == DRUMS, 1, np.maximum(end - start, 1))
        pitch = table[:, 2].astype(np.int64) - self.grid.lowest_pitch
        inside = (pitch >= 0) & (pitch < self.grid.pitches)
        notes = Notes(track, start, pitch, length, np.full(len(start), 100))[inside]
        bars = len(self.degrees)
        return Roll.of(notes, tracks, self.grid, np.full(bars, float(self.tempo_bpm)), "band")

    def answers(self) -> Answers:
        """Return the facts of the song."""
        chords = tuple(self._name(degree) for degree in self.degrees)
        key = NAMES[self.tonic]
        return Answers(key, self.mode, self.tempo_bpm, self.style, self.form, chords)

    def _name(self, degree: int) -> str:
        root, third, fifth = (self.scale(degree + n) for n in (0, 2, 4))
        kind = {(4, 7): "", (3, 7): "m", (3, 6): "dim"}[third - root, fifth - root]
        return NAMES[(self.tonic + root) % 12] + kind


def _motif(generator: np.random.Generator) -> tuple[tuple[float, int, float], ...]:
    """Sample a bar of melody: (beat, scale steps above the chord's root, length in beats)."""
    rhythms = ((0, 1, 1.5, 2, 3), (0, 0.5, 1, 2, 2.5), (0, 1.5, 2, 3, 3.5), (0.5, 1, 2, 3))
    beats = rhythms[generator.integers(len(rhythms))]
    steps = [int(generator.choice((0, 2, 4)))]
    for _ in beats[1:]:
        steps.append(int(np.clip(steps[-1] + generator.choice((-2, -1, 1, 1, 2)), -2, 7)))
    until = (*beats[1:], 4.0)
    return tuple((b, s, u - b) for b, s, u in zip(beats, steps, until, strict=True))
