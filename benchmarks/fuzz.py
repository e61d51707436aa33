"""Damaged files of every format, until a reader does what no reader may.

python benchmarks/fuzz.py [--minutes 30] [--only song.mid ...] [--seed 0]

Each format in turn: hypothesis damages whole files (bytes changed, moved, doubled, left out, two
files spliced) and each is read in a fork with the limits of `prepare`. A reader that raises what
is meant for no user is a find, as is one that crashes, or takes more time or memory than the
limits, where it runs in the parent of `prepare`. The smallest file of each find is written to
tests/corpus, which the fast tests read from then on; with finds the command exits with 1.
"""

import argparse
import hashlib
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from formats import CORPUS, FORMATS, Format, outcome  # type: ignore[import-not-found]  # noqa: E402

EXAMPLES = 60
"""Files of a format in one go."""
EDITS = 6
"""Most edits of one file."""
NUMBERS = (*(bytes([n]) for n in (0, 1, 127, 128, 255)), bytes(4), b"\xff" * 4)
"""Numbers that are written over a place: the ends of the ranges of numbers."""
WORDS = (b"-1", b"1e999", b"NaN", b"null", b"[]", b"{}", b'""', b"\xed\xa0\x80", b"\n", b"\x00")


@st.composite
def damaged(draw: st.DrawFn, whole: list[bytes]) -> bytes:
    """A whole file after some edits."""
    data = draw(st.sampled_from(whole))
    for _ in range(draw(st.integers(1, EDITS))):
        data = _edited(draw, data, whole)
    return data


def _edited(draw: st.DrawFn, data: bytes, whole: list[bytes]) -> bytes:
    at, length = draw(st.integers(0, len(data))), draw(st.integers(1, 64))
    kind = draw(st.sampled_from(["put", "flip", "insert", "cut", "double", "end", "splice"]))
    if kind == "put":
        value = draw(st.sampled_from(NUMBERS))
        return data[:at] + value + data[at + len(value) :]
    if kind == "flip" and at < len(data):
        return data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :]
    if kind == "insert":
        return data[:at] + draw(st.sampled_from(WORDS) | st.binary(max_size=8)) + data[at:]
    if kind == "cut":
        return data[:at] + data[at + length :]
    if kind == "double":
        return data[: at + length] * 2 + data[at + length :]
    if kind == "end":
        return data[:at]
    other = draw(st.sampled_from(whole))
    return data[:at] + other[draw(st.integers(0, len(other))) :]


class Found(Exception):
    """A reader did what no reader may."""


def search(kind: Format, number: int, folder: Path) -> tuple[int, tuple[bytes, str] | None]:
    """Read damaged files; return how many, and the smallest find with what happened."""
    whole = kind.seeds(folder)
    read, smallest = [0], [(b"", "")]

    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        report_multiple_bugs=False,
    )
    @given(damaged(whole))
    def attempt(data: bytes) -> None:
        read[0] += 1
        if said := outcome(kind, data, folder):
            smallest[0] = data, said
            raise Found(said.partition(":")[0])

    try:
        attempt()
    except Found:
        return read[0], smallest[0]
    return read[0], None


def main() -> None:
    """Search until the time is over; keep and print what is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--only", nargs="*", default=list(FORMATS), choices=list(FORMATS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    end, number = time.monotonic() + 60 * options.minutes, options.seed
    read: dict[str, int] = dict.fromkeys(options.only, 0)
    finds: dict[str, str] = {}
    while time.monotonic() < end:
        for name in options.only:
            with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
                count, find = search(FORMATS[name], number, Path(folder))
            read[name] += count
            if find:
                finds[f"{name}: {find[1]}"] = keep(name, find[0])
            if time.monotonic() >= end:
                break
        number += 1
    print(", ".join(f"{name} {count:,}" for name, count in read.items()))
    for said, path in finds.items():
        print(f"{path}: {said}")
    raise SystemExit(int(bool(finds)))


def keep(name: str, data: bytes) -> str:
    """Write a find into the corpus; return its path there."""
    path = CORPUS / name / hashlib.sha256(data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path.relative_to(CORPUS.parent))


if __name__ == "__main__":
    main()
