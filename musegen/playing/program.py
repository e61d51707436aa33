"""The instruments of soundfonts as voices."""

import numpy as np

from musegen.files.audio import SAMPLE_RATE
from musegen.playing.instrument import Instrument, Range
from musegen.playing.synthesis import Note, Synthesis
from musegen.playing.voice import LOUDEST, Pitches, Waveforms, gain

PIANO = Range(21, 108)
"""The keys of a piano; what sounds beyond them is of no use."""


class Program:
    """An instrument of samples: a voice that needs no training."""

    sample_rate_hz = SAMPLE_RATE

    def __init__(self, instrument: Instrument):
        self.instrument = instrument
        keys = instrument.keys.within(PIANO)
        self.pitches = range(keys.first, keys.last + 1)

    @property
    def velocities(self) -> tuple[int, ...]:
        """Return the largest velocity of each layer of its regions."""
        lasts = {region.velocities.last for region in self.instrument.regions}
        return tuple(sorted(lasts | {LOUDEST}))

    def notes(self, pitches: Pitches, velocities: Pitches, seconds: float) -> Waveforms:
        """Synthesise each note; see `Voice.notes`."""
        return self.released(pitches, velocities, seconds, seconds)

    def released(
        self, pitches: Pitches, velocities: Pitches, held: float, seconds: float
    ) -> Waveforms:
        """Synthesise so many seconds of each note, whose key is down for `held` of them."""
        synthesis, samples = Synthesis(), round(seconds * SAMPLE_RATE)
        rows = np.zeros((len(pitches), 2, samples), np.float32)
        for row, pitch, velocity in zip(rows, pitches.tolist(), velocities.tolist(), strict=True):
            synthesis.play(self.instrument, [Note(0.0, held, pitch, velocity)], row)
        return rows.mean(1) / gain(velocities)[:, None].astype(np.float32)
