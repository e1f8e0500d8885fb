"""The escalation policy of a role: who is alerted in which step, and how long each waits. Pure."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from lounge.errors import Code, Refusal
from storage.consults import NOW, ROUTINE, TODAY

EVERYONE = "everyone"
"""In `to`: all who are on now, in whatever layer, and every other member of the role."""
SLOWER = {NOW: 1, TODAY: 5, ROUTINE: 15}
"""What is less urgent waits so many times as long."""
MOST_STEPS, MOST_ROUNDS = 10, 5
SHORTEST_S, LONGEST_S = 5, 24 * 3600
SHORTEST_REPEAT_S, MOST_REPEATS = 60, 20
"""Each repeat rings on every way of everybody in the step, some of which cost money."""


class Step(msgspec.Struct, frozen=True):
    """Alert the doctors of these layers, again every `repeat_s`, and wait for `wait_s` seconds.

    `everyone`: each of them must acknowledge; the first who accepts is who answers.
    """

    to: tuple[str, ...]
    wait_s: int
    repeat_s: int | None = None
    everyone: bool = False


class Policy(msgspec.Struct, frozen=True):
    """The steps, gone through so many times."""

    steps: tuple[Step, ...]
    rounds: int = 1

    @property
    def all(self) -> tuple[Step, ...]:
        """Every step, round after round: a page counts its own from 0 in this."""
        return self.steps * self.rounds


DEFAULT = Policy((Step(("primary",), 120), Step(("secondary",), 120), Step((EVERYONE,), 300)))


def checked(policy: Policy, layers: Collection[str]) -> Policy:
    """The same policy. Raises Refusal INVALID, with the field, for one that nobody could follow."""
    if not 1 <= len(policy.steps) <= MOST_STEPS:
        raise Refusal(Code.INVALID, "refusal.policy_steps", field="steps", most=MOST_STEPS)
    if not 1 <= policy.rounds <= MOST_ROUNDS:
        raise Refusal(Code.INVALID, "refusal.policy_rounds", field="rounds", most=MOST_ROUNDS)
    for step in policy.steps:
        _check(step, layers)
    return policy


def for_urgency(policy: Policy, urgency: str) -> Policy:
    """With the waits that a page of that urgency has."""
    times = SLOWER[urgency]
    return Policy(tuple(_slower(step, times) for step in policy.steps), policy.rounds)


def encode(policy: Policy) -> str:
    """As JSON, to be kept."""
    return msgspec.json.encode(policy).decode()


def decode(kept: str) -> Policy:
    """The same back."""
    return msgspec.json.decode(kept, type=Policy)


def _check(step: Step, layers: Collection[str]) -> None:
    if not step.to or set(step.to) - {*layers, EVERYONE}:
        raise Refusal(Code.INVALID, "refusal.policy_layer", field="to")
    _check_seconds("wait_s", step.wait_s, SHORTEST_S)
    if step.repeat_s is not None:
        least = max(SHORTEST_REPEAT_S, step.wait_s // (MOST_REPEATS + 1) + 1)
        _check_seconds("repeat_s", step.repeat_s, least)


def _check_seconds(field: str, seconds: int, least: int) -> None:
    if not least <= seconds <= LONGEST_S:
        raise Refusal(Code.INVALID, "refusal.policy_wait", field=field, least=least, most=LONGEST_S)


def _slower(step: Step, times: int) -> Step:
    repeat = None if step.repeat_s is None else step.repeat_s * times
    return Step(step.to, step.wait_s * times, repeat, step.everyone)
