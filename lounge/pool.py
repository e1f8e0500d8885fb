"""From ranked opinions to what a crowd thinks: weights, spellings, and cells that give nobody away.

Pure: the same ballots, in whatever order, give the same pool.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from msgspec import UNSET

from lounge.events import Badge, Cell, Opinion, Pooled

FEWEST = 3
"""Fewer opinions than so many are shown singly: a pool of one is that one."""
DIGITS = 4

_UNSEEN = {"Cf", "Cc", "Co", "Cn"}

Merged = Mapping[str, str]
"""Spellings that the author took for another: folded label to the folded label that stands for it."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """One doctor's opinion: labels, the likeliest first, why, and the badge that the k-guard allowed her."""

    ranked: tuple[str, ...]
    why: str | None = None
    badge: Badge = field(default_factory=Badge)


def folded(label: str) -> str:
    """What two spellings of one label have in common: case, white space and what is not seen tell nothing."""
    spaced = " ".join(unicodedata.normalize("NFKC", label).casefold().split())
    return "".join(each for each in spaced if unicodedata.category(each) not in _UNSEEN).strip()


def merging(merged: Merged, labels: Collection[str], into: str) -> dict[str, str]:
    """The same, and `labels` now stand under `into` with all that was merged into them."""
    root = folded(into)
    gone = {folded(each) for each in labels} - {root}
    before = {label: root if under in gone else under for label, under in merged.items()}
    return {**before, **dict.fromkeys(sorted(gone), root)}


def pooled(ballots: Sequence[Ballot], merged: Merged) -> list[Pooled]:
    """All labels by weight: each ballot gives a label 1/rank, at the best rank at which it has it.

    The rule is that of Barnett et al., JAMA Network Open 2019, 2(3):e190096. Ties: who has more firsts,
    then the label. `whys` are of those who put it first, sorted. Empty for fewer than three ballots.
    """
    return _pool(ballots, merged, _spelled(ballots, merged)) if len(ballots) >= FEWEST else []


def singly(ballots: Sequence[Ballot]) -> list[Opinion]:
    """One or two opinions as they are, in an order that tells nothing; none when there is a pool."""
    if len(ballots) >= FEWEST:
        return []
    shown = sorted((each.ranked, each.why or "") for each in ballots)
    return [Opinion(ranked=list(ranked), why=why or UNSET) for ranked, why in shown]


def celled(ballots: Sequence[Ballot], merged: Merged, crowd: int) -> list[Cell]:
    """The pools of specialties, then of countries, that may be told apart; without anybody's `whys`.

    Whatever can be made of them by adding, taking away and intersecting, with each other and with the
    whole, has nobody in it or at least `crowd`, never fewer than three: so do those left over, together.
    """
    if len(ballots) < FEWEST:
        return []
    crowd = max(crowd, FEWEST)
    spelled = _spelled(ballots, merged)
    specialties = _told_apart(ballots, _specialty, crowd)
    countries = _told_apart(ballots, _country, crowd)
    while countries and not _is_safe(ballots, specialties, countries, crowd):
        countries = _told_apart(ballots, _country, crowd, countries[:-1])
    return [
        *(_cell(ballots, merged, spelled, _specialty, each) for each in specialties),
        *(_cell(ballots, merged, spelled, _country, each) for each in countries),
    ]


# -- weights -------------------------------------------------------------------------------------


def _pool(ballots: Sequence[Ballot], merged: Merged, spelled: Mapping[str, str]) -> list[Pooled]:
    weights: defaultdict[str, Fraction] = defaultdict(Fraction)
    firsts: Counter[str] = Counter()
    whys: defaultdict[str, list[str]] = defaultdict(list)
    for ballot in ballots:
        for rank, label in _ranks(ballot, merged):
            weights[label] += Fraction(1, rank)
            if rank == 1:
                firsts[label] += 1
                whys[label] += filter(None, [ballot.why])
    order = sorted(weights, key=lambda each: (-weights[each], -firsts[each], each))
    return [
        Pooled(
            label=spelled[each],
            weight=round(float(weights[each]), DIGITS),
            first=firsts[each],
            whys=sorted(whys[each]),
            names=_names(each, merged, spelled) or UNSET,
        )
        for each in order
    ]


def _ranks(ballot: Ballot, merged: Merged) -> Iterator[tuple[int, str]]:
    """Each label once, at its best rank; what follows keeps its own."""
    seen: set[str] = set()
    for rank, label in enumerate(ballot.ranked, 1):
        under = _under(label, merged)
        if under not in seen:
            seen.add(under)
            yield rank, under


def _spelled(ballots: Sequence[Ballot], merged: Merged) -> dict[str, str]:
    """How each folded label is written: as most wrote it."""
    spellings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label in (label for ballot in ballots for label in ballot.ranked):
        spellings[folded(label)][label] += 1
    return {
        label: min(counts, key=lambda each: (-counts[each], each))
        for label, counts in spellings.items()
    }


def _names(label: str, merged: Merged, spelled: Mapping[str, str]) -> list[str]:
    return sorted(spelled[each] for each, under in merged.items() if under == label)


def _under(label: str, merged: Merged) -> str:
    label = folded(label)
    return merged.get(label, label)


# -- cells ---------------------------------------------------------------------------------------

Trait = Callable[[Ballot], str | None]


def _specialty(ballot: Ballot) -> str | None:
    return ballot.badge.specialty or None


def _country(ballot: Ballot) -> str | None:
    return ballot.badge.country or None


def _told_apart(
    ballots: Sequence[Ballot], trait: Trait, crowd: int, among: Collection[str] | None = None
) -> list[str]:
    """The values of a trait, largest first, of which each and the rest of all are large enough."""
    sizes = Counter(value for value in map(trait, ballots) if value)
    shown = [each for each in sorted(sizes, key=lambda v: (-sizes[v], v)) if sizes[each] >= crowd]
    if among is not None:
        shown = [each for each in shown if each in among]
    while shown and 0 < len(ballots) - sum(sizes[each] for each in shown) < crowd:
        shown.pop()
    is_whole = len(shown) == 1 and sizes[shown[0]] == len(ballots)
    return [] if is_whole else shown


def _is_safe(
    ballots: Sequence[Ballot], specialties: list[str], countries: list[str], crowd: int
) -> bool:
    """Whether nobody can be found between the two: all that can be made of cells is made of these atoms."""
    atoms = Counter(
        (_among(_specialty(each), specialties), _among(_country(each), countries))
        for each in ballots
    )
    return min(atoms.values()) >= crowd


def _among(value: str | None, shown: list[str]) -> str | None:
    return value if value in shown else None


def _cell(
    ballots: Sequence[Ballot], merged: Merged, spelled: Mapping[str, str], trait: Trait, value: str
) -> Cell:
    inside = [Ballot(each.ranked) for each in ballots if trait(each) == value]
    pool = _pool(inside, merged, spelled)
    key = "specialty" if trait is _specialty else "country"
    return Cell(n=len(inside), pool=pool, **{key: value})
