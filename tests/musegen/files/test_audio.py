"""Audio files: what a player gets back."""

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from musegen.files.audio import FORMATS, SAMPLE_RATE, decode, encode, in_16_bits

SECONDS = 2
TAGS = {"title": "Sång ピ", "artist": "pianoreel", "comment": "made by hand"}


def tones() -> np.ndarray:
    """A note on the left, its fifth on the right from half a second on."""
    time = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    left, right = (0.4 * np.sin(2 * np.pi * hertz * time) for hertz in (440, 660))
    return np.stack([left, np.where(time > 0.5, right, 0)]).astype(np.float32)


def decoded(content: bytes) -> tuple[np.ndarray, dict[str, str]]:
    """Samples at 44.1 kHz, and the tags of a file."""
    with av.open(io.BytesIO(content), "r") as file:
        stream = file.streams.audio[0]
        convert = av.AudioResampler("fltp", "stereo", SAMPLE_RATE)
        frames: list[Any] = [
            one for frame in file.decode(stream) for one in convert.resample(frame)
        ]
        frames += convert.resample(None)
        samples = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
        return samples, {**file.metadata, **stream.metadata}


@pytest.mark.parametrize(
    ("kind", "least_decibels"), [("wav", 80), ("flac", 80), ("mp3", 28), ("ogg", 25)]
)
def test_what_is_written_is_decoded(kind: str, least_decibels: float):
    """Nothing is moved in time, left and right stay, and the error is small."""
    played = tones()
    received, _ = decoded(encode(played, kind, TAGS))
    assert received.shape == played.shape
    inside = slice(SAMPLE_RATE // 10, -SAMPLE_RATE // 10)  # of the ends encoders know one side
    for channel in (0, 1):
        one, other = played[channel, inside], received[channel, inside]
        noise = np.mean((one - other) ** 2) / np.mean(one**2)
        assert -10 * np.log10(noise) > least_decibels


def test_lossless_files_hold_the_same_16_bits():
    played = tones()
    for kind in ("wav", "flac"):
        received, _ = decoded(encode(played, kind))
        assert np.array_equal(np.round(received.T * 32768), in_16_bits(played))


@pytest.mark.parametrize("kind", FORMATS[1:])
def test_a_player_shows_title_artist_and_origin(kind: str):
    tags = decoded(encode(tones(), kind, TAGS))[1]
    assert {key: tags[key] for key in TAGS} == TAGS


@pytest.mark.parametrize("kind", FORMATS)
def test_equal_samples_give_equal_files(kind: str):
    assert encode(tones(), kind, TAGS) == encode(tones(), kind, TAGS)


def test_samples_beyond_the_range_are_clipped_and_not_wrapped():
    loud = np.array([[1.5, -1.5, 0.5], [0, 1, -1]], np.float32)
    assert in_16_bits(loud).tolist() == [[32767, 0], [-32767, 32767], [16384, -32767]]


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A recording can be called by its time, and be named from where one is."""
    monkeypatch.chdir(tmp_path)
    Path("12:30.wav").write_bytes(encode(tones(), "wav"))
    assert decode(Path("12:30.wav"))[0].shape == (2, SECONDS * SAMPLE_RATE)
