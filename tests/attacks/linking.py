"""Guesses made of clues, and a judge who holds them against chance.

To join: given a persona, which of those with the same badge in another room, or under another face, is the
same doctor? To name: which of the members with that badge is it? Whoever knows nothing is right once in as
many times as there are candidates.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

from tests.attacks.clues import Beside, Clues, Value
from tests.attacks.evenings import Known

Cell = tuple[str, str]
"""A room and a face: what two personas of one doctor differ in."""
Scores = Mapping[tuple[bytes, bytes], float]
CERTAINTY = 0.01
_MOST_TRIALS = 4_000
_MOST_SHARED = 40  # a value that more have says nothing of any two


@dataclass(frozen=True, slots=True)
class Persona:
    """As everybody sees it."""

    id: bytes
    cell: Cell
    badge: str


@dataclass(frozen=True, slots=True)
class Trial:
    """Somebody, and whom it may be. `right` is for the judge alone."""

    who: Persona
    candidates: Sequence[Persona]
    right: bytes


@dataclass(slots=True)
class Verdict:
    """How often one attack was right, how often chance would be, and how surprising that is."""

    attack: str
    tried: int = 0
    hits: int = 0
    chance: float = 0.0

    def count(self, is_right: bool, candidates: int) -> None:
        self.tried += 1
        self.hits += is_right
        self.chance += 1 / candidates

    @property
    def p(self) -> float:
        """How likely chance alone does as well or better; guesses by rank vary by `chance`."""
        if not self.chance:
            return 1.0
        z = (self.hits - 0.5 - self.chance) / math.sqrt(self.chance)
        return 0.5 * math.erfc(z / math.sqrt(2))


def trials(personas: Iterable[Persona], owner: Mapping[bytes, int]) -> list[Trial]:
    """Each persona against each other cell in which its doctor is, too.

    A screen name and a real name are the same everywhere: those are not to be joined with themselves.
    """
    by_cell: defaultdict[Cell, defaultdict[str, list[Persona]]] = defaultdict(_lists)
    for persona in personas:
        by_cell[persona.cell][persona.badge].append(persona)
    apart = [
        Trial(who, there[badge], right)
        for here, other in combinations(sorted(by_cell), 2)
        if here[1] != other[1] or here[1] == "anonymous"
        for badge, people in by_cell[here].items()
        for there in (by_cell[other],)
        for who in people
        for right in (_same(there.get(badge, ()), owner, owner[who.id]),)
        if right is not None and len(there[badge]) > 1
    ]
    return apart + list(_anew(by_cell, owner))


def _anew(
    by_cell: Mapping[Cell, Mapping[str, Sequence[Persona]]], owner: Mapping[bytes, int]
) -> Iterator[Trial]:
    """Whoever is somebody new in a room, against all others of her badge there."""
    made_up = (each for cell, each in sorted(by_cell.items()) if cell[1] == "anonymous")
    for people in (each for badges in made_up for each in badges.values()):
        for who in people:
            others = [each for each in people if each is not who]
            right = _same(others, owner, owner[who.id])
            if right is not None and len(others) > 1:
                yield Trial(who, others, right)


def joined(clues: Clues, tried: Sequence[Trial], seed: int) -> list[Verdict]:
    """Every way of guessing, by every clue, on some thousands of trials."""
    verdicts, tried = [], Random(seed).sample(tried, min(_MOST_TRIALS, len(tried)))
    for name, beside in sorted(clues.items()):
        for how, guess in _ways(beside, tried):
            verdicts.append(_judged(f"{name}, {how}", tried, guess, Random(seed)))
    return verdicts


def beaten(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those attacks that know something: too often right for chance, as many as were tried."""
    return [each for each in verdicts if each.p <= CERTAINTY / len(verdicts)]


# -- ways of guessing ----------------------------------------------------------------------------

Guess = Callable[[Trial], bytes | None]


def _ways(beside: Beside, tried: Sequence[Trial]) -> Iterator[tuple[str, Guess]]:
    shared = _shared(beside)
    known = {id for pair in shared for id in pair}
    yield "shared", lambda trial: _best(trial, shared) if trial.who.id in known else None
    first = {id: min(map(_number, values)) for id, values in beside.items()}
    ranks = _ranks(tried, first)
    yield "order", lambda trial: ranks.get((trial.who.id, trial.candidates[0].cell))
    yield "near", lambda trial: _nearest(trial, first)


def _judged(attack: str, tried: Sequence[Trial], guess: Guess, random: Random) -> Verdict:
    """Without any idea one of the candidates is taken as it comes."""
    verdict = Verdict(attack)
    for trial in tried:
        guessed = guess(trial) or random.choice(trial.candidates).id
        verdict.count(guessed == trial.right, len(trial.candidates))
    return verdict


def _shared(beside: Beside) -> Scores:
    """How much two have in common; the rarer, the more. Beginnings and ends count as values, too."""
    who: defaultdict[tuple[str, Value], set[bytes]] = defaultdict(set)
    for id, values in beside.items():
        for value in values:
            for token in _tokens(value):
                who[token].add(id)
    scores: defaultdict[tuple[bytes, bytes], float] = defaultdict(float)
    for (kind, _), ids in who.items():
        if 2 <= len(ids) <= _MOST_SHARED:
            weight = (4 if kind == "whole" else 1) / len(ids)
            for one, other in combinations(sorted(ids), 2):
                scores[one, other] += weight
    return scores


