"""Whose the personas are that pages were put to: held against other pages, who speaks in rooms, and names.

What was put to somebody who never answered is shown to nobody, and lies in the lounge database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from tests.attacks import linking
from tests.attacks.clues import Clues
from tests.attacks.evenings import Evidence
from tests.attacks.linking import Persona, Trial, Verdict

TABLES = ("page", "alerted")


def tells(name: str) -> bool:
    """A clue of the tables of pages."""
    return name.startswith(tuple(f"{table}{mark}" for table in TABLES for mark in ".:"))


def attacked(evidence: Evidence, clues: Clues, people: Sequence[Persona]) -> list[Verdict]:
    """Every way of joining whom a page was put to with anybody, and of naming her."""
    if not evidence.alerted:
        return []
    badges = {evidence.owner[each.id]: each.badge for each in people}
    put = [
        Persona(id, (room, "anonymous"), badges[number])
        for id, (room, number) in sorted(evidence.alerted.items())
        if number in badges
    ]
    owner = evidence.owner | {id: number for id, (_, number) in evidence.alerted.items()}
    told = {name: beside for name, beside in clues.items() if _says(name)}
    spoke = [each for each in people if each.cell[1] == "anonymous" and "/" in each.cell[0]]
    chance, seed = Random(evidence.plan.seed), evidence.plan.seed
    pairs = list(_tried(put, put, owner))
    beside = list(_tried(put, [each for each in spoke if each.id not in evidence.alerted], owner))
    verdicts = {
        "page to page": linking.joined(told, chance.sample(pairs, min(2_000, len(pairs))), seed),
        "page to room": linking.joined(told, chance.sample(beside, min(2_000, len(beside))), seed),
        "names of alerted": linking.named(told, put, owner, evidence.known, seed),
    }
    return [_under(kind, each) for kind, found in verdicts.items() for each in found]


def _says(name: str) -> bool:
    """Also where each stands in files, and the ids themselves."""
    return tells(name) or name.startswith("lounge.db") or name == "persona.id"


def _tried(
    these: Sequence[Persona], those: Sequence[Persona], owner: Mapping[bytes, int]
) -> Iterator[Trial]:
    """Each against those of her badge in every other room."""
    here: defaultdict[linking.Cell, list[Persona]] = defaultdict(list)
    there: defaultdict[tuple[linking.Cell, str], list[Persona]] = defaultdict(list)
    for each in these:
        here[each.cell].append(each)
    for each in those:
        there[each.cell, each.badge].append(each)
    for cell, people in sorted(here.items()):
        for (other, badge), candidates in sorted(there.items(), key=lambda item: item[0]):
            if other == cell or len(candidates) < 2:
                continue
            for who in people:
                right = [each.id for each in candidates if owner[each.id] == owner[who.id]]
                if who.badge == badge and right:
                    yield Trial(who, candidates, right[0])


def _under(kind: str, verdict: Verdict) -> Verdict:
    verdict.attack = f"{kind}: {verdict.attack}"
    return verdict
