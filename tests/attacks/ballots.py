"""Whose a ballot is: held against ballots of other cases and polls, against who spoke there, against names.

A ballot that shows a badge may be anybody's who has it; one that shows none, anybody's in its room.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import permutations
from typing import Any

import msgspec

from tests.attacks import linking
from tests.attacks.clues import Beside, Clues, persona_of
from tests.attacks.evenings import Evidence
from tests.attacks.linking import Persona, Trial, Verdict

TABLE = "ballot"
_WIRE_LETTERS = 22
_WRITTEN = ("entry", "persona", "receipt")
_ALIKE = (": order of rows", "._xmin")


def attacked(evidence: Evidence, clues: Clues, people: Sequence[Persona]) -> list[Verdict]:
    """Every way of joining a ballot to another, or to a persona, and of naming its voter."""
    if not evidence.ballots:
        return []
    ballots = [_ballot(row) for row in evidence.ballots]
    rooms = {row["key"]: row["room"] for row in evidence.ballots}
    owner, seed = evidence.owner, evidence.plan.seed
    found = dict(_told(clues, {each.id for each in (*ballots, *people)}))
    voters = [Persona(each.id, (each.cell[0], "anonymous"), each.badge) for each in ballots]
    mine = {name: beside for name, beside in found.items() if name.startswith(TABLE)}
    by_attack = {
        "ballots": linking.joined(found, list(_other_ballots(ballots, owner)), seed),
        "voters": linking.joined(found, list(_speakers(ballots, people, rooms, owner)), seed),
        "names of voters": linking.named(mine, voters, owner, evidence.known, seed),
    }
    return [_under(kind, each) for kind, verdicts in by_attack.items() for each in verdicts]


def _ballot(row: Mapping[str, Any]) -> Persona:
    """Its cell is its case or poll."""
    return Persona(
        bytes(row["key"]), (row["subject"], TABLE), _badge(msgspec.json.decode(row["body"]))
    )


def _badge(body: Any) -> str:
    """As a persona's is written; empty when the ballot shows none."""
    shown = body.get("badge") if isinstance(body, dict) else None
    return msgspec.json.encode(shown).decode() if isinstance(shown, dict) else ""


def _other_ballots(ballots: Sequence[Persona], owner: Mapping[bytes, int]) -> Iterator[Trial]:
    """Each against those of another case or poll."""
    cells: defaultdict[linking.Cell, list[Persona]] = defaultdict(list)
    for each in ballots:
        cells[each.cell].append(each)
    for here, there in permutations(sorted(cells), 2):
        yield from _tried(cells[here], cells[there], owner)


def _speakers(
    ballots: Sequence[Persona],
    people: Iterable[Persona],
    rooms: Mapping[bytes, str],
    owner: Mapping[bytes, int],
) -> Iterator[Trial]:
    """Each against those who have spoken in its room."""
    spoke: defaultdict[str, list[Persona]] = defaultdict(list)
    for person in people:
        if person.cell[1] == "anonymous":
            spoke[person.cell[0]].append(person)
    for each in ballots:
        yield from _tried([each], spoke[rooms[each.id]], owner)


def _tried(
    these: Iterable[Persona], those: Sequence[Persona], owner: Mapping[bytes, int]
) -> Iterator[Trial]:
    for who in these:
        candidates = [each for each in those if _may_be(who, each)]
        right = [each.id for each in candidates if owner[each.id] == owner[who.id]]
        if right and len(candidates) > len(right):
            yield Trial(who, candidates, right[0])


def _may_be(one: Persona, other: Persona) -> bool:
    """A ballot shows no more of a badge than somebody reads: of most cases a part."""
    shown = [set(msgspec.json.decode(each.badge or "{}").items()) for each in (one, other)]
    return shown[0] <= shown[1] or shown[1] <= shown[0]


def _told(clues: Clues, ids: set[bytes]) -> Iterator[tuple[str, Beside]]:
    """What stands beside ballots; and the same thing of ballots and of personas, wherever it stands."""
    yield "ballot.key and persona.id", _of(ids, clues["persona.id"])
    for name, beside in clues.items():
        if name.startswith((f"{TABLE}.", f"{TABLE}:", "lounge.db")):
            yield name, _of(ids, beside)
        for kind in _ALIKE:
            if name in [table + kind for table in _WRITTEN] and TABLE + kind in clues:
                yield f"ballot and {name}", _of(ids, clues[TABLE + kind] | beside)
    everything: defaultdict[bytes, list[Any]] = defaultdict(list)
    for id, values in _values(clues):
        everything[id] += values
    yield "ballot and any value", _of(ids, everything)


def _values(clues: Clues) -> Iterator[tuple[bytes, list[Any]]]:
    """What is long enough to be somebody's."""
    for name, beside in clues.items():
        if not name.startswith("frames: words"):
            for id, values in beside.items():
                yield id, [_raw(v) for v in values if isinstance(v, (bytes, str)) and len(v) >= 8]


def _raw(value: bytes | str) -> bytes | str:
    """What is written as the wire writes a persona, as the store has it."""
    if isinstance(value, str) and len(value) == _WIRE_LETTERS:
        with suppress(ValueError):
            return persona_of(value)
    return value


def _of(ids: set[bytes], beside: Beside) -> Beside:
    return {id: values for id, values in beside.items() if id in ids}


def _under(kind: str, verdict: Verdict) -> Verdict:
    verdict.attack = f"{kind}: {verdict.attack}"
    return verdict
