"""SoundFont 2 files: the instruments of their programs, and an instrument written as one.

"SoundFont Technical Specification", version 2.04, 2006. Read are the generators of samples, loops,
pitch, filter, volume and pan, and of their envelopes; vibrato, tremolo, chorus, reverb and
modulators are not. symusic 0.5.9's synthesizer leaves out the root keys that a soundfont sets
(generator 58), and with them the pitch of most instruments.
"""

import struct
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UserError
from musegen.files.audio import in_16_bits
from musegen.playing.instrument import (
    MIDDLE_C,
    Brightness,
    Envelope,
    Glide,
    Instrument,
    Range,
    Region,
)
from musegen.playing.loop import Loop

PRESET = np.dtype(
    [("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "<u4", 3)]
)
BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<i2")])
INSTRUMENT = np.dtype([("name", "S20"), ("bag", "<u2")])
SAMPLE = np.dtype(
    [
        *(("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop", "<u4"), ("loop_end", "<u4")),
        *(("rate", "<u4"), ("pitch", "u1"), ("cents", "i1"), ("link", "<u2"), ("type", "<u2")),
    ]
)
RECORDS = {
    "phdr": PRESET, "pbag": BAG, "pgen": GENERATOR,
    "inst": INSTRUMENT, "ibag": BAG, "igen": GENERATOR, "shdr": SAMPLE,
}  # fmt: skip
"""The chunks of records; each has a terminal record at its end."""

START, END, LOOP_START, LOOP_END, START_COARSE, OPENING_TO_PITCH = 0, 1, 2, 3, 4, 7
FILTER_HZ, FILTER_Q, OPENING_TO_FILTER, END_COARSE, PAN = 8, 9, 11, 12, 17
OPENING, VOLUME = 25, 33
"""The first of the six stages of an envelope: delay, attack, hold, decay, sustain, release; after
them by how much hold and decay depend on the key."""
INSTRUMENT_NUMBER, KEYS, VELOCITIES, LOOP_START_COARSE, KEY, ATTENUATION = 41, 43, 44, 45, 46, 48
LOOP_END_COARSE, SEMITONES, CENTS, SAMPLE_NUMBER, MODES, SCALE, ROOT = 50, 51, 52, 53, 54, 56, 58
DEFAULTS = {FILTER_HZ: 13_500, SCALE: 100, ROOT: -1, KEY: -1}
DEFAULTS |= {first + n: -12_000 for first in (OPENING, VOLUME) for n in (0, 1, 2, 3, 5)}

COARSE = 32_768
"""Samples of one unit of a coarse address."""
DRUM_BANK = 128
OPEN_FILTER_CENTS = 13_500
"""From here on, 20 kHz, a low-pass filter does nothing."""
ATTENUATION_FACTOR = 0.4
"""Makers of soundfonts tuned them by a sound card that attenuated by so much of what they state,
and players do as it did."""
HIGHEST_GLIDE = 48
"""Semitones; the format allows 120, at which a sample would be over at once."""
COMPRESSED, MONO = 0x10, 1
"""Types of samples."""
MARGIN, FREE = 54, 8
"""Zeros after a sample, and samples before and after a loop: the format asks for 46 and 8."""
LOOPED = 1
NO_MODULATORS = np.zeros(10, np.uint8)
"""The terminal record alone."""

Zone = dict[int, int]


class Soundfont:
    """A file of instruments, read as they are asked for; its samples stay on the disk.

    `UserError` for a file that is none, is cut off or holds compressed samples.
    """

    def __init__(self, path: Path):
        self.path = path
        if not path.is_file():
            raise UserError(f"there is no soundfont {path}: give an .sf2 file")
        self.chunks = dict(_chunks(path))
        records = {name: self._records(name, kind) for name, kind in RECORDS.items()}
        self.presets, self.instruments = records["phdr"], records["inst"]
        self.zones = {"p": (records["pbag"], records["pgen"])}
        self.zones["i"] = (records["ibag"], records["igen"])
        self.samples = records["shdr"]
        if (self.samples["type"] & COMPRESSED).any():
            raise self._broken("its samples are compressed, as in .sf3")

    @cached_property
    def programs(self) -> dict[tuple[int, int], int]:
        """Return the number of the preset of each (bank, program), in their order."""
        found = zip(self.presets["bank"].tolist(), self.presets["program"].tolist(), strict=True)
        return {key: number for number, key in sorted(enumerate(found), key=lambda one: one[1])
                if number < len(self.presets) - 1}  # fmt: skip

    def instrument(self, program: int, is_drum: bool = False) -> Instrument | None:
        """Return a program of General MIDI, or a drum kit.

        Where it is missing, the first of its family of eight takes its place, then the first of
        all; None where there are no drums, or nothing else.
        """
        of_kind = [p for bank, p in self.programs if (bank == DRUM_BANK) == is_drum]
        if not of_kind:
            return None
        bank = DRUM_BANK if is_drum else 0
        family = [p for p in of_kind if p // 8 == program // 8 and (bank, p) in self.programs]
        chosen = program if (bank, program) in self.programs else (family or of_kind)[0]
        key = next(key for key in [(bank, chosen), *self.programs] if key in self.programs)
        return self._instrument(self.programs[key])

    @cache  # noqa: B019 - a soundfont lives as long as its program
    def _instrument(self, number: int) -> Instrument:
        try:
            regions = tuple(self._regions(number))
        except (IndexError, ValueError) as error:
            raise self._broken("its records do not fit together") from error
        return Instrument(regions, self.presets["name"][number].decode("latin-1"))

    def _regions(self, preset: int) -> Iterator[Region]:
        for over, ranges in self._zones("p", self.presets["bag"], preset, INSTRUMENT_NUMBER):
            instrument = over.pop(INSTRUMENT_NUMBER)
            bags = self.instruments["bag"]
            for zone, inner in self._zones("i", bags, instrument, SAMPLE_NUMBER):
                keys, velocities = (a.within(b) for a, b in zip(ranges, inner, strict=True))
                if keys.first <= keys.last and velocities.first <= velocities.last:
                    sums = {kind: zone.get(kind, DEFAULTS.get(kind, 0)) + n
                            for kind, n in over.items()}  # fmt: skip
                    yield self._region(DEFAULTS | zone | sums, keys, velocities)

    def _zones(
        self, level: str, bags: np.ndarray, number: int, last: int
    ) -> Iterator[tuple[Zone, tuple[Range, Range]]]:
        """Yield the generators of each zone, with those of its global one, and its two ranges."""
        zones, generators = self.zones[level]
        shared: Zone = {}
        for bag in range(int(bags[number]), int(bags[number + 1])):
            begin, end = zones["generator"][bag : bag + 2].tolist()
            own = dict(generators[begin:end].tolist())
            if last not in own:
                shared = shared or own
                continue
            zone = shared | own
            ranges = [zone.pop(kind, COARSE - 256) & 0xFFFF for kind in (KEYS, VELOCITIES)]
            keys, velocities = (Range(n & 0xFF, n >> 8) for n in ranges)
            yield zone, (keys, velocities)

    def _region(self, zone: Zone, keys: Range, velocities: Range) -> Region:
        value = zone.get
        sample = self.samples[value(SAMPLE_NUMBER, 0)]
        start, end, loop, loop_end = (
            int(sample[name]) + value(fine, 0) + COARSE * value(coarse, 0)
            for name, fine, coarse in (
                ("start", START, START_COARSE),
                ("end", END, END_COARSE),
                ("loop", LOOP_START, LOOP_START_COARSE),
                ("loop_end", LOOP_END, LOOP_END_COARSE),
            )
        )
        if not 0 <= start <= end <= len(self._pool) or not sample["rate"]:
            raise ValueError
        has_loop = value(MODES, 0) & LOOPED and start <= loop < loop_end <= end
        root = int(sample["pitch"]) if value(ROOT, -1) < 0 else zone[ROOT]
        root = MIDDLE_C if root > 127 else root  # 255 marks one without a pitch (section 7.10)
        scale = zone[SCALE] / 100
        up = value(SEMITONES, 0) + (value(CENTS, 0) + int(sample["cents"])) / 100
        return Region(
            waveform=self._pool[start:end],
            sample_rate_hz=int(sample["rate"]),
            root=root - (up / scale if scale else 0),
            tuned=0 if scale else up,
            keys=keys,
            velocities=velocities,
            loop=Loop(loop - start, loop_end - start) if has_loop else None,
            envelope=_envelope(zone, VOLUME),
            brightness=_brightness(zone),
            glide=_glide(zone),
            gain=10 ** (-ATTENUATION_FACTOR * value(ATTENUATION, 0) / 200),
            pan=float(np.clip(value(PAN, 0) / 500, -1, 1)),
            semitones_per_key=scale,
            fixed_key=zone[KEY] if zone[KEY] >= 0 else None,
        )

    @cached_property
    def _pool(self) -> np.ndarray:
        """Return the samples of all, from the file as they are needed."""
        begin, size = self.chunks["smpl"]
        return np.memmap(self.path, "<i2", "r", begin, (size // 2,)) if size else np.zeros(0, "i2")

    def _records(self, name: str, kind: np.dtype) -> np.ndarray:
        begin, size = self.chunks.get(name, (0, 0))
        if size < kind.itemsize or size % kind.itemsize or "smpl" not in self.chunks:
            raise self._broken(f"it has no whole chunk '{name}'")
        with self.path.open("rb") as file:
            file.seek(begin)
            return np.frombuffer(file.read(size), kind)

    def _broken(self, reason: str) -> UserError:
        return _broken(self.path, reason)


def _broken(path: Path, reason: str) -> UserError:
    return UserError(f"{path} is no SoundFont 2 file ({reason}): give a whole, uncompressed .sf2")


def _chunks(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the name of each chunk within the lists of a RIFF file, its first byte and size."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"sfbk":
            raise _broken(path, "it does not begin with RIFF and sfbk")
        at = 12
        while at + 8 <= size:
            file.seek(at)
            name, length = struct.unpack("<4sI", file.read(8))
            if at + 8 + length > size:
                raise _broken(path, "it is cut off")
            if name != b"LIST":
                yield name.decode("latin-1"), (at + 8, length)
            at += 12 if name == b"LIST" else 8 + length + length % 2


def _seconds(timecents: int) -> float:
    """Return the duration 2^(n / 1200) s; the shortest, 1 ms, is none."""
    return 2 ** (timecents / 1200) if timecents > -12_000 else 0.0


def _envelope(zone: Zone, first: int) -> Envelope:
    """Return an envelope of eight generators.

    A unit of sustain is 0.1 dB of a volume, and 0.1 % of what a filter opens, which falls by
    percents as a volume does by decibels. Hold and decay of a key depend on it by cents of time.
    """
    amounts: list[Any] = [zone.get(first + stage, 0) for stage in range(8)]
    delay, attack, hold, decay, _, release = map(_seconds, amounts[:6])
    of_keys = [float(np.clip(cents, -1200, 1200)) / 1200 for cents in amounts[6:]]
    return Envelope(delay, attack, hold, decay, max(0, amounts[4]) / 10, release, *of_keys)


def _glide(zone: Zone) -> Glide | None:
    """Return how the pitch follows the envelope of the filter, or None where it does not."""
    semitones = float(np.clip(zone.get(OPENING_TO_PITCH, 0) / 100, -HIGHEST_GLIDE, HIGHEST_GLIDE))
    return Glide(semitones, _envelope(zone, OPENING)) if semitones else None


def _brightness(zone: Zone) -> Brightness | None:
    """Return the low-pass filter, or None where it is open from beginning to end."""
    closed, opening = zone[FILTER_HZ], zone.get(OPENING_TO_FILTER, 0)
    ends = [min(max(cents, 1_500), OPEN_FILTER_CENTS) for cents in (closed, closed + opening)]
    if min(ends) == OPEN_FILTER_CENTS:
        return None
    closed_hz, open_hz = (8.176 * 2 ** (cents / 1200) for cents in ends)
    resonance_db = zone.get(FILTER_Q, 0) / 10
    return Brightness(closed_hz, open_hz, resonance_db, _envelope(zone, OPENING))


def encode_sf2(instrument: Instrument) -> bytes:
    """Return a soundfont whose program 0 is an instrument, each region with a sample of its own.

    Read are keys, velocities, pitch, loop, decay and release; a sample has `MARGIN` zeros after
    it, as the format asks for.
    """
    name = instrument.name.encode("ascii", "replace")[:19]
    regions = instrument.regions
    starts = np.cumsum([0, *(len(region.waveform) + MARGIN for region in regions)])
    zones = [_generators(region, number) for number, region in enumerate(regions)]
    firsts = np.cumsum([0, *map(len, zones)])
    samples = [
        (f"{name.decode()[:12]} {number}".encode(), *_header(region, start))
        for number, (region, start) in enumerate(zip(regions, starts.tolist(), strict=False))
    ]
    records = {
        "phdr": np.array([(name, 0, 0, 0, 0), (b"EOP", 0, 0, 1, 0)], PRESET),
        "pbag": np.array([(0, 0), (1, 0)], BAG),
        "pmod": NO_MODULATORS,
        "pgen": np.array([(INSTRUMENT_NUMBER, 0), (0, 0)], GENERATOR),
        "inst": np.array([(name, 0), (b"EOI", len(regions))], INSTRUMENT),
        "ibag": np.array([(first, 0) for first in firsts.tolist()], BAG),
        "imod": NO_MODULATORS,
        "igen": np.array([*(pair for zone in zones for pair in zone), (0, 0)], GENERATOR),
        "shdr": np.array([*samples, (b"EOS", *[0] * 9)], SAMPLE),
    }
    pool = b"".join(
        in_16_bits(region.samples[None]).tobytes() + bytes(2 * MARGIN) for region in regions
    )
    info = {"ifil": struct.pack("<HH", 2, 4), "isng": b"EMU8000\0", "INAM": name + b"\0",
            "ISFT": b"pianoreel\0"}  # fmt: skip
    lists = (
        ("INFO", info),
        ("sdta", {"smpl": pool}),
        ("pdta", {key: value.tobytes() for key, value in records.items()}),
    )
    return _chunk("RIFF", b"sfbk" + b"".join(_list(kind, chunks) for kind, chunks in lists))


def _generators(region: Region, number: int) -> list[tuple[int, int]]:
    """Return the generators of a region's zone, in the order that the format asks for."""
    envelope = region.envelope
    ranges = ((KEYS, region.keys), (VELOCITIES, region.velocities))
    times = ((3, envelope.decay), (5, envelope.release))
    return [
        *((kind, _signed(one.first | one.last << 8)) for kind, one in ranges),
        *((VOLUME + stage, round(1200 * np.log2(seconds))) for stage, seconds in times if seconds),
        *([(VOLUME + 4, round(10 * envelope.sustain_db))] if envelope.sustain_db else []),
        (MODES, LOOPED),
        (SAMPLE_NUMBER, number),
    ]


def _header(region: Region, start: int) -> tuple[int, ...]:
    """Return the record of a sample after its name; one that dies away ends in a loop of zeros.

    Without any loop it would be silent in some players.
    """
    end = len(region.waveform) + MARGIN
    loop = region.loop or Loop(end - MARGIN + FREE, end - FREE)
    key = round(region.root)
    cents = round(100 * (key - region.root))
    places = (start, start + end, start + loop.begin, start + loop.end)
    return (*places, region.sample_rate_hz, key, cents, 0, MONO)


def _signed(word: int) -> int:
    """Return a number of 16 bits as a signed one.

    >>> _signed(0x7F00), _signed(0xFFFF)
    (32512, -1)
    """
    return word - 65_536 if word >= 32_768 else word


def _list(kind: str, chunks: dict[str, bytes]) -> bytes:
    body = b"".join(_chunk(name, data) for name, data in chunks.items())
    return _chunk("LIST", kind.encode() + body)


def _chunk(name: str, data: bytes) -> bytes:
    return struct.pack("<4sI", name.encode(), len(data)) + data + bytes(len(data) % 2)
