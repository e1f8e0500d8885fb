"""A room's log as others read it: entries from SQL become events, live or looked back at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from channels.log import Page
from channels.ring import Item
from lounge.errors import Code, Refusal
from lounge.events import (
    Caution,
    Cell,
    ConsultCardEvent,
    ConsultDecidedEvent,
    ConsultMergeEvent,
    ConsultOpenEvent,
    ConsultOutcomeEvent,
    ConsultRevealEvent,
    ConsultState,
    ConsultUpdateEvent,
    EditEvent,
    EndEvent,
    Event,
    Hidden,
    ModCautionEvent,
    ModCloseEvent,
    Mode,
    ModHideEvent,
    ModModeEvent,
    ModPinEvent,
    ModRestoreEvent,
    Office,
    Opinion,
    PageOpenEvent,
    PageStamps,
    PageState,
    PageUpdateEvent,
    PageWidenedEvent,
    PollCloseEvent,
    PollCountEvent,
    PollOpenEvent,
    Pooled,
    ReactEvent,
    RedactEvent,
    Role,
    SayEvent,
    TombstoneEvent,
    Version,
    WithdrawEvent,
    encode,
    optional,
    rfc3339,
)
from lounge.personas import by, decode_badge, wire_id
from lounge.private import PREFIX, PrivateLogs
from storage import entries
from storage.acts import Draft, Placed
from storage.database import Database
from storage.entries import Entry, Head
from storage.writer import Commit

PAGE_BYTES = 112 * 1024  # beside what else may wait for a client that takes its time


@dataclass(frozen=True, slots=True)
class Stretch:
    """A page of a room's past, ascending, as JSON; `more` when not all that was asked for fitted."""

    events: Sequence[bytes]
    oldest: int
    head: int
    more: bool


