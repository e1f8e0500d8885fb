"""One's own shifts as iCalendar (RFC 5545), for the calendar that a doctor looks at anyway."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event

from lounge.oncall.feeds import OwnShift
from lounge.words import say

MEDIA_TYPE = "text/calendar; charset=utf-8"
LOOKED_AT = timedelta(hours=1)
"""How often a calendar program is asked to look again."""
_PRODUCT = "-//Lounge//On call//EN"
_SHIFTS = uuid.UUID("6f0d3c5e-6b0b-5a57-9b4e-0c7a2f1f6d11")


def feed(own: Iterable[OwnShift], language: str, now: int) -> bytes:
    """These shifts, in UTC, so that no program needs to know the zone's rules; `now` in ms.

    It names nobody: whoever reads it is on call.
    """
    calendar = Calendar.new(
        uid=_SHIFTS,
        prodid=_PRODUCT,
        method="PUBLISH",
        name=say("calendar.name", language),
        subcomponents=[_event(each, language, now) for each in own],
    )
    calendar.add("REFRESH-INTERVAL", LOOKED_AT, {"VALUE": "DURATION"})  # RFC 7986 wants the type
    return bytes(calendar.to_ical())


def _event(own: OwnShift, language: str, now: int) -> Event:
    role, shift = own.role, own.shift
    words = {"service": role.service, "role": role.name, "layer": shift.layer}
    return Event.new(
        uid=uuid.uuid5(_SHIFTS, f"{role.id} {shift.layer} {shift.starts}"),
        stamp=_utc(now),
        start=_utc(shift.starts),
        end=_utc(shift.ends),
        summary=say("calendar.shift", language, **words),
        description=say("calendar.what", language, **words),
    )


def _utc(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)
