"""Pools: the paper's rule against a reckoning of its own, and cells out of which nobody is told."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest
from msgspec import UNSET

from lounge.events import Badge, Cell, Pooled
from lounge.pool import Ballot, celled, folded, merging, pooled, singly

CROWD = 5
LABELS = [f"Diagnosis {number}" for number in range(12)]
SPECIALTIES = ["cardiology", "neurology", "emergency-medicine", "family-medicine"]
COUNTRIES = ["CA", "US", "GB"]


def ballot(*ranked: str, why: str | None = None, **badge: Any) -> Ballot:
    return Ballot(ranked, why, Badge(**badge))


def spelled(label: str, dice: random.Random) -> str:
    """The same label as somebody else writes it."""
    words = label.split(" ")
    return dice.choice(
        [" ".join(words), "  ".join(words), label.upper(), label.lower(), f" {label}", label]
    )


# -- the reference -------------------------------------------------------------------------------


def made(dice: random.Random, count: int) -> list[list[int]]:
    """Ballots as numbers of labels: some labels are much likelier than others."""
    odds = [1 / (1 + number) for number in range(len(LABELS))]
    ballots = []
    for _ in range(count):
        ranked: list[int] = []
        while len(ranked) < dice.randint(1, 3):
            (number,) = dice.choices(range(len(LABELS)), odds)
            if number not in ranked:
                ranked.append(number)
        ballots.append(ranked)
    return ballots


def reference(ballots: list[list[int]], under: dict[int, int]) -> dict[int, tuple[int, int]]:
    """Each label's sixths of weight and its firsts, in whole numbers and label by label."""
    told = {}
    for label in {under.get(n, n) for ranked in ballots for n in ranked}:
        places = [[under.get(n, n) for n in ranked] for ranked in ballots]
        at = [place.index(label) for place in places if label in place]
        told[label] = (sum((6, 3, 2)[each] for each in at), at.count(0))
    return told


def as_reckoned(pool: Iterable[Pooled]) -> dict[int, tuple[int, int]]:
    numbers = {folded(label): number for number, label in enumerate(LABELS)}
    return {numbers[folded(each.label)]: (round(each.weight * 6), each.first) for each in pool}


@pytest.mark.parametrize("size", [1000, 40, 9, 3])
def test_a_thousand_ballots_give_the_pool_that_the_reference_gives(size: int) -> None:
    dice = random.Random(size)
    ballots = made(dice, 1000)
    written = [ballot(*(spelled(LABELS[n], dice) for n in ranked)) for ranked in ballots]
    for start in range(0, len(ballots) - size + 1, size):
        pool = pooled(written[start : start + size], {})
        wanted = reference(ballots[start : start + size], {})
        assert as_reckoned(pool) == wanted
        exact = [round(sixths / 6, 4) for sixths, _ in wanted.values()]
        assert sorted(each.weight for each in pool) == sorted(exact)
        assert [each.weight for each in pool] == sorted(exact, reverse=True)


def test_merged_spellings_give_the_pool_that_the_reference_gives() -> None:
    dice = random.Random(7)
    for _ in range(60):
        ballots = made(dice, 17)
        written = [ballot(*(spelled(LABELS[n], dice) for n in ranked)) for ranked in ballots]
        there = sorted({n for ranked in ballots for n in ranked})
        merged: dict[str, str] = {}
        under: dict[int, int] = {}
        for _ in range(dice.randint(1, 3)):
            left = [n for n in there if n not in under]
            if len(left) < 2:
                break
            into, *gone = dice.sample(left, dice.randint(2, min(3, len(left))))
            merged = merging(merged, [LABELS[n] for n in gone], LABELS[into].upper())
            under = {n: into if to in gone else to for n, to in under.items()}
            under |= dict.fromkeys(gone, into)
        pool = pooled(written, merged)
        assert as_reckoned(pool) == reference(ballots, under)
        names = {folded(each.label): each.names for each in pool if each.names}
        assert sum(map(len, names.values())) == len(under)


def test_the_order_of_ballots_tells_nothing() -> None:
    dice = random.Random(3)
    ballots = [ballot(*(LABELS[n] for n in ranked), why="So.") for ranked in made(dice, 30)]
    ballots += [ballot(*(LABELS[n].upper() for n in ranked)) for ranked in made(dice, 30)]
    first = pooled(ballots, {})
    for _ in range(10):
        dice.shuffle(ballots)
        assert pooled(ballots, {}) == first
    pair = [ballot("Pericarditis", why="The rub."), ballot("Angina")]
    assert singly(pair) == singly(pair[::-1])


# -- by hand -------------------------------------------------------------------------------------


def test_a_pool_by_hand() -> None:
    pool = pooled(
        [
            ballot("Pericarditis", "Myocarditis", why="The rub."),
            ballot("pericarditis ", why="Saddle ST."),
            ballot("Myocarditis", "PERICARDITIS", "Embolism", why="Troponin."),
            ballot("Pericarditis", why="The rub."),
        ],
        {},
    )
    assert [(each.label, each.weight, each.first) for each in pool] == [
        ("Pericarditis", 3.5, 3),
        ("Myocarditis", 1.5, 1),
        ("Embolism", 0.3333, 0),
    ]
    assert pool[0].whys == ["Saddle ST.", "The rub.", "The rub."]
    assert pool[2].whys == []
    assert all(each.names is UNSET for each in pool)


