"""Write the listening page: eight songs of each shipped model of music, unselected.

python benchmarks/listen.py [--to docs/listening] [--count 8] [--seed 1]

Songs 1 to 8 of the seed, sixteen bars each, as sound (.mp3), MIDI and picture, in index.html. No
song is chosen or left out.
"""

import argparse
import html
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
import torchaudio

from musegen.files.midi import write_midi
from musegen.files.picture import draw_roll
from musegen.files.sound import SAMPLE_RATE, sound
from musegen.model import Model
from musegen.roll import Roll

RATE, BITS_PER_SECOND = 22_050, 40_000
MODELS = {
    "lookback_rnn": "Notes one after the other, by a network that sees which notes stood one, "
    "two, four and eight bars ago. What fails: some songs are one loop throughout, and few have "
    "an ending.",
    "latent_musegan": "All bars at once: a generator plays a game over the latents of bars, along "
    "a form of which bar repeats which. What fails: piano and "
    "strings are thin, and registers are too alike.",
}
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
figure { margin: 1.5rem 0; padding: 1rem; border: 1px solid #ccc; border-radius: 8px }
figure img { width: 100%; max-height: 24rem; object-fit: contain } audio { width: 100% }
"""


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


def figures(model: Model, to: Path, count: int, seed: int) -> Iterator[str]:
    """Write a model's songs; yield each as a figure of the page."""
    for number, roll in enumerate(model.sample(count, 16, seed), 1):
        stem = f"{model.name}-{number}"
        write_midi(roll, to / f"{stem}.mid")
        write_mp3(roll, to / f"{stem}.mp3")
        draw_roll(roll, to / f"{stem}.png")
        yield (
            f'<figure><figcaption>{html.escape(roll.name)} · <a href="{stem}.mid">MIDI</a>'
            f'</figcaption><audio controls preload="none" src="{stem}.mp3"></audio>'
            f'<img loading="lazy" src="{stem}.png" alt="Piano roll of {html.escape(roll.name)}">'
            "</figure>"
        )


def page(to: Path, count: int, seed: int) -> str:
    """Write all songs, and return the page that plays them."""
    sections = []
    for name, remark in MODELS.items():
        songs = "\n".join(figures(Model.load(name, "cpu"), to, count, seed))
        command = f"pianoreel music sample {name} --count {count} --bars 16 --seed {seed}"
        sections.append(
            f"<h2>{name}</h2><p>{html.escape(remark)}</p><p><code>{command}</code></p>{songs}"
        )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Songs by pianoreel</title><style>{STYLE}</style><h1>Songs by pianoreel</h1>"
        f"<p>The first {count} songs of seed {seed} of each model: none is chosen, none left out."
        f"</p>{''.join(sections)}</html>\n"
    )


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
    text = page(options.to, options.count, options.seed)
    (options.to / "index.html").write_text(text, encoding="utf-8")
    print(options.to / "index.html")


if __name__ == "__main__":
    main()
