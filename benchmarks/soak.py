"""Every domain prepares and trains while it is killed, signalled and out of disk, again and again.

python benchmarks/soak.py [--minutes 20] [--seed 0]

Each command runs unbroken once. Then it runs in forks that end at a random time by SIGKILL,
SIGTERM, Ctrl-C or SIGHUP, or whose files may not grow beyond a random size (a full disk), until
one ends by itself. What it has made by then must equal the unbroken result, to the bit: weights,
log, collection, with no sample lost. Nothing may be left over: no hidden file, no process. Last, a
run that is resumed many times in one process may grow neither in memory nor in open files. With
a fault of these the command exits with 1.
"""

import argparse
import gc
import hashlib
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}

from films import corners, write_film  # type: ignore[import-not-found]  # noqa: E402
from tunes import tune  # type: ignore[import-not-found]  # noqa: E402

import cli  # noqa: E402

STEPS = 12
RUN = ["--preset", "tiny", "--steps", str(STEPS), "--device", "cpu"]
RUN += ["--set", "train.sample_every_steps=5", "--set", "train.save_every_steps=2"]
RUN += ["--set", "train.log_every_steps=1"]
STOPS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}
"""Signals that save and stop, and the exit codes that they lead to."""
LARGEST_FILE = 1 << 22
"""Bytes of the largest file that is there while the disk is full."""
GROWTH_MB = 30.0
"""Most memory by which a process may grow in the later half of its trainings."""


@dataclass(frozen=True)
class Task:
    """A command; its folder is the last of its arguments."""

    name: str
    arguments: tuple[str, ...]


def tasks(folder: Path) -> list[Task]:
    """Return a preparation and a training of each domain, with files to read in `folder`."""
    songs, films, points = (folder / name for name in ("songs", "films", "points"))
    for place in (songs, films, points):
        place.mkdir()
    for number in range(12):
        (songs / f"{number}.mid").write_bytes(tune(number) if number % 4 else b"MThd")
        write_film(films / f"a film {number}.mp4", corners(count=9 + number))
        draw = random.Random(number)
        rows = [f"{draw.uniform(-2, 2)},{draw.uniform(-2, 2)}" for _ in range(50)]
        (points / f"{number}.csv").write_text("\n".join(rows) + "\n")
    music = ("music", "prepare", str(songs), "--bars", "4", "--jobs", "1")
    video = ("video", "prepare", str(films), "--size", "64", "--frames", "8", "--jobs", "1")
    ring = ("ring", "prepare", str(points), "--jobs", "1")
    prepared = [Task(f"prepare {one[0]}", (*one, "--to")) for one in (music, video, ring)]
    trained = [
        Task(
            f"train {domain}",
            (domain, "train", str(folder / "whole" / f"prepare {domain}"), *RUN, "--to"),
        )
        for domain in ("music", "video", "ring")
    ]
    game = ("ring", "train", "--model", "wgan_gp", *RUN, "--to")
    return [*prepared, *trained, Task("train a game", game)]


# ---------------------------------------------------------------------------- one fork


def start(arguments: list[str], said: Path, most_bytes: int | None = None) -> int:
    """Fork a process of its own session that runs the command; return its id."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    for number in STOPS:
        signal.signal(number, signal.default_int_handler if number == 2 else signal.SIG_DFL)
    handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    if most_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    sys.argv = ["pianoreel", *arguments]
    code: object = 99
    try:
        cli.main()
        code = 0
    except SystemExit as error:
        code = error.code or 0
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)


def ended(child: int, seconds: float = 300.0) -> int:
    """Wait for a process; return its exit code, minus its signal, or 'late' as -1000."""
    due = time.monotonic() + seconds
    while time.monotonic() < due:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1000


def left_over(session: int) -> list[str]:
    """Return the processes that a fork has left behind, after a moment to end."""
    for _ in range(100):
        found = list(_of_session(session))
        if not found:
            return []
        time.sleep(0.1)
    return found


def _of_session(session: int) -> Iterator[str]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        state, _, _, own = rest.split()[:4]
        if int(own) == session and state != "Z":
            yield f"{name}) {state}"


# ---------------------------------------------------------------------------- what was made


def contents(folder: Path) -> dict[str, str]:
    """Return a digest of every file; of the log without its times."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(_bytes(path)).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", "history.jsonl")
    }


def _bytes(path: Path) -> bytes:
    """Return what is a function of the seed: no times, and no step that a time decides."""
    data = path.read_bytes()
    if path.name == "metrics.jsonl":
        return b"\n".join(line.partition(b', "seconds"')[0] for line in data.splitlines())
    if path.name == "state.json":
        return path.parent.name.encode()
    return data


def differences(whole: Path, broken: Path) -> list[str]:
    """Return the files that differ between two folders."""
    one, other = contents(whole), contents(broken)
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


# ---------------------------------------------------------------------------- faults


