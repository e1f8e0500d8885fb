"""How a layer stands once all that was arranged beside the rota is reckoned in: who has which stretch of it.

Of what is arranged for one time an override weighs most, then a swap, then "I am on call until", and
least the rota. A vacation takes a doctor out of what was arranged before she made it: whoever is put on by
name afterwards is on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from typing import Literal, TypeVar

from lounge.oncall.turns import Turn
from storage.roles import AGREED, OVERRIDE, SWAP, UNTIL, VACATION, Change

Why = Literal["rota", "until", "swap", "override"]

WEIGHT: tuple[Why, ...] = ("rota", "until", "swap", "override")
"""From the weakest on."""

Turning = Callable[[int, int], list[Turn]]
"""The turns that touch [since, until)."""
_ByWhom = dict[str | None, list[tuple[int, Change]]]
_Span = TypeVar("_Span", Turn, Change)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `starts` to `ends` a layer is these doctors'; nobody's where there are none.

    `disputed`: rules of the layer give it to different ones. `by`: what it follows from.
    """

    starts: int
    ends: int
    doctors: tuple[str, ...]
    why: Why
    disputed: bool
    by: frozenset[Turn | Change | None]


@dataclass(frozen=True, slots=True)
class _Held:
    """A place of a turn: who has it in the end, and by which change, if by any."""

    turn: Turn | None
    doctor: str | None
    by: Change | None = None

    @property
    def why(self) -> Why:
        return "rota" if self.by is None else self.by.kind  # type: ignore[return-value]

    @property
    def cause(self) -> Turn | Change | None:
        return self.turn if self.by is None else self.by


def stretches(
    turning: Turning, layer: str, changes: Iterable[Change], since: int, until: int, *, whole: bool
) -> list[Stretch]:
    """All that touch [since, until), in order, each `whole` or cut there. Only what is agreed counts."""
    agreed = sorted(
        (each for each in changes if each.state == AGREED and each.layer in (None, layer)),
        key=lambda each: (each.made, each.id),
    )
    if not whole:
        return _joined(_pieces(turning, agreed, since, until))
    # Whatever reaches into the window is looked at from its start to its end: so a stretch is the same
    # from wherever one looks at it.
    puts = [each for each in agreed if each.doctor and _meet(each, since, until)]
    known: list[Turn | Change] = [*turning(since, until), *puts]
    first = min((each.starts for each in known), default=since)
    last = max((each.ends for each in known), default=until)
    found = _pieces(turning, agreed, min(first, since), max(last, until))
    return [each for each in _joined(found) if _meet(each, since, until)]


def clash(changes: Iterable[Change], new: Change) -> Change | None:
    """The override with which `new`, another one, would give the same place at the same time."""
    if new.kind != OVERRIDE:
        return None
    for each in changes:
        stands = each.kind == OVERRIDE and each.state == AGREED and each.id != new.id
        if stands and _meet(each, new.starts, new.ends) and _is_same_place(each, new):
            return each
    return None


def _is_same_place(one: Change, other: Change) -> bool:
    layers, whom = (one.layer, other.layer), (one.instead_of, other.instead_of)
    return all(len(set(each)) == 1 or None in each for each in (layers, whom))


def _pieces(turning: Turning, agreed: Sequence[Change], first: int, last: int) -> list[Stretch]:
    """Between any two moments at which something begins or ends."""
    turns = sorted(turning(first, last), key=lambda turn: (turn.rule, turn.starts))
    known: list[Turn | Change] = [*turns, *agreed]
    sides = {side for each in known for side in (each.starts, each.ends)}
    moments = sorted({first, last, *(side for side in sides if first < side < last)})
    return [
        _piece(starts, ends, there, arranged)
        for (starts, ends), there, arranged in zip(
            pairwise(moments), _there(turns, moments), _there(agreed, moments), strict=False
        )
    ]


