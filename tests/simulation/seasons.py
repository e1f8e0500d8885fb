"""Seasons: how likely each thing is to happen next. A seed belongs to one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Action = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Season:
    """`actions` by name and weight, on top of what always goes on."""

    name: str
    doubled: float = 0.1
    dropped: float = 0.1
    store_fails: float = 0.01
    reads_fail: float = 0.01
    about: float = 0.4
    """How much of what is said changes something that was said before."""
    weights: dict[str, int] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)

    def furnish(self, world: type) -> None:
        """Look its actions up by name."""
        for name, weight in {**ALWAYS, **self.weights}.items():
            self.actions.extend([getattr(world, name)] * weight)


ALWAYS = {
    "turn": 44,
    "work": 48,
    "read": 24,
    "look": 12,
    "deliver": 24,
    "tick": 8,
    "say": 24,
    "receive": 32,
    "part": 3,
    "stall": 2,
    "flow": 6,
    "start": 2,
    "go_on": 4,
    "sweep": 1,
    "revoke": 1,
    "set_clock": 1,
}
SEASONS = [
    Season("calm"),
    Season("lossy", doubled=0.3, dropped=0.5, weights={"part": 6}),
    Season("crashes", weights={"crash": 4, "start": 8}),
    Season("faults", store_fails=0.12, reads_fail=0.1, weights={"lock": 8}),
    Season("pauses", weights={"stop": 3, "jump": 3, "go_on": 4, "revoke": 3, "sweep": 4}),
    Season("restores", weights={"back_up": 6, "restore": 3, "prune": 3, "look": 8}),
    Season("slow", about=0.75, weights={"stall": 10, "receive": 8, "part": 8, "prune": 1}),
    Season("late reads", about=0.7, weights={"read": 9, "receive": 40, "part": 8, "sweep": 0}),
    Season(
        "everything",
        doubled=0.2,
        dropped=0.3,
        store_fails=0.05,
        reads_fail=0.03,
        weights={"crash": 2, "start": 4, "stop": 1, "jump": 1, "lock": 2, "revoke": 1, "restore": 1}
        | {"back_up": 2, "prune": 1, "part": 3, "stall": 2},
    ),
]
