"""What a role's keeper is to know of the days ahead: nobody is on, or reached, or rules disagree. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from lounge.oncall import rota as rotas
from lounge.oncall.roles import DAY_MS, Role
from lounge.oncall.rota import Gap
from storage.roles import Change

AHEAD_MS = 7 * DAY_MS
LASTING_MS = 7 * DAY_MS
"""A shortfall is known by when it began; one that has lasted for so long is told again as often."""
SEEN_MS = 31 * DAY_MS
"""So long one may be for its end to be told."""
MOST = 30


@dataclass(frozen=True, slots=True)
class Shortfall:
    """`kind` is the notice that tells of it; `known_as` stays the same for as long as it is told once."""

    kind: str
    layer: str
    starts: int
    ends: int
    known_as: str = ""


def shortfalls(
    role: Role,
    members: Collection[str],
    changes: Sequence[Change],
    reached: Collection[str],
    now: int,
) -> list[Shortfall]:
    """Those of the next seven days, the soonest first. Of the `members` something reaches those `reached`.

    `changes` are those that end after `now - LASTING_MS`.
    """
    since, soon = now - LASTING_MS, now + AHEAD_MS
    beside = role.rota, role.zone, changes, since, soon + SEEN_MS
    gaps = rotas.gaps(*beside, reached=reached)
    found = [
        *(Shortfall(_kind(each, members), each.layer, each.starts, each.ends) for each in gaps),
        *(
            Shortfall("rota_overlap", each.layer, each.starts, each.ends)
            for each in rotas.overlaps(*beside)
        ),
    ]
    ahead = [each for each in _joined(found) if each.starts < soon and now < each.ends]
    return [
        replace(each, starts=max(now, each.starts), known_as=_name(each, since, now))
        for each in sorted(ahead, key=lambda each: each.starts)[:MOST]
    ]


def _kind(gap: Gap, members: Collection[str]) -> str:
    """Nobody has it, or ever will; or somebody has, whom nothing reaches."""
    if not gap.layer:
        return "rota_empty"
    return "rota_unreached" if {*gap.doctors} & {*members} else "rota_gap"


def _joined(found: Sequence[Shortfall]) -> list[Shortfall]:
    """Shift after shift of somebody whom nothing reaches is one."""
    joined: list[Shortfall] = []
    for each in sorted(found, key=lambda one: (one.kind, one.layer, one.starts)):
        last = joined[-1] if joined else None
        if last and (last.kind, last.layer, last.ends) == (each.kind, each.layer, each.starts):
            each = replace(joined.pop(), ends=each.ends)
        joined.append(each)
    return joined


def _name(each: Shortfall, since: int, now: int) -> str:
    began = f"week {now // LASTING_MS}" if each.starts == since else each.starts
    return f"{each.kind} {each.layer} {began}"