class Soak:
    """Commands that are broken off; `faults` are those of the program."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.seconds: dict[str, float] = {}

    def unbroken(self, task: Task) -> None:
        """Let a command run to its end."""
        began = time.monotonic()
        child = start([*task.arguments, str(self.whole(task))], self.said)
        if (code := ended(child)) != 0:
            raise SystemExit(f"{task.name} exits with {code}: {self.said.read_text()}")
        self.seconds[task.name] = time.monotonic() - began

    @property
    def said(self) -> Path:
        return self.folder / "said.txt"

    def whole(self, task: Task) -> Path:
        """Return the folder of the unbroken result; one of the same name is in `broken`."""
        return self.folder / "whole" / task.name

    def broken(self, task: Task, until: float) -> None:
        """Break a command off until it ends by itself, and compare what it has made."""
        to = self.folder / "broken" / task.name
        for _ in range(50):
            if self._once(task, to) or time.monotonic() > until:
                break
        else:
            self._last(task, to)
        if not self._finished(task, to):
            self._last(task, to)
        if differing := differences(self.whole(task), to):
            self.faults.append(f"{task.name}: {', '.join(differing)} differ or are left over")
            to.rename(self.folder / f"fault {len(self.faults)}")
        self.counts["compared"] += 1
        _remove(to)

    def _once(self, task: Task, to: Path) -> bool:
        """Run the command with one fault; return whether it ended by itself."""
        kind = self.random.choice(["kill", "stop", "disk"])
        size = self.random.randrange(LARGEST_FILE) if kind == "disk" else None
        child = start([*task.arguments, str(to)], self.said, size)
        number = signal.SIGKILL if kind == "kill" else self.random.choice(list(STOPS))
        if kind != "disk":
            time.sleep(self.random.uniform(0, 1.2 * self.seconds[task.name]))
            _send(child, number)
        code = ended(child)
        allowed = {"kill": {0, -9}, "stop": {0, STOPS.get(number, 0), -number}, "disk": {0, 1, 3}}
        self.counts[kind] += 1
        if code not in allowed[kind] or "Traceback" in self.said.read_text():
            self.faults.append(f"{task.name} after {kind} {size or number}: {code}\n{self.tail}")
        if processes := left_over(child):
            self.faults.append(f"{task.name} after {kind} {number} leaves {processes}")
            _send(-child, signal.SIGKILL)
        return code == 0

    def _finished(self, task: Task, to: Path) -> bool:
        return not differences(self.whole(task), to) if to.exists() else False

    def _last(self, task: Task, to: Path) -> None:
        """Let the command run to its end where it was broken off."""
        if (code := ended(start([*task.arguments, str(to)], self.said))) != 0:
            self.faults.append(f"{task.name} does not resume: {code}\n{self.tail}")

    @property
    def tail(self) -> str:
        return "".join(self.said.read_text(errors="replace").splitlines(keepends=True)[-4:])


def _send(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


# ---------------------------------------------------------------------------- leaks


def growth(folder: Path, times: int = 12) -> list[str]:
    """Train and resume in one process, again and again; return what grows."""
    report = folder / "growth.txt"

    def work() -> None:
        from core.app import fit
        from core.ring.data import DrawnRing
        from core.ring.model import DOMAIN

        seen = []
        for number in range(times):
            to = folder / f"leak-{number // 2}"
            steps = [f"train.steps={20 * (1 + number % 2)}", "train.sample_every_steps=10"]
            fit.train(DOMAIN, DrawnRing(), to, "gan", "tiny", "cpu", steps)
            gc.collect()
            seen.append((_resident_mb(), len(os.listdir("/proc/self/fd"))))  # noqa: PTH208
        half, last = seen[times // 2], seen[-1]
        lines = [f"{last[1] - half[1]} open files more"] if last[1] > half[1] else []
        if last[0] - half[0] > GROWTH_MB:
            lines.append(f"{last[0] - half[0]:.0f} MB more")
        report.write_text("\n".join(lines))

    child = _fork(work)
    code = ended(child)
    return report.read_text().splitlines() if code == 0 else [f"training again exits with {code}"]


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        work()
    except BaseException as error:
        print(error, file=sys.stderr)
        os._exit(99)
    os._exit(0)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    """Break commands off until the time is over; print what was tried and found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[""], help="commands with one of these")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    _warm_up()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        soak = Soak(Path(name), options.seed)
        every = tasks(soak.folder)
        for task in every:
            soak.unbroken(task)
            print(f"{task.name}: {soak.seconds[task.name]:.1f} s unbroken", flush=True)
        chosen = [task for task in every if any(word in task.name for word in options.only)]
        soak.faults += growth(soak.folder)
        while time.monotonic() < until:
            for task in chosen:
                if time.monotonic() < until:
                    soak.broken(task, until)
                    print(f"{task.name}: {dict(soak.counts)}", flush=True)
    print("\n".join(soak.faults) or "no fault")
    raise SystemExit(int(bool(soak.faults)))


def _warm_up() -> None:
    """Import what is slow to import: each command is a fork of this process."""
    import matplotlib.pyplot
    import safetensors.torch
    import torch._dynamo

    import core.app.fit
    import core.ring.model
    import core.training.loop
    import musegen.model
    import videogen.model

    torch.set_num_threads(1)
    core.training.loop.OBSERVING_SHARE = 1.0  # no observation is left out because it takes long
    assert matplotlib and safetensors and core and musegen and videogen


if __name__ == "__main__":
    main()
