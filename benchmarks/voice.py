"""Voices: how long notes take to render, to hear, to convert to x and back, and to sample.

python benchmarks/voice.py [RUN]            the weights that ship, or a run of your own

Processor time of one core, so that other work does not count.
"""

import sys
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from musegen.playing.orchestra import SOUNDFONT
from musegen.voice.data.records import NoteRecord, PrepareConfig, sounds_of
from musegen.voice.data.takes import Take, render
from musegen.voice.fundamental import hear
from musegen.voice.model import Model
from musegen.voice.spectrogram import Spectrogram


def cost(work: Callable[[], object]) -> float:
    """Return seconds of the processor, of the second of two times."""
    work()
    begin = time.process_time()
    work()
    return time.process_time() - begin


def main() -> None:
    """Print milliseconds for each note of 1 s."""
    torch.set_num_threads(1)
    config = PrepareConfig()
    take = Take(73, 100, config.seconds)
    record = render(take, str(SOUNDFONT), config)
    assert isinstance(record, NoteRecord)
    sounds = torch.from_numpy(sounds_of(record.notes))
    spectrogram = Spectrogram(config.sample_rate_hz, config.samples)
    x = spectrogram.analyse(sounds)
    model = Model.load(sys.argv[1] if sys.argv[1:] else None, "cpu")
    pitches = list(range(model.spec.lowest, model.spec.highest + 1))
    rows = {
        "render, normalise and judge": (lambda: render(take, str(SOUNDFONT), config), len(sounds)),
        "judge": (
            lambda: [hear(one, config.sample_rate_hz) for one in sounds.numpy()],
            len(sounds),
        ),
        "sound to x": (lambda: spectrogram.analyse(sounds), len(sounds)),
        "x to sound": (lambda: spectrogram.synthesise(x), len(sounds)),
        f"sample from {model.name}": (lambda: model.samples(pitches), len(pitches)),
        f"a timbre of {model.name}": (lambda: model.notes_of(pitches), len(pitches)),
    }
    table = Table("notes of 1 s", "ms a note")
    for name, (work, count) in rows.items():
        table.add_row(name, f"{1000 * cost(work) / count:.1f}")
    Console().print(table)


main()
