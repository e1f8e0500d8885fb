"""Which faults come, and when: every row of the matrix at least once, in an order of the seed's."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.chaos.faults import FAULTS, NEED_A_COMPILER, Fault
from tests.chaos.house import House


@dataclass(frozen=True, slots=True)
class Step:
    """A fault, and the seconds of peace after it."""

    fault: Fault
    pause: float


def planned(house: House, *, short: bool, only: str = "") -> list[Step]:
    """The same for the same seed. `only`: those whose names hold one of these words."""
    chance = random.Random(f"{house.seed}/{house.backend}")
    chosen = [
        each
        for fault in FAULTS
        if house.backend in (fault.short if short else fault.backends)
        if any(words in fault.name for words in only.split(","))
        for each in [fault] * (1 if short else fault.times)
        if house.disk or fault not in NEED_A_COMPILER
    ]
    chance.shuffle(chosen)
    return [Step(each, chance.uniform(0.5, 1.0 if short else 4.0)) for each in chosen]
