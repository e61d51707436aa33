"""Playing songs: how many times faster than they last, on one core, at least 20 in a voice.

python benchmarks/playing.py [FILE.mid ...]             songs of the band in every style, or yours
python benchmarks/playing.py --voice RUN [FILE.mid]     in a voice of your own

Processor time, so that other work does not count. The first row of each song begins with nothing
computed, the others follow in one command: notes that were computed before are not again. The
voice is a flute of the soundfont, at 16 kHz, as voices are. Exits with 1 below the bound.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from musegen.commands.group import open_run
from musegen.data.band import STYLES
from musegen.data.band import song as compose
from musegen.files.audio import SAMPLE_RATE, encode
from musegen.files.midi import read_performance
from musegen.files.sound import Session
from musegen.performance import Performance
from musegen.playing.opening import open_voice
from musegen.playing.orchestra import ALL, SOUNDFONT, Orchestra
from musegen.playing.resampling import resampled
from musegen.playing.voice import Pitches, Voice, Waveforms

BOUND = 20.0
VOICE_HZ = 16_000


class Narrow:
    """A voice at the rate of those that are trained, for one second at most."""

    sample_rate_hz, velocities = VOICE_HZ, (127,)

    def __init__(self, voice: Voice):
        self.voice, self.pitches = voice, voice.pitches

    def notes(self, pitches: Pitches, velocities: Pitches, seconds: float) -> Waveforms:
        rows = self.voice.notes(pitches, velocities, min(seconds, 1.0))
        return resampled(rows, SAMPLE_RATE / VOICE_HZ)


def songs(paths: list[Path]) -> Iterator[Performance]:
    """Read the songs, or compose one of each of the band's styles."""
    if paths:
        yield from map(read_performance, paths)
        return
    for seed, style in enumerate(STYLES):
        yield Performance.of(replace(compose(seed, style=style)[0], name=style))


def seconds(song: Performance, orchestra: Orchestra) -> tuple[float, float]:
    """Return the processor time of a song's sound, and that of its .mp3."""
    begin = time.process_time()
    mix = Session(song, orchestra).mix
    encode(mix, "wav")
    middle = time.process_time()
    encode(mix, "mp3")
    return middle - begin, time.process_time() - middle


def measure(paths: list[Path], voice: Voice) -> bool:
    """Time every song with the soundfont and in the voice; return whether the bound holds."""
    table = Table("song", "notes", "seconds", "soundfont", "in a voice", "the same again", ".mp3")
    taken, played = np.zeros(4), 0.0
    for song in songs(paths):
        voiced = Orchestra(voices={ALL: voice})
        plain, mp3 = seconds(song, Orchestra())
        each = np.array([plain, *(seconds(song, voiced)[0] for _ in range(2)), mp3])
        taken, played = taken + each, played + song.end
        ratios = [f"{ratio:.0f}" for ratio in song.end / each]
        table.add_row(song.name, str(len(song)), f"{song.end:.0f}", *ratios)
    table.add_row("on the whole", "", f"{played:.0f}", *(f"{r:.0f}" for r in played / taken))
    Console().print(table)
    return bool((played / taken[:3] >= BOUND).all())


def main() -> None:
    """Measure and print; exit 1 where playing is slower than promised."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("songs", nargs="*", type=Path)
    arguments.add_argument("--voice")
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    name = chosen.voice or f"{SOUNDFONT}:flute"
    voice = open_voice(name, open_run)
    sys.exit(not measure(chosen.songs, voice if chosen.voice else Narrow(voice)))


if __name__ == "__main__":
    main()