class Transcript:
    """Reads rooms from SQL. Names that start with `me/` are doctors' private logs."""

    def __init__(self, database: Database, private: PrivateLogs) -> None:
        self._database = database
        self._private = private

    async def after(self, room: str, seq: int, limit: int) -> Page:
        """Entries that follow `seq`, for the hub."""
        if room.startswith(PREFIX):
            return await self._private.after(room, seq, limit)
        return await self._after(room, seq, limit, dated=False)

    async def tail(self, room: str, limit: int) -> Page:
        """The newest entries, for the hub."""
        if room.startswith(PREFIX):
            return await self._private.tail(room, limit)
        async with self._database.reading() as connection:
            head = await _head(connection, room)
            found = await entries.before(connection, head, head.seq + 1, limit)
            return _page(found, head, dated=False)

    async def stretch(
        self,
        room: str,
        *,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        limit: int = 50,
    ) -> Stretch:
        """Up to `limit` entries before or after a seq (exclusive) or around one (inclusive)."""
        if [before, after, around].count(None) != 2:
            raise Refusal(Code.INVALID, "refusal.one_of", field="before, after, around")
        if before is not None:
            return _stretch(await self.before(room, before, limit), before)
        if after is not None:
            return _stretch(await self._looked_at(room, after, limit), after)
        middle = around or 0
        start = max(0, middle - (limit - 1) // 2 - 1)
        return _stretch(await self._looked_at(room, start, limit), middle)

    async def before(self, room: str, seq: int, limit: int) -> Page:
        """Entries that precede `seq`, ascending."""
        if room.startswith(PREFIX):
            return await self._private.before(room, seq, limit)
        async with self._database.reading() as connection:
            head = await _head(connection, room)
            return _page(await entries.before(connection, head, seq, limit), head, dated=True)

    async def at(self, room: str, seqs: Sequence[int]) -> Page:
        """Just these entries as they stand."""
        async with self._database.reading() as connection:
            head = await _head(connection, room)
            return _page(await entries.at(connection, head, seqs), head, dated=True)

    async def count_at(self, room: str, seq: int) -> int:
        """How many says the room had at `seq`."""
        if room.startswith(PREFIX):
            return seq
        async with self._database.reading() as connection:
            head = await _head(connection, room)
            return await entries.says_at(connection, head.id, seq)

    async def seq_of_say(self, room: str, count: int) -> int:
        """Where the room's `count`-th say is."""
        if room.startswith(PREFIX):
            return count
        async with self._database.reading() as connection:
            head = await _head(connection, room)
            return await entries.seq_of_say(connection, head.id, count)

    async def id_at(self, room: str, seq: int) -> str | None:
        """The id of the entry at `seq`, None when there is none."""
        page = await self.after(room, seq - 1, 1)
        return page.items[0].id if page.items and page.items[0].seq == seq else None

    async def _looked_at(self, room: str, seq: int, limit: int) -> Page:
        if room.startswith(PREFIX):
            return await self._private.after(room, seq, limit)
        return await self._after(room, seq, limit, dated=True)

    async def _after(self, room: str, seq: int, limit: int, *, dated: bool) -> Page:
        async with self._database.reading() as connection:
            head = await _head(connection, room)
            return _page(await entries.after(connection, head, seq, limit), head, dated=dated)


def committed(commit: Commit) -> list[Item]:
    """What was just committed, as the hub carries it."""
    pairs = zip(commit.drafts, commit.placed, strict=True)
    return [item(as_event(_entry(commit, draft, at)), at.says) for draft, at in pairs]


def item(event: Event, count: int) -> Item:
    """An event as the hub carries it."""
    return Item(
        seq=event.seq,
        id=event.id,
        count=count,
        payload=encode(event),
        about=event.target if isinstance(event, _ABOUT) else None,
        rewrites=isinstance(event, _REWRITES),
    )


def as_event(entry: Entry, *, dated: bool = False) -> Event:
    """An entry as it stands at `entry.as_of`.

    Looked back at, it is `dated` when that may be later than itself. In the stream every later entry
    follows it, so it says so only when something was folded in: bytes are then the same for all.
    """
    place: dict[str, Any] = {
        "room": entry.room,
        "seq": entry.seq,
        "id": entry.id,
        "at": rfc3339(entry.at),
    }
    if entry.body is None:
        return TombstoneEvent(**place, hidden=_hidden(entry))
    return _MAKERS[entry.kind](entry, place, dated)


def _say(entry: Entry, place: dict[str, Any], dated: bool) -> Event:
    assert entry.body is not None
    return SayEvent(
        **place,
        by=_by(entry),
        text=entry.body["text"],
        reply_to=optional(entry.target),
        sort=optional(entry.body.get("sort")),
        edited=optional(entry.edited),
        versions=optional([Version(rfc3339(was.at), was.text) for was in entry.versions] or None),
        withdrawn=optional(entry.withdrawn),
        reactions=optional(dict(entry.reactions)),
        caution=_caution(entry),
        as_of=_as_of(entry, dated or _is_folded(entry)),
    )


def _is_folded(entry: Entry) -> bool:
    return bool(entry.edited or entry.reactions or entry.withdrawn or entry.caution)


def _caution(entry: Entry) -> Any:
    told = entry.caution
    return Caution(told["doctors"], told["why"]) if told and told["doctors"] else UNSET


def _hidden(entry: Entry) -> Any:
    """Its author's id, so that her own client knows it for hers."""
    if entry.hidden is None:
        return UNSET
    author = UNSET if entry.persona is None else wire_id(entry.persona)
    told = entry.hidden
    return Hidden(told["role"], told["reason"], optional(told.get("pending")), author)


def _edit(entry: Entry, place: dict[str, Any], dated: bool) -> Event:
    assert entry.body is not None
    return EditEvent(
        **place,
        by=_by(entry),
        target=entry.target or 0,
        text=entry.body["text"],
        as_of=_as_of(entry, dated),
    )


def _as_of(entry: Entry, said: bool) -> Any:
    return optional(entry.as_of if said and entry.as_of > entry.seq else None)


def _withdraw(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    assert entry.body is not None
    reason = optional(entry.body.get("reason"))
    return WithdrawEvent(**place, by=_by(entry), target=entry.target or 0, reason=reason)


def _redact(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    assert entry.body is not None
    return RedactEvent(
        **place,
        by=Role(entry.body["role"]),
        target=entry.target or 0,
        reason=optional(entry.body.get("reason")),
    )


def _react(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    assert entry.body is not None
    return ReactEvent(
        **place, target=entry.target or 0, emoji=entry.body["emoji"], on=entry.body["on"]
    )


def _end(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    return EndEvent(**place, by=_by(entry))


def _consult_open(entry: Entry, place: dict[str, Any], dated: bool) -> Event:
    body = entry.body
    assert body is not None
    return ConsultOpenEvent(
        **place,
        by=_by(entry),
        question=body["question"],
        decision=optional(body.get("decision")),
        age=optional(body.get("age")),
        sex=optional(body.get("sex")),
        presentation=optional(body.get("presentation")),
        findings=optional(body.get("findings")),
        tried=optional(body.get("tried")),
        urgency=body["urgency"],
        specialties=body["specialties"],
        closes=rfc3339(body["closes"]),
        enough=body["enough"],
        state=_state(body),
        as_of=_as_of(entry, dated or entry.folded),
    )


def _consult_card(entry: Entry, place: dict[str, Any], dated: bool) -> Event:
    body = entry.body
    assert body is not None
    return ConsultCardEvent(
        **place,
        by=_by(entry),
        consult=body["consult"],
        question=body["question"],
        urgency=body["urgency"],
        specialties=body["specialties"],
        closes=rfc3339(body["closes"]),
        state=_state(body),
        as_of=_as_of(entry, dated or entry.folded),
    )


def _consult_update(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    assert entry.body is not None
    return ConsultUpdateEvent(**place, target=entry.target or 0, state=_state(entry.body))


def _consult_reveal(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    return ConsultRevealEvent(**place, **_views(entry))


def _consult_merge(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    return ConsultMergeEvent(**place, **_views(entry))


def _views(entry: Entry) -> dict[str, Any]:
    body = entry.body
    assert body is not None
    return {
        "opinions": body["opinions"],
        "pool": msgspec.convert(body["pool"], list[Pooled]),
        "cells": optional(msgspec.convert(body.get("cells"), list[Cell] | None)),
        "single": optional(msgspec.convert(body.get("single"), list[Opinion] | None)),
    }


def _consult_decided(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    body = entry.body
    assert body is not None
    return ConsultDecidedEvent(**place, by=_by(entry), text=body["text"], helped=body["helped"])


def _consult_outcome(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    assert entry.body is not None
    return ConsultOutcomeEvent(**place, by=_by(entry), text=entry.body["text"])


def _poll_open(entry: Entry, place: dict[str, Any], dated: bool) -> Event:
    body = entry.body
    assert body is not None
    return PollOpenEvent(
        **place,
        by=_by(entry),
        question=body["question"],
        choices=body["choices"],
        multiple=body["multiple"],
        final=body["final"],
        shown=body["shown"],
        closes=rfc3339(body["closes"]) if "closes" in body else UNSET,
        votes=optional(body.get("votes")),
        counts=optional(body.get("counts")),
        closed=optional(body.get("closed")),
        as_of=_as_of(entry, dated or entry.folded),
    )


def _poll_count(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    assert entry.body is not None
    return PollCountEvent(**place, target=entry.target or 0, votes=entry.body["votes"])


def _poll_close(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    body = entry.body
    assert body is not None
    return PollCloseEvent(
        **place, target=entry.target or 0, votes=body["votes"], counts=body["counts"]
    )


def _page_open(entry: Entry, place: dict[str, Any], dated: bool) -> Event:
    body = entry.body
    assert body is not None
    told = ("role", "service", "name", "specialty", "number", "overridden")
    about: dict[str, Any] = {name: body[name] for name in told if body.get(name)}
    return PageOpenEvent(
        **place,
        by=_by(entry),
        way=body["way"],
        text=body["text"],
        urgency=body["urgency"],
        **about,
        state=page_state(body["state"]),
        as_of=_as_of(entry, dated or entry.folded),
    )


def _page_update(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    assert entry.body is not None
    state = page_state(entry.body["state"])
    return PageUpdateEvent(**place, target=entry.target or 0, state=state)


def _page_widened(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    assert entry.body is not None
    return PageWidenedEvent(**place, consult=entry.body["consult"])


def _mod_hide(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    body = entry.body
    assert body is not None
    pending = optional(body.get("pending"))
    return ModHideEvent(**place, **_modded(entry), reason=body["reason"], pending=pending)


def _mod_restore(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    assert entry.body is not None
    reason = optional(entry.body.get("reason"))
    return ModRestoreEvent(**place, **_modded(entry), reason=reason)


def _mod_caution(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    body = entry.body
    assert body is not None
    return ModCautionEvent(**place, **_modded(entry), doctors=body["doctors"], why=body["why"])


def _mod_mode(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    body = entry.body
    assert body is not None
    mode = Mode(body["slow"], body["frozen"])
    reason = optional(body.get("reason"))
    return ModModeEvent(**place, by=Office(body["role"]), mode=mode, reason=reason)


def _mod_pin(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    assert entry.body is not None
    return ModPinEvent(**place, **_modded(entry), on=entry.body["on"])


def _mod_close(entry: Entry, place: dict[str, Any], _: bool) -> Event:
    assert entry.body is not None
    return ModCloseEvent(**place, by=Office(entry.body["role"]), reason=entry.body["reason"])


def _modded(entry: Entry) -> dict[str, Any]:
    """What is true of every act about an entry: which one, and in which capacity."""
    assert entry.body is not None
    return {"target": entry.target or 0, "by": Office(entry.body["role"])}


def page_state(told: dict[str, Any]) -> PageState:
    """From `storage.pages.state_of`: times as on the wire."""
    stamps: dict[str, Any] = {name: rfc3339(at) for name, at in told["stamps"].items()}
    times: dict[str, Any] = {
        name: rfc3339(told[name]) for name in ("until", "next") if name in told
    }
    return PageState(**(told | times | {"stamps": PageStamps(**stamps)}))


def _state(body: dict[str, Any]) -> ConsultState:
    told = body["state"]
    return ConsultState(told["phase"], told["opinions"], optional(told.get("withdrawn")))


def _by(entry: Entry) -> Any:
    assert entry.persona is not None
    return by(entry.persona, entry.face or "anonymous", decode_badge(entry.badge), entry.name)


def _entry(commit: Commit, draft: Draft, placed: Placed) -> Entry:
    return Entry(
        room=commit.room,
        seq=placed.seq,
        id=placed.id,
        kind=draft.kind,
        at=placed.at,
        persona=draft.persona,
        face=draft.face,
        badge=draft.badge,
        name=commit.name or draft.name,
        target=draft.target,
        says=placed.says,
        edited=None,
        redacted=None,
        body=json.loads(draft.body),
        reactions=(),
        as_of=placed.seq,
    )


def _page(found: Sequence[Entry], head: Head, *, dated: bool) -> Page:
    return Page(
        [item(as_event(each, dated=dated), each.says) for each in found],
        head.seq,
        head.says,
        head.oldest,
    )


def _stretch(page: Page, near: int) -> Stretch:
    """As many as fit, from the entry nearest to seq `near` outwards; at least that one."""
    payloads = [each.payload for each in page.items]
    low = min(sum(each.seq < near for each in page.items), max(0, len(payloads) - 1))
    high = low + 1
    size = sum(map(len, payloads[low:high]))
    grows = True
    while grows:
        grows = False
        for at in (high, low - 1):
            if 0 <= at < len(payloads) and size + len(payloads[at]) + 1 <= PAGE_BYTES:
                size += len(payloads[at]) + 1
                low, high, grows = min(low, at), max(high, at + 1), True
    kept = payloads[low:high]
    return Stretch(kept, page.oldest, page.head, more=len(kept) < len(page.items))


async def _head(connection: Any, room: str) -> Head:
    found = await entries.heads(connection, [room])
    return found[0] if found else Head(0, room, 0, 1, 0)


_ABOUT = (
    EditEvent
    | WithdrawEvent
    | RedactEvent
    | ReactEvent
    | ConsultUpdateEvent
    | PollCountEvent
    | PollCloseEvent
    | PageUpdateEvent
    | ModHideEvent
    | ModRestoreEvent
    | ModCautionEvent
)
"""Those after which an earlier entry is served otherwise."""
_REWRITES = EditEvent | RedactEvent | ModHideEvent | ModRestoreEvent
"""Those after which so are the other entries about it."""
_MAKERS = {
    "say": _say,
    "edit": _edit,
    "withdraw": _withdraw,
    "redact": _redact,
    "react": _react,
    "end": _end,
    "consult.open": _consult_open,
    "consult.card": _consult_card,
    "consult.update": _consult_update,
    "consult.reveal": _consult_reveal,
    "consult.merge": _consult_merge,
    "consult.decided": _consult_decided,
    "consult.outcome": _consult_outcome,
    "poll.open": _poll_open,
    "poll.count": _poll_count,
    "poll.close": _poll_close,
    "page.open": _page_open,
    "page.update": _page_update,
    "page.widened": _page_widened,
    "mod.hide": _mod_hide,
    "mod.restore": _mod_restore,
    "mod.caution": _mod_caution,
    "mod.mode": _mod_mode,
    "mod.pin": _mod_pin,
    "mod.close": _mod_close,
}
