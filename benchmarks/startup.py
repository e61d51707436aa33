"""Measure `pianoreel --help` against `python -c pass`: at most 10 times as long.

python benchmarks/startup.py
"""

import subprocess
import sys
import time

RUNS = 9
BOUND = 10.0


def fastest_seconds(arguments: list[str]) -> float:
    """Return the fastest of `RUNS` runs, which other load on the machine delays least."""
    return min(_seconds(arguments) for _ in range(RUNS))


def _seconds(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Print the ratio; exit 1 where it is above the bound."""
    nothing = fastest_seconds(["-c", "pass"])
    help_ = fastest_seconds(["-c", "from cli import main; main()", "--help"])
    ratio = help_ / nothing
    print(
        f"pianoreel --help {1000 * help_:.0f} ms, "
        f"python -c pass {1000 * nothing:.0f} ms: {ratio:.1f} times"
    )
    sys.exit(ratio > BOUND)


if __name__ == "__main__":
    main()
