"""A page accepted formally: names and numbers of the two to each other, and to nobody else.

They go as letters in the act of accepting and are in no entry and no row of the lounge store. In the thread
of the two, one's own verified number passes the privacy guard: that number only, and there only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber

from lounge.guard import Span, examine
from lounge.keys import Keys
from lounge.notices import letter
from lounge.oncall.roles import Role
from storage import pages
from storage.acts import Letter
from storage.database import Database
from storage.pages import PAGE, Page

Number = Callable[[str], Awaitable[str | None]]
"""The number of a doctor's that she has verified, as E.164."""
_IN_PLACE = "x"  # as long as what it stands for, so that places in a text stay; no digit, no sign


class Formal:
    """What accepting formally exchanges. May raise StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        keys: Keys,
        real_name: Callable[[str], Awaitable[str]],
        role_of: Callable[[str], Awaitable[Role | None]],
        number: Number,
    ) -> None:
        """`real_name` of a doctor's id, `role_of` a role's; `number` of a doctor's."""
        self._database = database
        self._keys = keys
        self._real_name = real_name
        self._role_of = role_of
        self._number = number

    async def letters(self, page: Page, asker_id: str, acceptor_id: str) -> tuple[Letter, ...]:
        """For the act by which both have agreed: each is told the other's name and number, and the asker
        of which service.
        """
        role = await self._role_of(page.role) if page.kind == PAGE else None
        service = None if role is None else role.service
        to_asker = await self._card(page.slug, acceptor_id, service)
        to_acceptor = await self._card(page.slug, asker_id, None)
        return (
            letter(self._keys, asker_id, to_asker),
            letter(self._keys, acceptor_id, to_acceptor),
        )

    async def spared(self, doctor_id: str, room_id: str, text: str) -> str:
        """What of `text` is for the guard to look at in the thread of a page: places stay as they are.

        All of it, unless the page was accepted formally: then not her own verified number.
        """
        async with self._database.reading() as connection:
            found = (await pages.by_slug(connection, [room_id])).get(room_id)
        if found is None or not found.formal or found.accepted is None:
            return text
        number = await self._number(doctor_id)
        return text if number is None else without(text, number)

    async def _card(self, room: str, doctor_id: str, service: str | None) -> dict[str, object]:
        number = await self._number(doctor_id)
        told = {"notice": "page_formal", "about": room, "name": await self._real_name(doctor_id)}
        more = {"service": service, "number": shown(number) if number else None}
        return {**told, **{name: value for name, value in more.items() if value}}


def shown(number: str) -> str:
    """A number as one reads it, with its country's code."""
    parsed = _parsed(number)
    if parsed is None:
        return number
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def without(text: str, number: str) -> str:
    """The text with this number, wherever the guard holds it, made unreadable; as long as before."""
    own = _parsed(number)
    for span in examine(text).spans:
        written = text[span.start : span.end]
        if own is not None and _is(written, own) and _stands_alone(text, span):
            text = text[: span.start] + _IN_PLACE * len(written) + text[span.end :]
    return text


def _is(written: str, number: PhoneNumber) -> bool:
    """Also without its country's code, as one writes it there; never with an extension."""
    region = phonenumbers.region_code_for_number(number)
    return _parsed(written, region) == number


def _stands_alone(text: str, span: Span) -> bool:
    """What runs on is another number that begins or ends as hers does."""
    around = text[max(0, span.start - 1) : span.start] + text[span.end : span.end + 1]
    return not any(sign.isdigit() for sign in around)


def _parsed(number: str, region: str | None = None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, region)
    except NumberParseException:
        return None
