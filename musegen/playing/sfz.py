"""SFZ: an instrument as a text beside its samples.

The format of Cakewalk, 2004, as sfzformat.com describes it: headers such as <group> and <region>,
and opcodes such as lokey=60, which hold for what follows of their header. Keys, velocities, pitch,
loops, volume and the amplifier's envelope are read; other opcodes are passed over.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core.app.output import Output
from core.data.sources import RejectedFile, require_file
from core.errors import UserError
from musegen.files.audio import decode, wav
from musegen.playing.instrument import Envelope, Instrument, Range, Region
from musegen.playing.loop import Loop
from musegen.playing.synthesis import FALL_DB

Opcodes = dict[str, str]

LEVELS = ("control", "global", "master", "group", "region")
"""The headers, from the outermost in: each takes over the opcodes of those before it."""

TOKEN = re.compile(r"<(\w+)>|([a-z]\w*)=(.*?)(?=\s+[a-z]\w*=|\s*<|\s*$)", re.MULTILINE)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
NOTE = re.compile(r"([a-g])([#b]?)(-?\d)", re.IGNORECASE)
STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}

SUSTAIN_LOOPS = ("loop_continuous", "loop_sustain")


def read_sfz(path: Path) -> Instrument:
    """Read an .sfz, or the only one of a folder; `UserError` where it or a sample is broken."""
    found = sorted(path.glob("*.sfz")) if path.is_dir() else [path]
    if len(found) != 1:
        raise UserError(f"{path} holds {len(found)} .sfz files: name one of them")
    try:
        require_file(found[0])
        text = found[0].read_text(encoding="utf-8", errors="replace")
    except RejectedFile as error:
        raise UserError(f"cannot read {found[0]}: {error.detail}") from error
    except OSError as error:
        raise UserError(f"cannot read {found[0]}: {error.strerror}") from error
    regions = [_region(opcodes, found[0]) for opcodes in _regions(text) if "sample" in opcodes]
    if not regions:
        raise UserError(f"{found[0]} has no <region> with a sample: give another .sfz")
    return Instrument(tuple(regions), found[0].stem)


def _regions(text: str) -> Iterator[Opcodes]:
    """Yield the opcodes of each region, with those that hold for it."""
    levels: dict[str, Opcodes] = {name: {} for name in LEVELS}
    header = "control"
    for found in TOKEN.finditer(COMMENT.sub("", text) + "\n<end>"):
        if not found[1]:
            levels[header][found[2]] = found[3].strip()
            continue
        if header == "region":
            yield {key: value for name in LEVELS for key, value in levels[name].items()}
        header = found[1] if found[1] in LEVELS else "other"
        levels.setdefault(header, {})
        for inner in LEVELS[LEVELS.index(header) :] if header in LEVELS else ():
            levels[inner] = {}


def _region(opcodes: Opcodes, path: Path) -> Region:
    """Return a region with its sample, which lies beside the text."""
    name = opcodes.get("default_path", "") + opcodes["sample"]
    file = path.parent / name.replace("\\", "/")
    samples, rate_hz = decode(file)
    value = _Values(opcodes, path)
    keys = Range(*(value.key(name, at) for name, at in (("lokey", 0), ("hikey", 127))))
    if "key" in opcodes:
        keys = Range(value.key("key", 60), value.key("key", 60))
    begin, end = value.number("loop_start", 0), value.number("loop_end", samples.shape[1] - 1)
    is_looped = opcodes.get("loop_mode", opcodes.get("loopmode", "")) in SUSTAIN_LOOPS
    centre = value.key("pitch_keycenter", value.key("key", 60))
    up = value.number("transpose", 0) + value.number("tune", 0) / 100
    if is_looped and not 0 <= begin < end < samples.shape[1]:
        raise UserError(f"{path}: the loop of {name} is not within it: correct loop_end")
    return Region(
        waveform=samples.mean(0),
        sample_rate_hz=rate_hz,
        root=centre - up,
        keys=keys,
        velocities=Range(int(value.number("lovel", 0)), int(value.number("hivel", 127))),
        loop=Loop(int(begin), int(end) + 1) if is_looped else None,
        envelope=value.envelope(),
        gain=10 ** (value.number("volume", 0) / 20),
        pan=value.number("pan", 0) / 100,
    )


class _Values:
    """The opcodes of a region as numbers."""

    def __init__(self, opcodes: Opcodes, path: Path):
        self.opcodes, self.path = opcodes, path

    def number(self, name: str, default: float) -> float:
        try:
            return float(self.opcodes.get(name, default))
        except ValueError:
            raise self._wrong(name) from None

    def key(self, name: str, default: int) -> int:
        """Return a key, given as a number or as a name such as c#4, which is 61."""
        text = self.opcodes.get(name, str(default))
        if re.fullmatch(r"-?\d+", text):
            return int(text)
        found = NOTE.fullmatch(text)
        if not found:
            raise self._wrong(name)
        sign = {"#": 1, "b": -1}.get(found[2], 0)
        return 12 * (int(found[3]) + 1) + STEPS[found[1].lower()] + sign

    def envelope(self) -> Envelope:
        names = ("delay", "attack", "hold", "decay", "sustain", "release")
        delay, attack, hold, decay, sustain, release = (
            max(0.0, self.number(f"ampeg_{name}", 100.0 if name == "sustain" else 0.0))
            for name in names
        )
        sustain_db = -20 * np.log10(max(sustain / 100, 10 ** (-FALL_DB / 20)))
        return Envelope(delay, attack, hold, decay, float(sustain_db), release)

    def _wrong(self, name: str) -> UserError:
        text = self.opcodes[name]
        return UserError(f"{self.path}: '{name}={text}' is no number: correct it")


def write_sfz(instrument: Instrument, to: Output) -> Iterator[Path]:
    """Write NAME.sfz and a .wav for each region; yield each path once written."""
    name = instrument.name or "voice"
    lines = [f"// {name}, made with pianoreel", "<global>", "pitch_keytrack=100", ""]
    files = {}
    for region in instrument.regions:
        sample = f"{name}-{region.root:g}-{region.velocities.last}.wav"
        files[to.folder / sample] = wav(region.samples[None], region.sample_rate_hz)
        lines.append(" ".join(_line(region, sample)))
    files[to.folder / f"{name}.sfz"] = ("\n".join(lines) + "\n").encode()
    yield from to.write_all(files)


def _line(region: Region, sample: str) -> Iterator[str]:
    """Yield the words of one region."""
    keys, velocities, envelope, loop = (
        region.keys, region.velocities, region.envelope, region.loop
    )  # fmt: skip
    yield f"<region> sample={sample}"
    yield f"lokey={keys.first} hikey={keys.last} pitch_keycenter={region.root:g}"
    yield f"lovel={velocities.first} hivel={velocities.last}"
    yield (
        f"loop_mode=loop_sustain loop_start={loop.begin} loop_end={loop.end - 1}"
        if loop
        else ("loop_mode=no_loop")
    )
    if envelope.decay:
        yield f"ampeg_decay={envelope.decay:.3f} ampeg_sustain=0"
    yield f"ampeg_release={envelope.release:.3f}"
