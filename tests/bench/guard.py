"""`python -m tests.bench.guard`: what the guard costs a message, of clinical texts and of hostile ones.

CPU of this thread, the least of several turns, so that a busy machine changes it little.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lounge.guard import examine
from tests.hostile_texts import LENGTH, hostile_texts

CODE_POINTS = 500
MOST_MICROSECONDS = 150
"""At the median, of a text of 500 code points."""
MOST_GROWTH = 3
"""Of the cost, where a text becomes twice as long."""
_DEAREST = 40
_TEXTS = Path(__file__).parents[1] / "texts.jsonl"
_TURNS = 5


def main() -> int:
    """Prints; 1 when the median is above what is promised, or the cost grows faster than the length."""
    rows = [json.loads(line)["text"] for line in _TEXTS.read_text("utf-8").splitlines()]
    clinical = _pieces(rows)
    marked = [each for each in clinical if examine(each).spans]
    print(f"{len(clinical)} clinical texts of {CODE_POINTS} code points, {len(marked)} with marks")
    median = _told("clinical", _costs(clinical, _TURNS))
    _told(f"hostile, {LENGTH:,} code points", _costs(hostile_texts(), 1))
    growth = _growth()
    return int(median > MOST_MICROSECONDS or growth >= MOST_GROWTH)


def _growth() -> float:
    """How many times the cost of its first half the costliest hostile texts have."""
    dear = sorted(hostile_texts(), key=_cost)[-_DEAREST:]
    whole = sum(min(_cost(text) for _ in range(_TURNS)) for text in dear)
    half = sum(min(_cost(text[: LENGTH // 2]) for _ in range(_TURNS)) for text in dear)
    print(f"hostile, {LENGTH:,} to {LENGTH // 2:,} code points: {whole / half:.1f} times the cost")
    return whole / half


def _pieces(texts: Sequence[str]) -> list[str]:
    """As many as they make, one after the other."""
    whole = " ".join(texts)
    starts = range(0, len(whole) - CODE_POINTS, CODE_POINTS)
    return [whole[at : at + CODE_POINTS] for at in starts]


def _costs(texts: Sequence[str], turns: int) -> list[float]:
    """µs of each, ascending."""
    for text in texts[:20]:
        examine(text)  # what is read on first use is read
    return sorted(min(_cost(text) for _ in range(turns)) for text in texts)


def _cost(text: str) -> float:
    began = time.thread_time_ns()
    examine(text)
    return (time.thread_time_ns() - began) / 1000


def _told(what: str, costs: list[float]) -> float:
    median, p99 = costs[len(costs) // 2], costs[len(costs) * 99 // 100]
    print(f"{what}: median {median:,.0f} µs, p99 {p99:,.0f} µs, most {costs[-1]:,.0f} µs")
    return median


if __name__ == "__main__":
    sys.exit(main())
