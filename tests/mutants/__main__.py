"""`python -m tests.mutants [NAME…] [--report FILE]`: exit code 1 if one of them is not caught."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.mutant import Mutant, known
from tests.mutants.trial import Verdict, copied, failing, tried

Row = tuple[Mutant, Verdict]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="just these")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the table there, too")
    parser.add_argument("--at-once", type=int, default=2, help="how many at a time (2)")
    options = parser.parse_args()
    mutants = [each for each in known() if not options.names or each.name in options.names]
    unknown = set(options.names) - {each.name for each in mutants}
    if unknown:
        parser.error(f"no mutant is called {', '.join(sorted(unknown))}")
    rows = _tried(mutants, options.at_once)
    if options.report:
        options.report.write_text(report(rows), "utf-8")
    survivors = [mutant.name for mutant, verdict in rows if verdict.caught is None]
    print(f"{len(rows) - len(survivors)} of {len(mutants)} mutants caught.", *survivors)
    return int(bool(survivors) or not rows)


def _tried(mutants: Sequence[Mutant], at_once: int) -> list[Row]:
    """Each mutant's verdict, none if the tests fail without one."""
    rows = []
    with copied() as sound, ThreadPoolExecutor(at_once) as pool:
        print("Without a mutant …", flush=True)
        fault = failing(mutants, sound)
        if fault:
            print(fault, "These tests must pass on the tree as it is.", sep="\n")
            return []
        verdicts = pool.map(lambda mutant: tried(mutant, sound), mutants)
        for row in zip(mutants, verdicts, strict=True):
            rows.append(row)
            print(_line(*row), flush=True)
    return rows


def _line(mutant: Mutant, verdict: Verdict) -> str:
    mark = "caught  " if verdict.caught else "SURVIVED"
    return (
        f"{mark} {mutant.name:34} {verdict.seconds:5.0f} s  {mutant.promise}\n"
        f"{'':44}{verdict.caught or verdict.why}"
    )


def report(rows: Sequence[Row]) -> str:
    """Markdown: a row a mutant."""
    lines = [
        "| mutant | the promise that it breaks | caught by | seconds |",
        "|---|---|---|---|",
        *(
            f"| {mutant.name} | {mutant.promise} | {_by(verdict)} | {verdict.seconds:.0f} |"
            for mutant, verdict in rows
        ),
    ]
    return "\n".join(lines) + "\n"


def _by(verdict: Verdict) -> str:
    return f"`{verdict.caught}`" if verdict.caught else f"**nothing**: {verdict.why}"


if __name__ == "__main__":
    sys.exit(main())
