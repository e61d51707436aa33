"""Every format that is parsed: small whole files of it, and how they are read.

What is read comes from strangers. A reader returns, or refuses with an error that is meant for
users; `outcome` says what else it does.
"""

import contextlib
import gzip
import hashlib
import io
import json
import os
import resource
import signal
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch  # here, as its import takes more memory than a reading may
from films import corners
from handmade import midi, note, program
from tunes import FOUR_BARS, tune

from core.data.sources import RejectedFile, expand_patterns, iterate_sources, scan
from core.data.workers import Failure
from core.errors import UserError

SECONDS, MEMORY_MB = 10.0, 500
"""Limits of one reading, those of a child of `prepare`; by the clock ten times as long."""

CORPUS = Path(__file__).parent / "corpus"
"""Files that a reader once failed on, in a folder for each format."""


@dataclass(frozen=True)
class Format:
    """A format: its name, whole files of it, and how they are read.

    `in_child`: `prepare` reads it in a child process, which may crash or use its limits up.
    """

    name: str
    seeds: Callable[[Path], list[bytes]]
    read: Callable[[Path], object]
    in_child: bool = False


def read_songs(path: Path, lpd: bool = False) -> None:
    """Find songs in a file or archive and read each, as `music prepare` does."""
    from musegen.data.records import read_source

    config, suffixes = FOUR_BARS, (".npz",) if lpd else (".mid",)
    starts = expand_patterns([str(path)])
    scan(starts, suffixes, config.limits)
    for source in iterate_sources(starts, suffixes, config.limits):
        result = read_source(source, config, lpd)
        assert not isinstance(result, Failure) or result.reason != "error", result


def read_clips(path: Path) -> None:
    """Find clips and their captions in a file, folder or archive and read each."""
    from videogen.data.records import PrepareConfig, read_clip
    from videogen.data.sources.listing import listing

    config = PrepareConfig()
    for clip in listing([str(path)]).clips:
        read_clip(clip, config)


def list_clips(path: Path) -> None:
    """Find clips by a table of captions beside two of them."""
    from videogen.data.sources.listing import listing

    for name in ("a.mp4", "b.mp4"):
        (path.parent / name).write_bytes(b"")
    listing([str(path.parent)])


def read_settings(path: Path) -> None:
    """Read a file of settings, as --config does."""
    from core.yaml_files import read_yaml

    read_yaml(path)


def read_tracks(path: Path) -> None:
    """Read a list of tracks, as --tracks does."""
    from musegen.tracks import track_list

    track_list(str(path))


def read_run(path: Path) -> None:
    """Read the config.yaml of a stranger's run."""
    from core.config import resolve
    from core.training.run import Run
    from musegen.configuration import MusicRun

    path.rename(path.parent / "config.yaml")
    resolve(MusicRun, Run.read(path.parent).config, "config.yaml")


def read_index(path: Path) -> None:
    """Load a checkpoint whose state.json is a stranger's."""
    checkpoint(path.parent)
    path.rename(path.parent / "checkpoint" / "state.json")
    load(path.parent / "checkpoint")


def read_tensors(path: Path) -> None:
    """Load a checkpoint whose weights are a stranger's, with the digest that belongs to them."""
    folder = checkpoint(path.parent)
    index = json.loads((folder / "state.json").read_text("utf-8"))
    data = path.read_bytes()
    digest = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    index |= {"files": {"networks.safetensors": digest}, "sha256": ""}
    (folder / "networks.safetensors").write_bytes(data)
    (folder / "state.json").write_text(json.dumps(index), "utf-8")
    load(folder)


def load(folder: Path) -> None:
    """Load a checkpoint into networks."""
    from torch import nn

    from core.training.checkpoint import Checkpoint

    Checkpoint.open(folder).fill(nn.Linear(2, 3), "networks")


def checkpoint(folder: Path) -> Path:
    """A checkpoint of one layer."""
    from torch import nn

    from core.training.checkpoint import save_checkpoint

    torch.manual_seed(0)
    state = {"networks": nn.Linear(2, 3).state_dict()}
    save_checkpoint(folder / "checkpoint", state, {"step": 3, "seconds": 1.5})
    return folder / "checkpoint"


def play(path: Path) -> None:
    """Play a song with a soundfont."""
    from musegen.files.midi import read_midi
    from musegen.files.sound import sound
    from musegen.playing.orchestra import Orchestra

    sound(read_midi(tune(2, bars=1, parts=1)).roll(), Orchestra(path))