def _there(known: Sequence[_Span], moments: Sequence[int]) -> Iterator[list[_Span]]:
    """At each moment those of them that have begun and not ended, in their own order."""
    coming = deque(sorted(enumerate(known), key=lambda each: each[1].starts))
    here: list[tuple[int, _Span]] = []
    for moment in moments:
        while coming and coming[0][1].starts <= moment:
            here.append(coming.popleft())
        here = sorted((each for each in here if moment < each[1].ends), key=itemgetter(0))
        yield [each for _, each in here]


def _piece(starts: int, ends: int, turns: Sequence[Turn], agreed: Sequence[Change]) -> Stretch:
    places = [_Held(turn, doctor) for turn in turns for doctor in turn.doctors]
    arranged = _Arranged.of(agreed, {place.doctor for place in places})
    held = [arranged.held(place) for place in places or [_Held(None, None)]]
    here = [each for each in held if each.doctor is not None and not arranged.is_away(each)]
    return Stretch(
        starts,
        ends,
        tuple(dict.fromkeys(each.doctor for each in here if each.doctor is not None)),
        max((each.why for each in here), key=WEIGHT.index, default="rota"),
        _is_disputed(here),
        frozenset(each.cause for each in here),
    )


@dataclass(frozen=True, slots=True)
class _Arranged:
    """What is arranged for a moment, by whom it replaces; each with its place in the order it was made in."""

    swaps: _ByWhom
    overrides: _ByWhom
    until: Change | None
    away: Mapping[str | None, int]

    @classmethod
    def of(cls, agreed: Sequence[Change], rostered: Collection[str | None]) -> _Arranged:
        """Her own word is nothing new of who is `rostered` anyway."""
        swaps: _ByWhom = {}
        overrides: _ByWhom = {}
        until, away = None, {}
        for place, each in enumerate(agreed):
            if each.kind == SWAP and each.instead_of is not None:
                swaps.setdefault(each.instead_of, []).append((place, each))
            elif each.kind == OVERRIDE:
                overrides.setdefault(each.instead_of, []).append((place, each))
            elif each.kind == UNTIL and each.doctor not in rostered:
                until = each
            elif each.kind == VACATION:
                away[each.instead_of] = each.made
        return cls(swaps, overrides, until, away)

    def held(self, place: _Held) -> _Held:
        """What somebody says of herself stands behind what two agreed on, and an override before both."""
        held = _handed(place, self.swaps)
        if held.by is None and self.until is not None:
            held = _Held(place.turn, self.until.doctor, self.until)
            held = _handed(held, self.swaps)
        return _handed(held, self.overrides, None, place.doctor)

    def is_away(self, held: _Held) -> bool:
        """Whoever was put on by name after she said that she is away, is not."""
        since = self.away.get(held.doctor)
        return since is not None and (held.by is None or held.by.made < since)


def _handed(held: _Held, changes: _ByWhom, *also: str | None) -> _Held:
    """From one to the next: of what was arranged later, whatever is of whoever has the place by then."""
    at = -1
    while changes:
        known = (one for whom in (held.doctor, *also) for one in changes.get(whom, ()))
        later = min((one for one in known if one[0] > at), default=None, key=itemgetter(0))
        if later is None:
            break
        at, each = later
        held = _Held(held.turn, each.doctor, each)
    return held


def _is_disputed(here: Sequence[_Held]) -> bool:
    by_rule: dict[int, set[str | None]] = {}
    for each in here:
        if each.turn is not None:
            by_rule.setdefault(each.turn.rule, set()).add(each.doctor)
    return any(one != other for one, other in pairwise(by_rule.values()))


def _joined(pieces: Iterable[Stretch]) -> list[Stretch]:
    """What goes on as it was is one stretch."""
    found: list[Stretch] = []
    for each in pieces:
        if found and replace(found[-1], starts=each.starts, ends=each.ends) == each:
            each = replace(each, starts=found.pop().starts)
        found.append(each)
    return found


def _meet(each: Turn | Change | Stretch, since: int, until: int) -> bool:
    return each.starts < until and since < each.ends
