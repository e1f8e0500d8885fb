"""Notices to one doctor, in her private log `me`: sealed on the way, in order and once at the end.

An act of the lounge puts a sealed letter into the outbox in its own transaction; the relay carries
it over to the identity store. Killed between the two, it finds the letter again and knows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.keys import KeyFault, Keyring, Keys
from lounge.mail import tell_owner
from storage import audit, me_log, outbox
from storage.acts import Letter
from storage.database import Database, StorageError
from storage.me_log import Bounds, SealedEntry

log = structlog.get_logger()

BY_MAIL = frozenset(
    (
        *("passkey_added", "passkey_removed", "passkey_stopped", "totp_on", "totp_off"),
        *("recovery_codes_made", "recovery_code_used", "password_set"),
        *("house_linked", "device_new"),
    )
)
"""Acts on an account that its owner is told of by e-mail, too."""

Said = dict[str, object]
_WORDS = {"text", "overridden"}
_LETTER = "letter"
_ENTRY = "me entry"
_PADDED_TO = 256  # so that a letter's length does not tell what it says
_ROUND = 100
_PAUSE_SECONDS = 1.0
_MOST_PAUSE_SECONDS = 30.0
_EMPTY = Bounds(oldest=1, head=0)


@dataclass(frozen=True, slots=True)
class Notice:
    """An entry of a doctor's log; `at` in ms, `notice` as it was handed to `letter`."""

    seq: int
    id: str
    at: int
    notice: Said


Delivered = Callable[[str, Sequence[Notice]], Awaitable[None]]
Arriving = Callable[[AsyncConnection, str, Sequence[Said]], Awaitable[list[bool]]]
"""In the transaction that brings notices to a doctor: which of them reach her."""


class _Inside(msgspec.Struct, frozen=True):
    doctor: str
    at: int
    notice: Said


class _Kept(msgspec.Struct, frozen=True):
    at: int
    notice: Said


def letter(
    keys: Keys, doctor_id: str, notice: Mapping[str, object], *, at: int | None = None
) -> Letter:
    """A letter to go into the outbox in the transaction of the act that it tells of; `at` in ms."""
    id = secrets.token_bytes(16)
    now = now_ms() if at is None else at
    padded = _padded(msgspec.json.encode(_Inside(doctor_id, now, dict(notice))))
    return Letter(id, keys.identity.seal(_LETTER, padded, id))


async def note(
    connection: AsyncConnection,
    keys: Keys,
    doctor_id: str,
    notice: Mapping[str, object],
    *,
    at: int | None = None,
    once: bytes | None = None,
) -> None:
    """Tell a doctor in the transaction of an act in the identity store itself; `at` in ms.

    Nothing is told to a doctor who is gone; nor what she was told before under the same `once`, of 16 bytes.
    """
    head = await me_log.locked(connection, doctor_id)
    if head is None or (once is not None and await me_log.carried(connection, [once])):
        return
    now = now_ms() if at is None else at
    inside = _Inside(doctor_id, now, dict(notice))
    entry = _sealed(keys.identity, inside, head + 1, once or secrets.token_bytes(16))
    await me_log.append(connection, [entry])


async def forget_words(connection: AsyncConnection, keys: Keys, doctor_id: str, about: str) -> None:
    """What she was told of the room `about` keeps no words; for each such notice one says so.

    In the identity store. Whoever holds the former ones in memory reads them anew as the new ones come.
    """
    head = await me_log.locked(connection, doctor_id)
    for entry in await me_log.page(connection, doctor_id, limit=head or 0):
        was = _opened(keys.identity, entry)
        if was.notice.get("about") == about and _WORDS & was.notice.keys():
            kept = {name: told for name, told in was.notice.items() if name not in _WORDS}
            sealed = _sealed(keys.identity, _Inside(doctor_id, was.at, kept), was.seq, entry.letter)
            await me_log.change(connection, doctor_id, was.seq, sealed.sealed)
            purged = {"notice": "page_purged", "about": about, "rewrites": was.seq}
            await note(connection, keys, doctor_id, purged)


async def account_act(
    connection: AsyncConnection,
    keys: Keys,
    doctor_id: str,
    act: str,
    *,
    now: int,
    by: str | None = None,
    detail: Mapping[str, str] = {},
) -> None:
    """What was done with her account, told to her as the notice `act` and audited under that name.

    What changes how it is opened is told by e-mail as well: whoever got in would be the one to read `me`.
    Call it last, only `gate.raise_epoch` comes after. `by` is a doctor or a role; None: herself.
    """
    if act in BY_MAIL:
        await tell_owner(connection, keys.identity, doctor_id, act, now)
    await note(connection, keys, doctor_id, {"notice": act}, at=now)
    who = doctor_id if by is None else by
    await audit.append(connection, act, by=who, about=doctor_id, detail=detail)


class Notices:
    """Reading the logs. Every method may raise StorageError."""

    def __init__(self, identity: Database, keys: Keys) -> None:
        self._identity = identity
        self._keyring = keys.identity

    async def page(
        self,
        doctor_id: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Notice]:
        """At most `limit`, ascending: next after `after`, or last before `before`, or the last."""
        async with self._identity.reading() as connection:
            entries = await me_log.page(
                connection, doctor_id, after=after, before=before, limit=limit
            )
        return [_opened(self._keyring, entry) for entry in entries]

    async def bounds(self, doctor_id: str) -> Bounds:
        """The log's `oldest` and `head`; head 0 when it is empty."""
        return (await self.all_bounds([doctor_id])).get(doctor_id, _EMPTY)

    async def head(self, doctor_id: str) -> int:
        return (await self.bounds(doctor_id)).head

    async def all_bounds(self, doctor_ids: Collection[str]) -> dict[str, Bounds]:
        """Of many doctors at once, for a poll; who is missing has an empty log."""
        async with self._identity.reading() as connection:
            return await me_log.bounds(connection, doctor_ids)