def play_regions(path: Path) -> None:
    """Read the regions of an .sfz whose sample is there."""
    import wave

    from musegen.playing.sfz import read_sfz

    with wave.open(str(path.parent / "saw.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes(bytes(range(256)) * 8)
    read_sfz(path)


def songs(folder: Path) -> list[bytes]:
    played = b"".join([program(5), note(60, 480), note(64, 240), note(67, 960)])
    return [tune(1), tune(2, bars=4, parts=1), midi(played, played * 3)]


def rolls(folder: Path) -> list[bytes]:
    from musegen.files.midi import read_midi
    from musegen.files.pianoroll import write_lpd

    stream = io.BytesIO()
    write_lpd(read_midi(tune(1)).roll(), stream)
    return [stream.getvalue()]


def archives(folder: Path) -> list[bytes]:
    tarred, zipped = io.BytesIO(), []
    for packing in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", packing) as archive:
            archive.writestr("songs/a.mid", tune(1))
            archive.writestr("b.mid", tune(2))
        zipped.append(stream.getvalue())
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        info = tarfile.TarInfo("songs/a.mid")
        info.size = len(data := tune(1))
        archive.addfile(info, io.BytesIO(data))
    return [*zipped, tarred.getvalue(), gzip.compress(tarred.getvalue(), mtime=0)]


def films(folder: Path) -> list[bytes]:
    from videogen.files.clip import write_gif, write_mp4, write_webm

    frames, written = corners(count=9), []
    for write, name in ((write_mp4, "a.mp4"), (write_webm, "a.webm"), (write_gif, "a.gif")):
        write(frames, folder / name, 8.0)
        written.append((folder / name).read_bytes())
    return written


def films_zipped(folder: Path) -> list[bytes]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("clips/a red square.gif", films(folder)[2])
        archive.writestr("captions.csv", "path,caption\nclips/a red square.gif,red\n")
    return [stream.getvalue()]


def films_tarred(folder: Path) -> list[bytes]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in {"0.gif": films(folder)[2], "0.txt": b"a red square"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return [stream.getvalue()]


ROWS = [{"path": "a.mp4", "caption": "a red square"}, {"path": "b.mp4", "caption": "so, two"}]
COMMAS = 'path,caption\na.mp4,a red square\nb.mp4,"so, two"\n'


def tables(folder: Path) -> list[bytes]:
    return [COMMAS.encode(), COMMAS.replace(",", ";").encode("utf-16"), COMMAS.encode("latin-1")]


def lines(folder: Path) -> list[bytes]:
    return ["".join(json.dumps(row) + "\n" for row in ROWS).encode()]


def objects(folder: Path) -> list[bytes]:
    return [json.dumps(ROWS).encode(), json.dumps({"a.mp4": "a red square"}).encode()]


def texts(folder: Path) -> list[bytes]:
    return [b"a red square\n", "größer".encode("utf-16")]


def settings(folder: Path) -> list[bytes]:
    train = "train: {batch_size: 16, learner: {learning_rate: 2e-4}}\nmodel: &m {recipe: vae}\n"
    return [train.encode(), (train + "other: *m\n").encode()]


def track_lists(folder: Path) -> list[bytes]:
    two = "tracks:\n- {name: Drums, is_drum: true}\n- {name: Bass, program: 33, family: bass}\n"
    return [two.encode()]


@cache
def config_of_a_run() -> bytes:
    shipped = Path(__file__).parent.parent / "musegen" / "weights"
    return next(iter(sorted(shipped.glob("*/config.yaml")))).read_bytes()


def indices(folder: Path) -> list[bytes]:
    whole = (checkpoint(folder) / "state.json").read_text("utf-8")
    unsealed = json.loads(whole) | {"sha256": ""}
    return [whole.encode(), json.dumps(unsealed).encode()]


def weights(folder: Path) -> list[bytes]:
    return [(checkpoint(folder) / "networks.safetensors").read_bytes()]


def riff(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def soundfonts(folder: Path) -> list[bytes]:
    """One preset with one instrument of one sample, a saw tooth."""
    wave = np.linspace(-9000, 9000, 64).astype("<i2").tobytes() * 4 + bytes(92)
    named = lambda text: text.ljust(20, b"\0")  # noqa: E731
    info = riff(b"ifil", struct.pack("<HH", 2, 1)) + riff(b"isng", b"EMU8000\0")
    info += riff(b"INAM", b"tiny\0\0")
    presets = named(b"tiny") + struct.pack("<HHHIII", 0, 0, 0, 0, 0, 0)
    presets += named(b"EOP") + struct.pack("<HHHIII", 0, 0, 1, 0, 0, 0)
    bags, last = struct.pack("<HH", 0, 0), struct.pack("<HH", 1, 0)
    end = bytes(4)
    instruments = named(b"saw") + struct.pack("<H", 0) + named(b"EOI") + struct.pack("<H", 1)
    sample = named(b"saw") + struct.pack("<IIIIIBbHH", 0, 256, 64, 192, 22050, 60, 0, 0, 1)
    sample += named(b"EOS") + bytes(26)
    tables = [
        (b"phdr", presets),
        (b"pbag", bags + last),
        (b"pmod", bytes(10)),
        (b"pgen", struct.pack("<HH", 41, 0) + end),
        (b"inst", instruments),
        (b"ibag", bags + struct.pack("<HH", 1, 0)),
        (b"imod", bytes(10)),
        (b"igen", struct.pack("<HH", 53, 0) + end),
        (b"shdr", sample),
    ]
    lists = [
        riff(b"LIST", b"INFO" + info),
        riff(b"LIST", b"sdta" + riff(b"smpl", wave)),
        riff(b"LIST", b"pdta" + b"".join(riff(kind, data) for kind, data in tables)),
    ]
    return [riff(b"RIFF", b"sfbk" + b"".join(lists))]


def regions(folder: Path) -> list[bytes]:
    text = "<group> ampeg_attack=0.01 loop_mode=loop_continuous // all of them\n"
    text += "<region> sample=saw.wav lokey=c3 hikey=72 pitch_keycenter=60 tune=-5\n"
    return [text.encode()]


FORMATS = {
    one.name: one
    for one in (
        Format("song.mid", songs, read_songs, in_child=True),
        Format("roll.npz", rolls, lambda path: read_songs(path, lpd=True), in_child=True),
        Format("songs.zip", lambda folder: archives(folder)[:3], read_songs),
        Format("songs.tar", lambda folder: archives(folder)[3:4], read_songs),
        Format("songs.tar.gz", lambda folder: archives(folder)[4:5], read_songs),
        Format("film.mp4", lambda folder: films(folder)[:1], read_clips, in_child=True),
        Format("film.webm", lambda folder: films(folder)[1:2], read_clips, in_child=True),
        Format("film.gif", lambda folder: films(folder)[2:], read_clips, in_child=True),
        Format("films.zip", films_zipped, read_clips, in_child=True),
        Format("films.tar", films_tarred, read_clips, in_child=True),
        Format("clips.csv", tables, list_clips),
        Format("clips.jsonl", lines, list_clips),
        Format("clips.json", objects, list_clips),
        Format("a.txt", texts, list_clips),
        Format("settings.yaml", settings, read_settings),
        Format("tracks.yaml", track_lists, read_tracks),
        Format("run.yaml", lambda folder: [config_of_a_run()], read_run),
        Format("index.json", indices, read_index),
        Format("networks.safetensors", weights, read_tensors),
        Format("tiny.sf2", soundfonts, play),
        Format("tiny.sfz", regions, play_regions),
    )
}
REFUSALS = (UserError, RejectedFile)


def outcome(kind: Format, data: bytes, folder: Path) -> str:
    """Read a file in a fork with limits: empty where it is read or refused, else what happened.

    A crash, and limits used up, count where no child of `prepare` stands between.
    """
    report = folder / "report"
    child = os.fork()
    if child == 0:
        _read_and_exit(kind, data, folder, report)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = report.read_text("utf-8") if report.exists() else ""
    report.unlink(missing_ok=True)
    if code < 0:
        return "" if kind.in_child else f"ended by {signal.Signals(-code).name}"
    return said


def _read_and_exit(kind: Format, data: bytes, folder: Path, report: Path) -> None:
    """Read, write what went wrong to `report`, and end this process."""
    said = ""
    try:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        place = folder / f"read-{os.getpid()}"
        place.mkdir()
        with _limited():
            (place / kind.name).write_bytes(data)
            kind.read(place / kind.name)
    except REFUSALS:
        pass
    except MemoryError:
        said = "" if kind.in_child else "MemoryError"
    except BaseException as error:
        said = _where(error)
    report.write_text(said, "utf-8", errors="replace")
    os._exit(0)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    data_kb = next(
        int(line.split()[1])
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmData")
    )
    most = (data_kb << 10) + (MEMORY_MB << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, 10 * SECONDS)
    yield


def _where(error: BaseException) -> str:
    """The error, and the line of this project that it comes from."""
    line, trace = "", error.__traceback__
    while trace:
        name = trace.tb_frame.f_code.co_filename
        if "site-packages" not in name and "/lib/python" not in name:
            line = f"{Path(name).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} in {line}: {str(error)[:200]}"