def test_a_merge_takes_what_was_merged_before_with_it() -> None:
    given = [ballot("PE", "Lung embolism"), ballot("Lung embolism"), ballot("Pulmonary embolism")]
    merged = merging({}, ["PE"], "Lung embolism")
    merged = merging(merged, ["lung  EMBOLISM"], "Pulmonary embolism")
    (only,) = pooled(given, merged)
    assert (only.label, only.weight, only.first) == ("Pulmonary embolism", 3.0, 3)
    assert only.names == ["Lung embolism", "PE"]


def test_one_or_two_opinions_are_shown_singly_and_three_only_pooled() -> None:
    opinions = [ballot("A", "B", why="Because."), ballot("A"), ballot("C")]
    for few in (1, 2):
        assert pooled(opinions[:few], {}) == []
        assert len(singly(opinions[:few])) == few
    assert all(each.badge is UNSET for each in singly(opinions[:2]))
    assert singly(opinions) == []
    assert len(pooled(opinions, {})) == 3
    assert (pooled([], {}), singly([]), celled([], {}, CROWD)) == ([], [], [])


# -- cells ---------------------------------------------------------------------------------------


def crowd(*groups: tuple[int, str | None, str | None]) -> list[Ballot]:
    """So many of a specialty and a country; None where the k-guard shows none."""
    return [
        ballot(
            "Angina",
            why="A word of hers.",
            **({"specialty": specialty} if specialty else {}),
            **({"country": country} if country else {}),
        )
        for count, specialty, country in groups
        for _ in range(count)
    ]


def names(cells: Iterable[Cell]) -> list[tuple[str, int]]:
    return [(str(each.specialty or each.country), each.n) for each in cells]


@pytest.mark.parametrize(
    ("groups", "shown"),
    [
        ([(5, "cardiology", None), (5, "neurology", None)], [("cardiology", 5), ("neurology", 5)]),
        ([(5, "cardiology", None), (4, "neurology", None)], []),
        ([(9, "cardiology", None)], []),
        ([(6, "cardiology", None), (5, None, None)], [("cardiology", 6)]),
        ([(6, "cardiology", None), (5, "neurology", None), (1, None, None)], [("cardiology", 6)]),
        ([(5, "cardiology", "CA"), (5, "neurology", "CA")], [("cardiology", 5), ("neurology", 5)]),
        (
            [(5, "cardiology", "CA"), (5, "neurology", "US")],
            [("cardiology", 5), ("neurology", 5), ("CA", 5), ("US", 5)],
        ),
        (
            [(5, "cardiology", "CA"), (5, "neurology", "US"), (1, "neurology", "CA")],
            [("neurology", 6), ("cardiology", 5)],
        ),
    ],
)
def test_cells_by_hand(
    groups: list[tuple[int, str | None, str | None]], shown: list[tuple[str, int]]
) -> None:
    cells = celled(crowd(*groups), {}, CROWD)
    assert names(cells) == shown
    assert all(not label.whys for cell in cells for label in cell.pool)


def test_no_set_that_can_be_made_of_what_is_shown_is_small() -> None:
    dice = random.Random(11)
    shown = 0
    for _ in range(400):
        ballots = scattered(dice)
        cells = celled(ballots, {}, CROWD)
        shown += len(cells)
        assert small(ballots, cells) == [], names(cells)
    assert shown > 200


def test_a_careless_rule_would_be_found() -> None:
    dice = random.Random(11)
    found = [small(ballots, careless(ballots)) for ballots in (scattered(dice) for _ in range(50))]
    assert any(found)


def scattered(dice: random.Random) -> list[Ballot]:
    places = [*product([*SPECIALTIES, None], [*COUNTRIES, None])]
    odds = [dice.random() ** 4 for _ in places]
    drawn = dice.choices(places, odds, k=dice.randint(3, 40))
    return crowd(*((1, specialty, country) for specialty, country in drawn))


def careless(ballots: list[Ballot]) -> list[Cell]:
    """Every cell of at least the crowd, whatever is left over."""
    whole = [
        Cell(
            n=sum(getattr(each.badge, trait) == value for each in ballots),
            pool=[],
            **{trait: value},
        )
        for trait, values in (("specialty", SPECIALTIES), ("country", COUNTRIES))
        for value in values
    ]
    return [cell for cell in whole if cell.n >= CROWD]


def small(ballots: list[Ballot], cells: list[Cell]) -> list[int]:
    """Sizes below the crowd of sets that come of cells and the whole by adding, taking away, intersecting."""
    everybody = frozenset(range(len(ballots)))
    known = {everybody, *(members(ballots, cell) for cell in cells)}
    few = min(CROWD, len(ballots))
    while True:
        more = {made for one in known for other in known for made in (one - other, one & other)}
        found = sorted({len(each) for each in more if 0 < len(each) < few})
        if found or more <= known:
            return found
        known |= more


def members(ballots: list[Ballot], cell: Cell) -> frozenset[int]:
    trait = "specialty" if cell.specialty else "country"
    value = getattr(cell, trait)
    inside = frozenset(n for n, b in enumerate(ballots) if getattr(b.badge, trait) == value)
    assert len(inside) == cell.n
    return inside


def test_where_a_badge_needs_no_crowd_a_cell_still_needs_three() -> None:
    assert celled(crowd((2, "cardiology", None), (3, "neurology", None)), {}, 1) == []
    assert names(celled(crowd((3, "cardiology", None), (3, None, None)), {}, 1)) == [
        ("cardiology", 3)
    ]