class Relay:
    """Carries letters from the outbox to the doctors' logs, then tells `delivered` of each log.

    Any number of processes may run one. What another process carried is not told here: sockets
    that show `me` also compare heads now and then.
    """

    def __init__(
        self,
        identity: Database,
        lounge: Database,
        keys: Keys,
        delivered: Delivered,
        arriving: Arriving | None = None,
    ) -> None:
        self._identity = identity
        self._lounge = lounge
        self._keyring = keys.identity
        self._delivered = delivered
        self._arriving = arriving or _all_reach
        self._woken = asyncio.Event()
        self._unreadable: set[bytes] = set()

    def wake(self) -> None:
        """A letter was just committed: carry it now rather than within a second."""
        self._woken.set()

    async def run(self) -> None:
        pause = _PAUSE_SECONDS
        while True:
            self._woken.clear()
            try:
                await self.carry()
                pause = _PAUSE_SECONDS
            except StorageError as fault:
                pause = min(pause * 2, _MOST_PAUSE_SECONDS)
                log.warning("letters wait", fault=str(fault), pause_seconds=pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    async def carry(self) -> None:
        """Carry all that the outbox holds now. Raises StorageError."""
        after = b""
        while True:
            async with self._lounge.reading() as connection:
                letters = await outbox.letters(connection, after, _ROUND)
            if not letters:
                return
            after = letters[-1].id
            await self._carry(self._read(letters))

    async def _carry(self, inside: Mapping[bytes, _Inside]) -> None:
        if not inside:
            return
        arrived = await self._deliver(inside)
        async with self._lounge.writing() as connection:
            await outbox.drop(connection, list(inside))
        for doctor_id, entries in arrived.items():
            await self._delivered(doctor_id, [_opened(self._keyring, entry) for entry in entries])

    async def _deliver(self, inside: Mapping[bytes, _Inside]) -> dict[str, list[SealedEntry]]:
        by_doctor: dict[str, list[bytes]] = defaultdict(list)
        for id, what in sorted(inside.items(), key=lambda item: item[1].at):
            by_doctor[what.doctor].append(id)
        arrived: dict[str, list[SealedEntry]] = {}
        async with self._identity.writing() as connection:
            for doctor_id in sorted(by_doctor):  # one order, so that two relays never deadlock
                ids = by_doctor[doctor_id]
                arrived[doctor_id] = await self._append(connection, doctor_id, ids, inside)
        return {doctor_id: entries for doctor_id, entries in arrived.items() if entries}

    async def _append(
        self,
        connection: AsyncConnection,
        doctor_id: str,
        ids: Sequence[bytes],
        inside: Mapping[bytes, _Inside],
    ) -> list[SealedEntry]:
        head = await me_log.locked(connection, doctor_id)
        if head is None:  # the doctor is gone, and with her the log
            return []
        known = await me_log.carried(connection, ids)
        new = [id for id in ids if id not in known]
        reach = await self._arriving(connection, doctor_id, [inside[id].notice for id in new])
        new = [id for id, on in zip(new, reach, strict=True) if on]
        entries = [
            _sealed(self._keyring, inside[id], seq, id) for seq, id in enumerate(new, head + 1)
        ]
        await me_log.append(connection, entries)
        return entries

    def _read(self, letters: Sequence[Letter]) -> dict[bytes, _Inside]:
        """What the letters say. One that no key opens stays in the outbox, and is logged once."""
        inside: dict[bytes, _Inside] = {}
        for each in letters:
            try:
                opened = self._keyring.unseal(_LETTER, each.sealed, each.id)
                inside[each.id] = msgspec.json.decode(opened, type=_Inside)
            except (KeyFault, msgspec.DecodeError):
                if each.id not in self._unreadable:
                    self._unreadable.add(each.id)
                    log.error("a letter cannot be opened with the identity key")
        return inside


async def _all_reach(_: AsyncConnection, __: str, notices: Sequence[Said]) -> list[bool]:
    return [True] * len(notices)


def _sealed(keyring: Keyring, inside: _Inside, seq: int, letter_id: bytes) -> SealedEntry:
    about = _about(inside.doctor, seq)
    content = _padded(msgspec.json.encode(_Kept(inside.at, inside.notice)))
    sealed = keyring.seal(_ENTRY, content, about)
    return SealedEntry(inside.doctor, seq, secrets.token_urlsafe(12), letter_id, sealed)


def _opened(keyring: Keyring, entry: SealedEntry) -> Notice:
    opened = keyring.unseal(_ENTRY, entry.sealed, _about(entry.doctor, entry.seq))
    kept = msgspec.json.decode(opened, type=_Kept)
    return Notice(entry.seq, entry.id, kept.at, kept.notice)


def _padded(content: bytes) -> bytes:
    """JSON may end in spaces: a sealed thing's length does not tell what it says."""
    return content + b" " * (-len(content) % _PADDED_TO)


def _about(doctor_id: str, seq: int) -> bytes:
    return f"{doctor_id} {seq}".encode()
