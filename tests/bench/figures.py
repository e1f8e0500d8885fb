"""What a load cost, as numbers to compare, as lines of a table, and as a history of JSON lines."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.generator import Load, Run
from tests.bench.usage import Usage

Pair = tuple[Usage, Usage]
"""The server and its Valkey."""


@dataclass(frozen=True, slots=True)
class Figures:
    """CPU is the server's, in µs, without Valkey's unless it says so. None: this load has no such."""

    server: str
    load: str
    sockets: int
    delivery_us: float | None
    publish_us: float | None
    valkey_publish_us: float | None
    p50_ms: float | None
    p99_ms: float | None
    deliveries_a_second: float | None
    socket_kb: float | None
    connect_us: float | None

    @classmethod
    def of(cls, server: str, load: Load, run: Run[Pair]) -> Figures:
        counts, spoke = run.counts, bool(run.counts.delivered)
        opening = (run.opened, run.after) if load.churn else (run.before, run.opened)
        grown = run.opened[0].pss_kb - run.before[0].pss_kb
        cpu = run.after[0].cpu_seconds - run.opened[0].cpu_seconds
        valkey = run.after[1].cpu_seconds - run.opened[1].cpu_seconds
        connecting = opening[1][0].cpu_seconds - opening[0][0].cpu_seconds
        return cls(
            server=server,
            load=load.name,
            sockets=load.sockets,
            delivery_us=cpu * 1e6 / counts.delivered if spoke else None,
            publish_us=cpu * 1e6 / counts.said if spoke else None,
            valkey_publish_us=valkey * 1e6 / counts.said if spoke else None,
            p50_ms=counts.p50_ms if spoke else None,
            p99_ms=counts.p99_ms if spoke else None,
            deliveries_a_second=counts.delivered / counts.seconds if spoke else None,
            socket_kb=None if load.churn else grown / counts.opened,
            connect_us=connecting * 1e6 / counts.opened,
        )


def table(all_figures: Sequence[Figures], former: Sequence[Figures]) -> str:
    """One line a load; the last column is the same load's µs a delivery in the history's last run."""
    before = {(each.server, each.load): each.delivery_us for each in former}
    lines = [_line([head for head, _ in _COLUMNS] + ["before"])]
    for each in all_figures:
        values = [_shown(getattr(each, name)) for _, name in _COLUMNS]
        lines.append(_line([*values, _shown(before.get((each.server, each.load)))]))
    return "\n".join(lines)


def former(history: Path) -> list[Figures]:
    """Everything in the history, oldest first."""
    if not history.exists():
        return []
    known = Figures.__dataclass_fields__
    rows = [json.loads(line) for line in history.read_text().splitlines()]
    return [Figures(**{name: row.get(name) for name in known}) for row in rows]


def remember(history: Path, all_figures: Sequence[Figures]) -> None:
    """Add them to the history, with the time and the commit."""
    stamp = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit()}
    with history.open("a") as file:
        for each in all_figures:
            file.write(json.dumps(stamp | asdict(each)) + "\n")


def commit() -> str:
    """What is measured, with a + when the tree holds more than was committed."""
    named = _git("rev-parse", "--short", "HEAD") or "unknown"
    return named + ("+" if _git("status", "--porcelain") else "")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


_ROOT = Path(__file__).parents[2]
_COLUMNS = (
    ("server", "server"),
    ("load", "load"),
    ("sockets", "sockets"),
    ("µs/delivery", "delivery_us"),
    ("µs/publish", "publish_us"),
    ("valkey µs/p.", "valkey_publish_us"),
    ("p50 ms", "p50_ms"),
    ("p99 ms", "p99_ms"),
    ("deliveries/s", "deliveries_a_second"),
    ("KB/socket", "socket_kb"),
    ("µs/connect", "connect_us"),
)


def _line(cells: Sequence[str]) -> str:
    widths = [10, 8, *[max(len(head), 8) for head, _ in _COLUMNS[2:]], 8]
    pairs = zip(cells, widths, strict=True)
    return "  ".join(
        f"{c:<{w}}" if w > 8 and at == 0 else f"{c:>{w}}" for at, (c, w) in enumerate(pairs)
    )


def _shown(value: str | float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:,.{0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2}f}"
