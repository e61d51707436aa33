"""Mutation testing: change one line's meaning and see whether a test fails.

python -m benchmarks.mutate [--count 200] [--seed 0] [--workers 2] [--only core/theory musegen]

First every fast test runs once while the lines of code that it executes are noted. Then each
mutant of a seeded sample is written into a copy of the tree, and into the functions that a
process has imported, and the tests that execute its line run there, the quickest first, until
one fails. A mutant that no test kills is a hole in the tests or equivalent to the original. Each
outcome becomes a line of build/mutants.jsonl at once; the report, with the diff of each survivor,
is build/mutation.json. The lines that a file of tests executes are noted anew where it or the
code has changed; a run that is broken off goes on there.
"""

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.mutation.edits import PACKAGES, pool_of, sample
from benchmarks.mutation.executions import executions
from benchmarks.mutation.processes import ROOT, copy_of, warm_up
from benchmarks.mutation.trials import import_project, run


def main() -> None:
    """Sample, run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="*", default=PACKAGES, help="paths that begin with these")
    options = parser.parse_args()
    started, build = time.monotonic(), ROOT / "build"
    build.mkdir(exist_ok=True)
    warm_up()
    with tempfile.TemporaryDirectory(prefix="mutate-", ignore_cleanup_errors=True) as folder:
        source = copy_of(ROOT, Path(folder) / "source")  # as it is now, whoever works on meanwhile
        known = executions(source, build / "mutation-lines", options.workers)
        imports = import_project(source)
        sampled = sample(pool_of(source, options.only), options.count, options.seed, source)
        chosen = [mutant.beside(imports) for mutant in sampled]
        results, lines = [], build / "mutants.jsonl"
        lines.write_text("", "utf-8")  # those of the last run
        for result in run(source, chosen, known, options.workers):
            results.append(result)
            with lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            print(f"{len(results)}/{len(chosen)} {_line(result)}", flush=True)
    counts = Counter(result["outcome"] for result in results)
    killed = (counts["killed"] + counts["timed out"]) / max(1, len(results))
    report = {"seed": options.seed, "killed": round(killed, 4), "counts": dict(counts)}
    text = json.dumps(report | {"mutants": results}, indent=1)
    (build / "mutation.json").write_text(text + "\n", "utf-8")
    minutes = (time.monotonic() - started) / 60
    print(
        f"{killed:.1%} of {len(results)} mutants killed in {minutes:.0f} minutes: {dict(counts)}"
    )


def _line(result: dict[str, Any]) -> str:
    line = "{outcome} {where} ({operator}) {seconds} s, {tests} tests".format(**result)
    return (
        f"{line}\n{result['diff']}" if result["outcome"] not in ("killed", "timed out") else line
    )


if __name__ == "__main__":
    main()
