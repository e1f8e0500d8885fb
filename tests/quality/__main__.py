"""How well the guard reads: `python -m tests.quality [--held-out] [--missed KIND] [FILE …]`.

Prints a table per kind and language over sentences made by lot. With files of real texts (JSON
lines with "text" and "lang", plain or gzipped), what is marked there is counted too, and shown
with --show.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.quality.real import print_real
from tests.quality.scoring import print_table, scored
from tests.quality.sentences import HALVES, LANGUAGES, sentences

_COUNT = 6_000  # sentences a language


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.quality")
    parser.add_argument("files", nargs="*", type=Path, help="real texts, JSON lines")
    parser.add_argument("--count", type=int, default=_COUNT, help="sentences a language")
    parser.add_argument("--missed", metavar="KIND", help="show what was missed, of the open half")
    parser.add_argument("--show", action="store_true", help="show what is marked in the real texts")
    told = parser.parse_args()
    for language in LANGUAGES:
        made = list(sentences(language, told.count))
        scores = scored(made)
        print_table(language, len(made), scores)
        for row in scores:
            if told.missed in (row.kind, "all") and row.half == HALVES[0]:
                print(*row.missed, sep="\n")
    for path in told.files:
        print_real(path, show=told.show)


main()
