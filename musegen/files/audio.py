"""Audio files: samples as .wav, .flac, .mp3 and .ogg, and back."""

import io
import wave
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import Float, Int16

from core.errors import UserError
from core.files import NO_TAGS, address

SAMPLE_RATE = 44_100

LONGEST_SECONDS = 600
"""The longest file that is read."""

PIECE = 60 * SAMPLE_RATE
"""Samples that are rounded at once."""

Audio = Float[np.ndarray, "channel sample"]
"""Stereo in [-1, 1] at 44.1 kHz."""


class Coding(NamedTuple):
    """A codec, the type and the rate of its samples, and its settings."""

    codec: str
    sample: str
    rate: int
    options: dict[str, str]


CODINGS = {
    "flac": Coding("flac", "s16", SAMPLE_RATE, {"compression_level": "8"}),
    "mp3": Coding("libmp3lame", "s16p", SAMPLE_RATE, {"b": "192k"}),
    "ogg": Coding("libopus", "s16", 48_000, {"b": "160k"}),
}
"""FLAC is exact to 16 bits. MP3 has 192 kbit/s and Opus 160, at which few hear a loss."""

FORMATS = ("wav", *CODINGS)


def encode(samples: Audio, kind: str, tags: Mapping[str, str] = NO_TAGS) -> bytes:
    """Return the file of samples in one of `FORMATS`; equal samples give equal bytes.

    `tags`: title, artist, comment ..., which a .wav leaves out.
    """
    return wav(samples) if kind == "wav" else _encoded(samples, kind, tags)


def in_16_bits(samples: Audio) -> Int16[np.ndarray, "sample channel"]:
    """Round samples to 16 bits, channels in turn; those beyond -1 and 1 are clipped."""
    return np.ascontiguousarray((np.clip(samples, -1, 1) * 32767).round().astype("<i2").T)


def wav(samples: Float[np.ndarray, "channel sample"], rate_hz: int = SAMPLE_RATE) -> bytes:
    """Return a .wav of 16 bits with any number of channels."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(len(samples))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        for begin in range(0, samples.shape[1], PIECE):
            file.writeframes(in_16_bits(samples[:, begin : begin + PIECE]).tobytes())
    return stream.getvalue()


def _encoded(samples: Audio, kind: str, tags: Mapping[str, str]) -> bytes:
    codec, sample, rate, options = CODINGS[kind]
    stream = io.BytesIO()
    # bitexact: a stream's number is not random, so that equal samples give equal bytes
    with av.open(stream, "w", format=kind, options={"fflags": "+bitexact"}) as file:
        file.metadata.update(tags)
        track: Any = file.add_stream(codec, rate=rate, layout="stereo", options=options)
        track.codec_context.format = sample
        track.codec_context.open()
        convert = av.AudioResampler(sample, "stereo", rate, track.codec_context.frame_size)
        whole = av.AudioFrame.from_ndarray(
            in_16_bits(samples).reshape(1, -1), "s16", "stereo"
        )  # [1 sample*channel]
        whole.sample_rate, whole.pts, whole.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
        for frame in (*convert.resample(whole), *convert.resample(None), None):
            file.mux(track.encode(frame))
    return stream.getvalue()


def comment_of(path: Path) -> str:
    """Return the comment among the tags of a file of a codec; empty where there is none."""
    try:
        with av.open(address(path), options={"protocol_whitelist": "file"}) as file:
            found = [file.metadata, *(stream.metadata for stream in file.streams)]
    except (FFmpegError, OSError):
        return ""
    tags = {name.lower(): text for tags in found for name, text in tags.items()}
    return tags.get("comment", "")


def decode(path: Path) -> tuple[Float[np.ndarray, "channel sample"], int]:
    """Read the samples of a sound file in [-1, 1], and their rate; `UserError` says why not."""
    if not path.is_file():
        raise UserError(f"there is no sound file {path}: put it there, or correct its name")
    try:
        with av.open(address(path), options={"protocol_whitelist": "file"}) as file:
            if not file.streams.audio:
                raise UserError(f"{path} holds no sound: give a .wav, .flac, .mp3 or .ogg")
            stream = file.streams.audio[0]
            convert = av.AudioResampler("fltp")
            frames = (one for frame in file.decode(stream) for one in convert.resample(frame))
            parts = list(_limited(frames, LONGEST_SECONDS * stream.rate, path))
            return np.concatenate(parts, axis=1), stream.rate
    except (FFmpegError, ValueError) as error:
        raise UserError(f"{path} is no whole sound file: export it again as .wav") from error


def _limited(frames: Iterable[Any], most: int, path: Path) -> Iterator[np.ndarray]:
    """Yield the samples of frames; `UserError` where there are more than `most`."""
    count = 0
    for frame in frames:
        samples = frame.to_ndarray()
        count += samples.shape[1]
        if count > most:
            raise UserError(f"{path} lasts more than {LONGEST_SECONDS} seconds: cut it")
        yield samples
