"""What the guard marks in real texts: counts by kind and level, and the stretches themselves."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lounge.guard import examine

_SENTENCE = re.compile(r"[.!?](?:\s|$)")
_AROUND = 30


def print_real(path: Path, *, show: bool) -> None:
    """A line for each kind and level marked in the texts of `path`."""
    marks: Counter[tuple[str, str, str]] = Counter()
    count: Counter[str] = Counter()
    for language, text in _texts(path):
        count[language] += max(1, len(_SENTENCE.findall(text)))
        for span in examine(text).spans:
            marks[language, span.level, span.kind] += 1
            if show:
                print(f"  {span.level} {span.kind}: {_around(text, span.start, span.end)}")
    print(f"\n{path.name}: " + ", ".join(f"{n:,} sentences {lang}" for lang, n in count.items()))
    for (language, level, kind), times in sorted(marks.items()):
        print(f"  {language} {level} {kind:16} {times:5}  1 in {count[language] / times:,.0f}")


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    written = path.read_bytes()
    if path.suffix == ".gz":
        written = gzip.decompress(written)
    for line in written.decode().strip().split("\n"):
        row = json.loads(line)
        yield row.get("lang", "?"), row["text"]


def _around(text: str, start: int, end: int) -> str:
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    return f"{before}[[{text[start:end]}]]{after}".replace("\n", " ")