def _tokens(value: Value) -> Iterator[tuple[str, Value]]:
    yield "whole", value
    if not isinstance(value, int) and len(value) >= 8:
        yield "begins", value[:3]
        yield "ends", value[-3:]


def _best(trial: Trial, scores: Scores) -> bytes | None:
    mine = trial.who.id
    found = [(scores.get(_pair(mine, each.id), 0.0), each.id) for each in trial.candidates]
    best = max(found)
    return best[1] if best[0] > 0 and found.count(best) == 1 else None


def _ranks(
    tried: Sequence[Trial], first: Mapping[bytes, int]
) -> dict[tuple[bytes, Cell], bytes | None]:
    """The third of a badge in one room is the third of it in another."""
    people: defaultdict[tuple[Cell, str], set[bytes]] = defaultdict(set)
    for trial in tried:
        for each in (trial.who, *trial.candidates):
            if each.id in first:
                people[each.cell, each.badge].add(each.id)
    order = {place: sorted(ids, key=lambda id: (first[id], id)) for place, ids in people.items()}
    rank = {id: n for ids in order.values() for n, id in enumerate(ids)}
    return {
        (trial.who.id, cell): there[rank[trial.who.id] * len(there) // len(here)]
        for trial in tried
        for cell in (trial.candidates[0].cell,)
        for here in (order.get((trial.who.cell, trial.who.badge), []),)
        for there in (order.get((cell, trial.who.badge), []),)
        if trial.who.id in rank and there
    }


def _nearest(trial: Trial, first: Mapping[bytes, int]) -> bytes | None:
    mine = first.get(trial.who.id)
    if mine is None:
        return None
    others = [
        (abs(first[each.id] - mine), each.id) for each in trial.candidates if each.id in first
    ]
    return min(others)[1] if others else None


# -- naming an author ----------------------------------------------------------------------------


def named(
    clues: Clues,
    personas: Sequence[Persona],
    owner: Mapping[bytes, int],
    known: Sequence[Known],
    seed: int,
) -> list[Verdict]:
    """Made-up personas and the list of members: by order, and by any hash that needs no key."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    for number, doctor in enumerate(known):
        members[doctor.badge].append(number)
    made_up = [each for each in personas if each.cell[1] == "anonymous"]
    verdicts = [
        _named_by_order(f"{name}, names by order", beside, made_up, owner, known, members)
        for name, beside in sorted(clues.items())
    ]
    hashes = _unkeyed(known, {each.cell[0] for each in made_up})
    by_hash, random = Verdict("names by hash"), Random(seed)
    for each in made_up:
        people = members[known[owner[each.id]].badge]
        values = [value for beside in clues.values() for value in beside.get(each.id, ())]
        found = [hashes[value] for value in values if value in hashes]
        by_hash.count((found or [random.choice(people)])[0] == owner[each.id], len(people))
    return [*verdicts, by_hash]


def _named_by_order(
    attack: str,
    beside: Beside,
    made_up: Sequence[Persona],
    owner: Mapping[bytes, int],
    known: Sequence[Known],
    members: Mapping[str, Sequence[int]],
) -> Verdict:
    verdict = Verdict(attack)
    rooms: defaultdict[tuple[Cell, str], list[bytes]] = defaultdict(list)
    for each in made_up:
        if each.id in beside:
            rooms[each.cell, known[owner[each.id]].badge].append(each.id)
    for (_, badge), ids in rooms.items():
        people = members[badge]
        ordered = sorted(ids, key=lambda id: (min(map(_number, beside[id])), id))
        for n, id in enumerate(ordered):
            guess = people[n * len(people) // len(ordered)]
            verdict.count(guess == owner[id], len(people))
    return verdict


def _unkeyed(known: Sequence[Known], rooms: Iterable[str]) -> dict[Value, int]:
    """What a careless program would make of a doctor: as she is called, or a plain hash of it."""
    found: dict[Value, int] = {}
    places = ["", *rooms]
    for number, doctor in enumerate(known):
        for trait in (doctor.id, doctor.email, doctor.name):
            found[trait] = found[trait.encode()] = number
            for room in places:
                for text in (f"{trait}{room}", f"{trait}\n{room}", f"{trait}\n{room}\nanonymous"):
                    for digest in _digests(text.encode()):
                        found[digest] = found[digest[:16]] = found[digest.hex()] = number
    return found


def _digests(data: bytes) -> Iterator[bytes]:
    yield hashlib.sha256(data).digest()
    yield hashlib.blake2b(data, digest_size=16).digest()
    yield hashlib.md5(data, usedforsecurity=False).digest()


# -- privates ------------------------------------------------------------------------------------


def _same(people: Iterable[Persona], owner: Mapping[bytes, int], doctor: int) -> bytes | None:
    return next((each.id for each in people if owner[each.id] == doctor), None)


def _pair(one: bytes, other: bytes) -> tuple[bytes, bytes]:
    return (one, other) if one < other else (other, one)


def _number(value: Value) -> int:
    if isinstance(value, int):
        return value
    data = value.encode() if isinstance(value, str) else value
    return int.from_bytes(data[:8].ljust(8, b"\0"))


def _lists() -> defaultdict[str, list[Persona]]:
    return defaultdict(list)
