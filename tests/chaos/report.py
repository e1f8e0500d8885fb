"""What a run says of itself, as Markdown."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Happened:
    """One planned fault: from when to when, its evidence or why there is none, and how long it echoed."""

    name: str
    began: float
    ended: float
    fired: bool
    evidence: str
    recovered: float


def markdown(backend: str, verdict: Line, happened: list[Happened], folder: Path) -> str:
    """`verdict` as the checker prints it; `folder` holds the journals."""
    return "\n".join(
        [*_head(backend, verdict, happened), *_table(happened, delays(folder, happened))]
    )


def delays(folder: Path, happened: list[Happened]) -> list[list[float]]:
    """Seconds from the first ack to each live hearing, by the fault after whose beginning it was said.

    The first list is of what was said before any.
    """
    acked = dict(_acks(folder))
    starts = [each.began for each in happened]
    phases: list[list[float]] = [[] for _ in range(len(happened) + 1)]
    for path in folder.glob("client-*.jsonl"):
        for place, t, live in _heard(path):
            said = acked.get(place)
            if said is not None and said >= live:
                phases[bisect_right(starts, said)].append(max(0.0, t - said))
    return [sorted(each) for each in phases]


def _head(backend: str, verdict: Line, happened: list[Happened]) -> Iterator[str]:
    fired = sum(each.fired for each in happened)
    yield f"# Chaos on {backend}: {verdict['verdict']}, seed {verdict['seeds']}\n"
    yield f"- {fired} of {len(happened)} planned faults fired."
    yield f"- {verdict['client_ids']} commands, {verdict['acked_share']:.1%} acked, nacks {verdict['nacks']}."
    yield f"- {verdict['clients']} clients, {verdict['entries']} entries, closes {verdict['closes']}."
    yield f"- Counter-examples: {verdict['breaches'] or 'none'}."
    if verdict["first"]:
        yield f"- The first: {verdict['first']['check']}: {verdict['first']['says']}."
    yield ""


def _table(happened: list[Happened], phases: list[list[float]]) -> Iterator[str]:
    yield "| fault | lasted | well again after | heard | p50 | p99 | p99.9 | evidence |"
    yield "|---|---:|---:|---:|---:|---:|---:|---|"
    yield f"| (none yet) | | | {_figures(phases[0])} | |"
    for each, delayed in zip(happened, phases[1:], strict=True):
        evidence = each.evidence if each.fired else f"**did not fire**: {each.evidence}"
        lasted = f"{each.ended - each.began:.1f} s | {each.recovered:.1f} s"
        yield f"| {each.name} | {lasted} | {_figures(delayed)} | {evidence} |"


def _figures(delayed: list[float]) -> str:
    ranks = [min(len(delayed) - 1, int(len(delayed) * share)) for share in (0.5, 0.99, 0.999)]
    shares = [f"{delayed[rank] * 1000:.0f} ms" if delayed else "" for rank in ranks]
    return " | ".join([str(len(delayed)), *shares])


def _acks(folder: Path) -> Iterator[tuple[tuple[str, int], float]]:
    first: dict[tuple[str, int], float] = {}
    repeated: set[tuple[str, int]] = set()
    for path in folder.glob("client-*.jsonl"):
        for line in _lines(path, '"ack"'):
            place = (line["room"], line["seq"])
            first[place] = min(line["t"], first.get(place, line["t"]))
            if not line.get("dup"):
                repeated.add(place)
    return ((place, t) for place, t in first.items() if place in repeated)


def _heard(path: Path) -> Iterator[tuple[tuple[str, int], float, float]]:
    """Place, moment, and since when it was live there: the first hearing of each."""
    live: dict[tuple[int, str], float] = {}
    most: dict[str, int] = defaultdict(int)
    for line in _lines(path, '"recv"', '"live"'):
        key = (line["conn"], line["room"])
        if line["event"] == "live":
            live.setdefault(key, line["t"])
        elif key in live and line["seq"] > most[line["room"]]:
            yield (line["room"], line["seq"]), line["t"], live[key]
        if line["event"] == "recv":
            most[line["room"]] = max(most[line["room"]], line["seq"])


def _lines(path: Path, *events: str) -> Iterator[Line]:
    with path.open() as file:
        for text in file:
            if any(event in text[:40] for event in events):
                yield json.loads(text)
