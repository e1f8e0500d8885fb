"""What was measured, beside what is promised: as Markdown for people and as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.bench.figures import commit


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its unit; `most` is what is promised (None: nothing is, it is only shown)."""

    value: float
    unit: str = ""
    most: float | None = None

    @property
    def is_met(self) -> bool:
        return self.most is None or self.value <= self.most

    def __str__(self) -> str:
        shown = f"{_shown(self.value)} {self.unit}".strip()
        if self.most is None:
            return shown
        if self.is_met:
            return f"{shown} (≤ {_shown(self.most)}: met)"
        return f"**{shown} (≤ {_shown(self.most)}: not met)**"


Cell = Figure | str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under the same heads; the first head is that of the rows' names."""

    heads: tuple[str, ...]
    rows: list[tuple[str, tuple[Cell, ...]]] = field(default_factory=list)

    def add(self, name: str, *cells: Cell) -> None:
        self.rows.append((name, cells))


@dataclass(frozen=True, slots=True)
class Report:
    """One part on one kind of SQL. `notes` say what a reader must know to believe the numbers."""

    part: str
    backend: str
    tables: Sequence[Table]
    notes: Sequence[str] = ()

    @property
    def is_met(self) -> bool:
        return all(figure.is_met for figure in self._figures())

    def _figures(self) -> list[Figure]:
        cells = [cell for table in self.tables for _, row in table.rows for cell in row]
        return [cell for cell in cells if isinstance(cell, Figure)]


def markdown(report: Report) -> str:
    """A heading, the tables, the notes."""
    verdict = "met" if report.is_met else "NOT MET"
    parts = [f"## {report.part} on {report.backend}: {verdict}"]
    parts += [_table(table) for table in report.tables]
    parts += ["\n".join(f"- {note}" for note in report.notes)] if report.notes else []
    return "\n\n".join(parts) + "\n"


def as_json(reports: Sequence[Report]) -> str:
    """All of it, with the time and the commit."""
    stamp = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit()}
    return json.dumps(stamp | {"reports": [_plain(each) for each in reports]}, indent=1)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed; 0 when there is none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def _table(table: Table) -> str:
    lines = [_line(table.heads), _line(["---"] * len(table.heads))]
    lines += [_line([name, *map(str, cells)]) for name, cells in table.rows]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(report: Report) -> dict[str, Any]:
    tables = [
        {name: dict(zip(table.heads[1:], map(_value, cells), strict=True)) for name, cells in rows}
        for table in report.tables
        for rows in [table.rows]
    ]
    return {
        "part": report.part,
        "backend": report.backend,
        "met": report.is_met,
        "tables": tables,
        "notes": list(report.notes),
    }


def _value(cell: Cell) -> Any:
    if isinstance(cell, str):
        return cell
    told: dict[str, Any] = {"value": round(cell.value, 3), "unit": cell.unit}
    return told if cell.most is None else told | {"most": cell.most, "met": cell.is_met}


def _shown(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"
