"""`python -m tests.simulation --seed 7 --trace`, or `--seeds 100000` for a long run."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.run import STEPS, many, one

LAST_LINES = 30


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="tell the story of one seed")
    parser.add_argument("--trace", action="store_true", help="all of it, not just the end")
    parser.add_argument("--seeds", type=int, default=10_000, help="how many, when not one")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    if options.seed is not None:
        return _tell(options.seed, options.steps, options.trace)
    return _run(options)


def _tell(seed: int, steps: int, whole: bool) -> int:
    lines, broken = one(seed, steps, None if whole else LAST_LINES)
    print(*lines, broken or "every promise held", sep="\n")
    return bool(broken)


def _run(options: argparse.Namespace) -> int:
    began = time.perf_counter()
    tally, broken = many(options.seeds, options.steps, options.first, options.processes)
    if broken is not None:
        print(broken)
        return 1
    for name, count in sorted(tally.items()):
        print(f"{count:10} {name}")
    took = time.perf_counter() - began
    print(f"{options.seeds} seeds of {options.steps} steps: every promise held ({took:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
