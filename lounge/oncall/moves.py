"""How a page moves: what tells of it, what guards it, what is due about it afterwards. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lounge.drafts import draft
from lounge.oncall import policy
from storage import due, pages
from storage.acts import Draft, Letter, Step
from storage.pages import OPENING_SEQ, Page

STEP, REPEAT, MORNING, CLOSE = "page.step", "page.repeat", "page.morning", "page.close"
SILENCE = "page.silence"
"""Kinds of what is due about a page."""
OPEN_MS = 24 * 3_600_000
"""A page that was accepted closes by itself after that long."""
SILENT_MS = 5 * 60_000
"""Whoever accepted and says nothing for so long at *now*, longer at less: the asker is told whom to call."""
ATTEMPTS = 60
"""As for other acts: many may mark, decline and accept at once."""


class OnDuty(Protocol):
    """Whom a page may be put to just now."""

    @property
    def next(self) -> int | None:
        """When somebody is, in ms, if nobody is now."""
        ...

    def of(self, layers: Collection[str]) -> Mapping[str, str | None]:
        """The doctors of these layers, each with the one in which she is alerted."""
        ...


@dataclass(frozen=True, slots=True)
class Moved:
    """How a page stands after a move, what its act does besides, and when somebody is on duty again."""

    now: Page
    steps: tuple[Step, ...]
    letters: tuple[Letter, ...] = ()
    next: int | None = None


class Nobody:
    """On a role that there is no more."""

    next = None

    def of(self, layers: Collection[str]) -> Mapping[str, str | None]:
        return {}


# -- what tells of it, and guards it -------------------------------------------------------------


def update(now: Page) -> Draft:
    """The entry by which a page is told to stand so."""
    return draft("page.update", {"state": pages.state_of(now)}, target=OPENING_SEQ)


def is_told(was: Page, now: Page) -> bool:
    """Whether it is shown to stand otherwise."""
    return pages.state_of(was) != pages.state_of(now)


def changed(was: Page, now: Page) -> Step:
    """Guard and change: from exactly how it was to how it is now."""
    values: dict[str, Any] = {
        name: getattr(now, name)
        for name in Page.__dataclass_fields__
        if getattr(now, name) != getattr(was, name)
    }
    return pages.changing(was, **values)[1]


# -- what is due ---------------------------------------------------------------------------------


def waits(page: Page) -> Step:
    """Change: it is sent when it has waited long enough."""
    assert page.until is not None
    return due.add(f"{MORNING} {page.slug}", MORNING, page.slug, page.until)


def goes_on(page: Page) -> tuple[Step, ...]:
    """Changes: the next step is due when this one's wait is over, and no reminder of an earlier one."""
    assert page.next is not None
    following = due.add(_step_id(page.slug, page.step + 1), STEP, page.slug, page.next)
    return due.forget(REPEAT, page.slug), following


def hastened(page: Page, now: int) -> Step:
    """Change: the next step is taken at once."""
    return due.sooner(_step_id(page.slug, page.step + 1), now)


def repeats(page: Page, count: int, since: int) -> tuple[Step, ...]:
    """Change: the `count`-th reminder of this step, unless the next step comes before it."""
    stage = policy.decode(page.policy).all[page.step]
    ends = page.next or (page.accepted or since) + stage.wait_s * 1000
    at = since + (stage.repeat_s or 0) * 1000
    if stage.repeat_s is None or at >= ends:
        return ()
    return (due.add(f"{REPEAT} {page.slug} {page.step} {count}", REPEAT, page.slug, at),)


def accepted(page: Page, now: int) -> tuple[Step, ...]:
    """Changes: nothing escalates any more, and some time it closes by itself."""
    reminds = page.wanted is not None and page.acknowledged < page.wanted
    ends = due.add(f"{CLOSE} {page.slug}", CLOSE, page.slug, now + OPEN_MS)
    silent = now + SILENT_MS * policy.SLOWER[page.urgency]
    asks = due.add(f"{SILENCE} {page.slug}", SILENCE, page.slug, silent)
    kinds = (STEP,) if reminds else (STEP, REPEAT)
    return (*(due.forget(kind, page.slug) for kind in kinds), asks, ends)


def ended(page: Page) -> tuple[Step, ...]:
    """Changes: nothing is due about it any more."""
    kinds = (STEP, REPEAT, MORNING, SILENCE, CLOSE)
    return tuple(due.forget(kind, page.slug) for kind in kinds)


def _step_id(slug: str, number: int) -> str:
    return f"{STEP} {slug} {number}"
