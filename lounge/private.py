"""`me`: each doctor's own log, read and followed like any room.

Inside the process and on the bus it goes by a keyed name, so that no doctor's id leaves the house.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence, Set

import msgspec

from channels.bus import Hint
from channels.log import Page
from channels.ring import Item
from lounge.doctors import Doctor
from lounge.events import By, NoticeEvent, encode, optional, rfc3339
from lounge.keys import Keys
from lounge.notices import Notice, Notices

ROOM = "me"
PREFIX = "me/"


class PrivateLogs:
    """Knows which doctors of this process follow their log, and reads it for the hub."""

    def __init__(self, keys: Keys, notices: Notices, tell: Callable[[Hint], None]) -> None:
        self._key = keys.identity.subkey("private log")
        self._notices = notices
        self._tell = tell
        self._doctors: dict[str, str] = {}

    def name_of(self, doctor: Doctor) -> str:
        """What the hub and the bus call this doctor's log."""
        name = self._name(doctor.id)
        self._doctors[name] = doctor.id
        return name

    def names(self) -> list[str]:
        return list(self._doctors)

    def forget(self, live: Set[str]) -> None:
        """Keep only the logs that somebody follows."""
        self._doctors = {name: doctor for name, doctor in self._doctors.items() if name in live}

    async def delivered(self, doctor_id: str, notices: Sequence[Notice]) -> None:
        """The relay has carried letters into a log."""
        items = tuple(_item(notice) for notice in notices)
        self._tell(Hint(self._name(doctor_id), items[-1].seq, items[-1].count, items))

    async def after(self, name: str, seq: int, limit: int) -> Page:
        """Notices that follow `seq`."""
        doctor_id = self._doctors[name]
        head = await self._notices.head(doctor_id)
        found = await self._notices.page(doctor_id, after=seq, limit=limit)
        return Page([_item(notice) for notice in found], head, head)

    async def tail(self, name: str, limit: int) -> Page:
        """The newest notices."""
        doctor_id = self._doctors[name]
        head = await self._notices.head(doctor_id)
        found = await self._notices.page(doctor_id, before=head + 1, limit=limit)
        return Page([_item(notice) for notice in found], head, head)

    async def before(self, name: str, seq: int, limit: int) -> Page:
        """The notices that precede `seq`, ascending."""
        doctor_id = self._doctors[name]
        head = await self._notices.head(doctor_id)
        found = await self._notices.page(doctor_id, before=seq, limit=limit)
        return Page([_item(notice) for notice in found], head, head)

    async def heads(self) -> dict[str, int]:
        """The head of each log that is followed here."""
        doctors = dict(self._doctors)
        bounds = await self._notices.all_bounds(set(doctors.values()))
        return {name: bounds[doctor].head for name, doctor in doctors.items() if doctor in bounds}

    def _name(self, doctor_id: str) -> str:
        return PREFIX + hmac.digest(self._key, doctor_id.encode(), hashlib.sha256)[:16].hex()


_OF_PAGES = (
    *("way", "role", "service", "specialty", "urgency", "text"),
    *("formal", "layer", "phase", "own", "number", "code"),
)


def _item(notice: Notice) -> Item:
    said = notice.notice
    event = NoticeEvent(
        room=ROOM,
        seq=notice.seq,
        id=notice.id,
        at=rfc3339(notice.at),
        notice=str(said["notice"]),
        about=optional(said.get("about")),
        target=optional(said.get("target")),
        reason=optional(said.get("reason")),
        name=optional(said.get("name")),
        talk=optional(said.get("talk")),
        by=msgspec.convert(said["by"], By) if "by" in said else msgspec.UNSET,
        starts=optional(rfc3339(int(str(said["starts"]))) if said.get("starts") else None),
        until=optional(rfc3339(int(str(said["until"]))) if said.get("until") else None),
        **{name: said[name] for name in _OF_PAGES if said.get(name) is not None},  # type: ignore[arg-type]
    )
    rewritten = said.get("rewrites")
    about = rewritten if isinstance(rewritten, int) else None
    return Item(notice.seq, notice.id, notice.seq, encode(event), about)
