"""Recordings: sound files of single notes, or of several one after another."""

import io
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from core.data.sources import RejectedFile, Source
from core.data.workers import Failure
from musegen.voice.data.names import Named
from musegen.voice.data.records import SILENCE, NoteRecord, PrepareConfig, normalised, stored
from musegen.voice.fundamental import Sound, hear

SOUND = (".wav", ".flac", ".mp3", ".aif", ".aiff")
FORMATS = "wav,w64,flac,mp3,aiff"
"""FFmpeg's demuxers of the formats that are read: none refers to other files."""
CLIPPED, MOST_CLIPPED = 0.999, 0.01
"""Samples beyond the first are clipped; a recording with a larger share of them is left out."""
HOP_SECONDS = 0.01
RISE_DB = 12.0
"""A note begins where the level rises by so much within `RISE_HOPS`."""
RISE_HOPS = 5
QUIET_DB = -40.0
"""No note begins this far below the loudest moment."""
SHORTEST_SECONDS = 0.1


@dataclass(frozen=True)
class Recording:
    """A sound file, and what its name tells."""

    source: Source
    named: Named

    @property
    def name(self) -> str:
        return self.source.name


def read(recording: Recording, config: PrepareConfig) -> NoteRecord | Failure:
    """Read the notes of a file; a `Failure` with the reason where it has none."""
    try:
        sound = decode(recording.source.read(config.limits), config)
        return _record(recording.named, sound, config)
    except RejectedFile as error:
        return Failure(error.reason, error.detail)


def _record(named: Named, sound: Sound, config: PrepareConfig) -> NoteRecord:
    if np.abs(sound).max(initial=0) < SILENCE:
        raise RejectedFile("silent", "it is silent")
    clipped = float((np.abs(sound) >= CLIPPED).mean())
    if clipped > MOST_CLIPPED:
        raise RejectedFile("clipped", f"{clipped:.0%} of its samples are clipped: record softer")
    notes, pitches, left_out = list[Sound](), list[int](), Counter[str]()
    for part in cut(sound, config):
        note = normalised(part, config)
        tone = None if note is None else hear(note, config.sample_rate_hz)
        if note is None or tone is None:
            left_out["silent" if note is None else "without a pitch"] += 1
            continue
        pitch = round(tone.pitch) if named.pitch is None else named.pitch
        if config.lowest <= pitch <= config.highest:
            notes.append(note)
            pitches.append(pitch)
        else:
            left_out[f"not from {config.lowest} to {config.highest}"] += 1
    if not notes:
        reasons = ", ".join(left_out) or "too short"
        raise RejectedFile("no-pitch", f"none of its notes can be used: {reasons}")
    velocities = np.full(len(notes), named.velocity)
    kept = stored(notes, config.samples)
    return NoteRecord(named.timbre, kept, np.array(pitches), velocities, dict(left_out))


def decode(data: bytes, config: PrepareConfig) -> Sound:
    """Decode the first sound of a file to mono at the wanted rate; `RejectedFile` says why not."""
    if not data:
        raise RejectedFile("empty-file", "the file has no bytes")
    options = {"format_whitelist": FORMATS, "protocol_whitelist": ""}
    try:
        with av.open(io.BytesIO(data), options=options, metadata_errors="replace") as file:
            if not file.streams.audio:
                raise RejectedFile("no-sound", "it holds no sound")
            parts = list(_parts(file, config))
    except FFmpegError as error:
        detail = f"not a readable sound file: {error.strerror}"
        raise RejectedFile("unreadable", detail) from error
    return np.concatenate([np.zeros(0), *parts])


def _parts(file: Any, config: PrepareConfig) -> Iterator[Sound]:
    """Yield the samples of a file, as far as the limit; what is no number is silence."""
    resampler = av.AudioResampler("fltp", "mono", config.sample_rate_hz)
    most, count = config.limits.recording_seconds * config.sample_rate_hz, 0
    for frame in file.decode(file.streams.audio[0]):
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray()[0].astype(np.float64)
            count += len(samples)
            if count > most:
                seconds = config.limits.recording_seconds
                raise RejectedFile("too-long", f"longer than {seconds:g} seconds")
            yield np.nan_to_num(samples, posinf=0, neginf=0)
    for piece in resampler.resample(None):
        yield np.nan_to_num(piece.to_ndarray()[0].astype(np.float64), posinf=0, neginf=0)


def cut(sound: Sound, config: PrepareConfig) -> Iterator[Sound]:
    """Yield the notes of a recording: it is cut where the level rises.

    A recording that is hardly longer than a note is one note.
    """
    rate = config.sample_rate_hz
    if len(sound) <= 1.5 * config.samples:
        yield sound
        return
    bounds = [*onsets(sound, rate), len(sound)]
    for begin, end in itertools.pairwise(bounds):
        if end - begin >= SHORTEST_SECONDS * rate:
            yield sound[begin:end]


def onsets(sound: Sound, rate: int) -> list[int]:
    """Return the samples at which notes begin: the first audible one, and steep rises."""
    hop = max(1, round(HOP_SECONDS * rate))
    frames = sound[: len(sound) // hop * hop].reshape(-1, hop)  # [hop sample]
    level = 10 * np.log10(np.square(frames).mean(1) + 1e-12)
    audible = level > level.max() + QUIET_DB
    before = np.concatenate([np.full(RISE_HOPS, -120.0), level])[: len(level)]
    begins = np.flatnonzero(audible & (level - before > RISE_DB))
    gap = round(SHORTEST_SECONDS / HOP_SECONDS)
    kept = list[int]()
    for begin in begins.tolist():
        if not kept or begin - kept[-1] > gap:
            kept.append(begin)
    return [max(0, begin - 1) * hop for begin in kept]
