"""A game: did one doctor come within ten minutes? Two accounts watch the band of her room and say yes or no.

They are given more than they would have: how many others are there at every moment, and after each step
until when the band will stand. They choose where they themselves are. What they say is what is likelier.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from presence.bands import BANDS, BOUNDS, ROUND_SECONDS, SLOW_SECONDS, Held, moved

WINDOW_ROUNDS = int(600 / ROUND_SECONDS)

Others = Callable[[Random], list[int]]
"""How many are there without her, round by round: others, and the two accounts."""
Display = Callable[[Held, int, float, Random], Held]
"""What is shown a round later, of so many people."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A room before she may come: which band it shows, and who else is there."""

    name: str
    level: int
    others: Others


def still(people: int) -> Others:
    """Nobody else comes or goes, and the attackers know it."""
    return lambda _: [people] * WINDOW_ROUNDS


def to_and_fro(people: int) -> Others:
    """The two accounts go and come back every minute, to feel where the edge is."""
    return lambda _: [people + 2 * (n // 30 % 2) for n in range(WINDOW_ROUNDS)]


def busy(people: int) -> Others:
    """Others come and go, one every half a minute or so; the attackers count along."""

    def walk(random: Random) -> list[int]:
        counts, now = [], people
        for _ in range(WINDOW_ROUNDS):
            if random.random() < ROUND_SECONDS / 30:
                now = max(2, now + random.choice((-1, 1)))
            counts.append(now)
        return counts

    return walk


SCENES = (
    Scene("only the two, and she is the third", 0, still(2)),
    Scene("at the edge of the lowest band", 0, still(BOUNDS[0] + 1)),
    Scene("at the edge, above it", 1, still(BOUNDS[0] - 1)),
    Scene("to and fro over the edge", 0, to_and_fro(BOUNDS[0])),
    Scene("a busy evening", 1, busy(BOUNDS[1])),
)


# -- what may be shown ---------------------------------------------------------------------------


def ours(held: Held, people: int, now: float, random: Random) -> Held:
    """The product's."""
    return moved(held, people, now, random.uniform)


def at_once(held: Held, people: int, now: float, random: Random) -> Held:
    """A naive roster: the band of the count."""
    return Held(next(n for n, band in enumerate(BANDS) if band.max is None or people <= band.max))


def held_back(held: Held, people: int, now: float, random: Random) -> Held:
    """A better one, not good enough: with a margin, and after each step held for 30 to 120 seconds."""
    off = _off(held.level, people)
    if now < held.until or not off:
        return held
    return Held(held.level + (1 if off > 0 else -1), now + random.uniform(30, 120))


# -- the game ------------------------------------------------------------------------------------


def advantage(scene: Scene, display: Display, games: int, seed: int) -> float:
    """How much likelier "she came" is said when she came than when she did not; half of the games each."""
    random, said = Random(seed), [0, 0]
    for game in range(games):
        came = game % 2
        others, seen = _played(scene, display, bool(came), random)
        if display is ours:
            said[came] += _says_yes(others, seen)
        else:
            said[came] += _differs(scene, display, others, seen, random)
    return (said[1] - said[0]) / (games / 2)


def _played(
    scene: Scene, display: Display, came: bool, random: Random
) -> tuple[list[int], list[Held]]:
    """What the two know of the others, and what they see. Whoever came stays."""
    others = scene.others(random)
    comes = random.randrange(WINDOW_ROUNDS) if came else WINDOW_ROUNDS
    held, seen = Held(scene.level), []
    for n, people in enumerate(others):
        held = display(held, people + (n >= comes), n * ROUND_SECONDS, random)
        seen.append(held)
    return others, [Held(scene.level), *seen]


def _differs(
    scene: Scene, display: Display, others: Sequence[int], seen: Sequence[Held], random: Random
) -> bool:
    """For what follows the count at once or soon: would it stand where it does without her?"""
    held = Held(scene.level)
    for n, people in enumerate(others):
        held = display(held, people, n * ROUND_SECONDS, random)
    return held.level != seen[-1].level


def _says_yes(others: Sequence[int], seen: Sequence[Held]) -> bool:
    """Is it likelier with her, come at any moment, than without? By the product's own odds.

    What could not be of the others alone says yes at once.
    """
    with_her, total = 0.0, -math.inf
    for n in reversed(range(len(others))):
        before, after, people = seen[n], seen[n + 1], others[n]
        if after is not before or n * ROUND_SECONDS >= before.until:
            without, within = _odds(before, after, people), _odds(before, after, people + 1)
            if without == 0:
                return True
            with_her += math.log(within / without) if within else -math.inf
        total = _added(total, with_her)
    return total > math.log(len(others))


def _odds(before: Held, after: Held, people: int) -> float:
    """How likely this step, or none, is with so many people once the band no longer has to stand."""
    off, step = _step(before.level, people)
    if after.level == before.level:
        return 1 - step
    return step if (after.level > before.level) == (off > 0) else 0.0


@cache
def _step(level: int, people: int) -> tuple[int, float]:
    off = _off(level, people)
    return off, -math.expm1(-abs(off) * ROUND_SECONDS / SLOW_SECONDS)


def _off(level: int, people: int) -> int:
    """Reckoned anew from what docs/anonymity.md says, not taken from the product."""
    if level < len(BOUNDS):
        bound = BOUNDS[level]
        if people > bound + max(1, bound // 10):
            return people - bound - max(1, bound // 10)
    if level > 0:
        bound = BOUNDS[level - 1]
        if people <= bound - max(1, bound // 10):
            return people - (bound + 1 - max(1, bound // 10))
    return 0


def _added(a: float, b: float) -> float:
    """log(exp a + exp b)."""
    if -math.inf in (a, b):
        return max(a, b)
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))
