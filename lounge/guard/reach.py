"""How much of a text a recogniser looks at: what lies behind is refused, never let through unread."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lounge.guard.span import Span

UNREAD = "unread"


class OutOfReachError(Exception):
    """A recogniser stops: from code point `at` on nobody has looked."""

    def __init__(self, at: int) -> None:
        super().__init__("too much to look at")
        self.at = at


def within(found: Iterable[re.Match[str]], most: int) -> Iterator[re.Match[str]]:
    """The first `most` of them. Raises OutOfReachError with the place of the next, if there is one."""
    for number, each in enumerate(found):
        if number == most:
            raise OutOfReachError(each.start())
        yield each


def told(found: Iterable[Span], length: int) -> Iterator[Span]:
    """What a recogniser finds, and what it leaves unread of a text of that length."""
    try:
        yield from found
    except OutOfReachError as stopped:
        yield Span(stopped.at, length, UNREAD, f"guard.{UNREAD}")
