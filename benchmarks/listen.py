"""Write the listening page: eight songs of each shipped model of music, unselected.

python benchmarks/listen.py [--to docs/listening] [--count 8] [--seed 1]

Songs 1 to 8 of the seed, sixteen bars each, as sound (.mp3) and MIDI, with the page of
`pianoreel gallery`. No song is chosen or left out.
"""

import argparse
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
import torchaudio

from gallery.page import ABOUT, write_gallery
from musegen.files.midi import write_midi
from musegen.files.sound import SAMPLE_RATE, sound
from musegen.model import Model
from musegen.roll import Roll

RATE, BITS_PER_SECOND = 22_050, 40_000
MODELS = {
    "lookback_rnn": "Notes one after the other, by a network that sees which notes stood one, "
    "two, four and eight bars ago. What fails: some songs are one loop throughout, and few have "
    "an ending.",
    "latent_musegan": "All bars at once: a generator plays a game over the latents of bars, along "
    "a form of which bar repeats which. What fails: songs lie in registers too alike, and "
    "melodies keep to few pitches.",
}


def write_mp3(roll: Roll, path: Path) -> None:
    """Write a song as mono MP3."""
    mono = torch.from_numpy(sound(roll)).mean(0, keepdim=True)
    samples = torchaudio.functional.resample(mono, SAMPLE_RATE, RATE).numpy()
    pcm = (np.clip(samples, -1, 1) * 32767).round().astype(np.int16)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libmp3lame", rate=RATE, bit_rate=BITS_PER_SECOND, layout="mono")
        frame = av.AudioFrame.from_ndarray(pcm, format="s16p", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)


def write_songs(model: Model, to: Path, count: int, seed: int) -> str:
    """Write a model's songs; return the paragraph about them."""
    for number, roll in enumerate(model.sample(count, 16, seed), 1):
        write_midi(roll, to / f"{model.name}-{number}.mid")
        write_mp3(roll, to / f"{model.name}-{number}.mp3")
    command = f"pianoreel music sample {model.name} --count {count} --bars 16 --seed {seed}"
    return f"{model.name} ({command}): {MODELS[model.name]}"


def main() -> None:
    """Read the options and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=Path("docs/listening"))
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    count, seed = options.count, options.seed
    chosen = (
        f"The first {count} songs of seed {seed} of each model: none is chosen, none left out."
    )
    parts = [write_songs(Model.load(name, "cpu"), options.to, count, seed) for name in MODELS]
    (options.to / ABOUT).write_text("\n\n".join([chosen, *parts]) + "\n", encoding="utf-8")
    for path in write_gallery(options.to, options.to, "Songs by pianoreel"):
        print(path)


if __name__ == "__main__":
    main()
