"""Reading videos of 640x480 to clips of 64x64, every frame, against PyAV's plain reformat.

python benchmarks/read.py [FILE]...       at least 3 times as fast, or it exits with 1

Without FILE: films of ten seconds that it draws, one for each codec. At their own rate every frame
is converted, as the plain reader does; at 8 frames a second only those that are wanted.

Most of what is gained is what the plain reader spends on threads: it starts them anew for every
picture, which costs the more the busier the cores are. So the work, processor time over all
threads, is printed beside the time that passes; the bound is on the latter. Decoding is common to
both, and on a single core little else is left: there this reader is hardly faster.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np
from rich.console import Console
from rich.table import Table

from videogen.files.frame import View
from videogen.files.limits import VideoLimits
from videogen.files.reading import read_frames

SIZE = 64
HEIGHT, WIDTH, FRAMES, FRAMES_PER_SECOND = 480, 640, 300, 30
CODECS = {"libx264": ".mp4", "mpeg4": ".avi", "libvpx-vp9": ".webm"}
RUNS = 5
BOUND = 3.0

Read = Callable[[Path], np.ndarray]


def plain(path: Path) -> np.ndarray:
    """Read every frame, as in the documentation of PyAV."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return np.stack([f.reformat(SIZE, SIZE, "rgb24").to_ndarray() for f in frames])


def ours(path: Path, frames_per_second: float | None) -> np.ndarray:
    """Read as `prepare` does; None: at the file's own rate."""
    rate = frames_per_second or own_rate(path)
    view = View(size=SIZE, fit="stretch", frames_per_second=rate)
    return read_frames(path, view, VideoLimits())


def own_rate(path: Path) -> float:
    """Return the frames a second that the file states."""
    with av.open(str(path)) as container:
        return float(container.streams.video[0].average_rate or FRAMES_PER_SECOND)


def films(folder: Path) -> Iterator[Path]:
    """Write a disc that circles over a gradient, in every codec."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    still = np.stack([x * 255 / WIDTH, y * 255 / HEIGHT, (x + y) % 256], 2).astype(np.uint8)
    for codec, suffix in CODECS.items():
        path = folder / f"{codec}{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=FRAMES_PER_SECOND)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"  # type: ignore[attr-defined]
            for number in range(FRAMES):
                angle = number / 20
                far = np.hypot(x - 320 - 150 * np.cos(angle), y - 240 - 150 * np.sin(angle))
                frame = np.where(far[..., None] < 60, np.uint8(255), still)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))  # type: ignore[attr-defined]
            container.mux(stream.encode())  # type: ignore[attr-defined]
        yield path


def seconds(readers: Iterable[Read], path: Path) -> np.ndarray:
    """Return [reader 2] of a film: the least wall-clock time and CPU time over the runs."""
    taken = [[_timed(read, path) for read in readers] for _ in range(RUNS)]
    return np.array(taken).min(0)


def _timed(read: Read, path: Path) -> tuple[float, float]:
    begin, worked = time.perf_counter(), time.process_time()
    read(path)
    return time.perf_counter() - begin, time.process_time() - worked


def measure(paths: list[Path]) -> bool:
    """Time the readers on every film; whether the bound holds on the whole."""
    readers: dict[str, Read] = {
        "plain reformat": plain,
        "all frames": partial(ours, frames_per_second=None),
        "8 frames a second": partial(ours, frames_per_second=8.0),
    }
    taken = np.stack([seconds(list(readers.values()), path) for path in paths])
    table = Table("ms (of work)", *readers, "times as fast, all", "at 8")
    for path, film in zip([*paths, Path("on the whole")], [*taken, taken.sum(0)], strict=True):
        cells = [f"{passed:.0f} ({worked:.0f})" for passed, worked in 1000 * film]
        ratios = [f"{passed:.1f} ({worked:.1f})" for passed, worked in film[0] / film[1:]]
        table.add_row(path.name, *cells, *ratios)
    Console().print(table)
    faster, leaner = taken.sum(0)[0] / taken.sum(0)[1]
    print(f"reading every frame is {faster:.1f} times as fast, with {leaner:.1f} times less work")
    return bool(faster >= BOUND)


def main() -> None:
    """Measure and print; exit 1 where reading is slower than promised."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(argument) for argument in sys.argv[1:]] or list(films(Path(folder)))
        sys.exit(not measure(paths))


if __name__ == "__main__":
    main()
