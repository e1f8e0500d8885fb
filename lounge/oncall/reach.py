"""How each doctor is reached: her ways, their test alerts, and whether any of them works."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.keys import Keys
from lounge.notices import account_act, note
from lounge.oncall.alerts import Alerts
from lounge.oncall.calls import Address, ReachKind, address_in, sealed_address
from lounge.oncall.gateway import Gateway
from lounge.oncall.push import Push
from storage import reaches
from storage.database import Database
from storage.reaches import Reach

HERE_MS = 120_000
"""An open page that said nothing for that long is not one."""
TRIAL_MS = 10 * 60_000
MOST_REACHES = 20
_PAGE_NAME = re.compile(r"[A-Za-z0-9_-]{16,64}")
_COSTLY = (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.UAN)


@dataclass(frozen=True, slots=True)
class Way:
    """A reach as its owner sees it; `works` is what counts for being on call."""

    row: Reach
    address: Address
    works: bool

    @property
    def hint(self) -> str:
        """Which one it is, to her who knows: of a number its last digits."""
        if self.row.kind in ("sms", "voice"):
            return f"…{self.address.to[-3:]}"
        return self.address.label


class Reaches:
    """Every method may raise StorageError."""

    def __init__(
        self,
        *,
        identity: Database,
        keys: Keys,
        push: Push,
        gateway: Gateway,
        alerts: Alerts,
        wake: Callable[[], None],
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """`wake` has alerts carried now; `clock` gives ms since 1970."""
        self._identity = identity
        self._keys = keys
        self._key = keys.identity.subkey("reach")
        self._push = push
        self._gateway = gateway
        self._alerts = alerts
        self._wake = wake
        self._clock = clock

    @property
    def offered(self) -> tuple[ReachKind, ...]:
        """Which kinds this house has."""
        return ("open", "push", "mail", *(("sms", "voice") if self._gateway.is_set else ()))

    @property
    def push_key(self) -> str:
        """What browsers subscribe with."""
        return self._push.key

    # -- her own ways ----------------------------------------------------------------------------

    async def of(self, doctor_id: str) -> list[Way]:
        """All of hers."""
        async with self._identity.reading() as connection:
            rows = await reaches.of(connection, doctor_id)
        return [self._way(row) for row in rows]

    async def add(self, doctor: Doctor, kind: ReachKind, address: Address) -> Way:
        """One that is to be tried out first; one that she has stays as it stood, with these keys.

        An open page says so again every minute. Raises Refusal `invalid`.
        """
        address = self._checked(doctor, kind, address)
        mark, now = self._mark(doctor.id, kind, address), self._clock()
        used = now if kind == "open" else None
        async with self._identity.writing() as connection:
            known = await reaches.marked(connection, doctor.id, mark)
            if known is not None:
                sealed = sealed_address(self._keys.identity, known.id, address)
                await reaches.put(connection, known.id, sealed, used)
            else:
                known = await self._add(connection, doctor.id, kind, mark, address, used)
            row = await reaches.find(connection, known.id)
        assert row is not None
        return self._way(row)

    async def drop(self, doctor_id: str, id: str) -> None:
        """Raises Refusal `not_found`."""
        async with self._identity.writing() as connection:
            if not await reaches.drop(connection, doctor_id, id):
                raise _unknown()

    async def try_out(self, doctor_id: str, id: str) -> None:
        """Send a test alert with a code, which its owner tells back. Raises Refusal `not_found`."""
        code, now = f"{secrets.randbelow(10**6):06d}", self._clock()
        async with self._identity.writing() as connection:
            row = await self._hers(connection, doctor_id, id)
            await reaches.try_out(connection, id, _trial(id, code), now)
            if row.kind == "open":
                test = {"notice": "reach_test", "about": id, "code": code}
                await note(connection, self._keys, doctor_id, test, at=now)
            else:
                await self._alerts.try_out(connection, row, code)
        self._wake()

    async def confirm(self, doctor_id: str, id: str, code: str) -> Way:
        """The test alert arrived: from now on this way works. Raises Refusal `not_found`, `invalid`."""
        now = self._clock()
        async with self._identity.writing() as connection:
            row = await self._hers(connection, doctor_id, id)
            if not await reaches.confirm(connection, id, _trial(id, code), now - TRIAL_MS, now):
                raise Refusal(Code.INVALID, "refusal.reach_code", field="code")
            # Only now: whoever merely knows the address of another's browser takes nothing from her.
            await reaches.drop_others(connection, doctor_id, row.mark)
            if row.kind != "open" and row.confirmed is None:
                await account_act(connection, self._keys, doctor_id, "reach_added", now=now)
            row = await self._hers(connection, doctor_id, id)
        return self._way(row)

    async def take_mail(self, connection: AsyncConnection, doctor_id: str) -> None:
        """As if she had added and confirmed her e-mail: of made-up doctors. In the caller's transaction."""
        mark, now = self._mark(doctor_id, "mail", Address()), self._clock()
        if await reaches.marked(connection, doctor_id, mark) is None:
            row = await self._add(connection, doctor_id, "mail", mark, Address(), None)
            trial = secrets.token_bytes(32)
            await reaches.try_out(connection, row.id, trial, now)
            await reaches.confirm(connection, row.id, trial, now, now)

    # -- for whoever pages -----------------------------------------------------------------------

    async def working(self, doctor_ids: Collection[str]) -> set[str]:
        """Those of these doctors whom at least one way reaches, as far as is known."""
        if not doctor_ids:
            return set()
        async with self._identity.reading() as connection:
            return await reaches.working(connection, doctor_ids, self._clock() - HERE_MS)

    async def number(self, doctor_id: str) -> str | None:
        """Her own telephone number in E.164, if she has confirmed one: rather where she is called."""
        async with self._identity.reading() as connection:
            rows = await reaches.of(connection, doctor_id)
        mine = [row for row in rows if row.confirmed is not None and row.kind in ("voice", "sms")]
        for row in sorted(mine, key=lambda row: row.kind, reverse=True):
            return address_in(self._keys.identity, row.id, row.sealed).to
        return None

    def _checked(self, doctor: Doctor, kind: ReachKind, address: Address) -> Address:
        label = address.label
        if kind == "push":
            return self._push.checked(address)
        if kind == "open":
            if not _PAGE_NAME.fullmatch(address.to):
                raise Refusal(Code.INVALID, "request.invalid", field="address")
            return Address(to=address.to, label=label)
        if kind == "mail":
            return Address(label=label)
        if not self._gateway.is_set:
            raise Refusal(Code.INVALID, "refusal.reach_no_gateway", field="kind")
        return Address(to=_number(address.to, doctor.country), label=label)

    def _mark(self, doctor_id: str, kind: str, address: Address) -> bytes:
        owner = "" if kind == "push" else doctor_id  # a browser has one owner: who was here last
        about = f"{owner} {kind} {address.to}".encode()
        return hmac.digest(self._key, about, hashlib.sha256)[:16]

    async def _add(
        self,
        connection: AsyncConnection,
        doctor_id: str,
        kind: ReachKind,
        mark: bytes,
        address: Address,
        used: int | None,
    ) -> Reach:
        if await reaches.count(connection, doctor_id) >= MOST_REACHES:
            raise Refusal(Code.INVALID, "refusal.reach_full", most=MOST_REACHES)
        id = secrets.token_urlsafe(9)
        sealed = sealed_address(self._keys.identity, id, address)
        row = Reach(id, doctor_id, kind, mark, sealed, used=used)
        await reaches.add(connection, row)
        return row

    async def _hers(self, connection: AsyncConnection, doctor_id: str, id: str) -> Reach:
        row = await reaches.find(connection, id)
        if row is None or row.doctor != doctor_id:
            raise _unknown()
        return row

    def _way(self, row: Reach) -> Way:
        address = address_in(self._keys.identity, row.id, row.sealed)
        is_here = row.kind != "open" or (row.used or 0) >= self._clock() - HERE_MS
        return Way(row, address, row.confirmed is not None and row.failed is None and is_here)


def _number(written: str, country: str) -> str:
    """In E.164; as she would write it in her country. Raises Refusal `invalid`."""
    try:
        number = phonenumbers.parse(written, country)
    except NumberParseException:
        raise _no_number() from None
    is_costly = phonenumbers.number_type(number) in _COSTLY
    if is_costly or not phonenumbers.is_valid_number(number):
        raise _no_number()
    return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def _no_number() -> Refusal:
    return Refusal(Code.INVALID, "refusal.reach_number", field="address")


def _trial(id: str, code: str) -> bytes:
    return hashlib.sha256(f"{id} {code}".encode()).digest()


def _unknown() -> Refusal:
    return Refusal(Code.NOT_FOUND, "refusal.no_such_reach")
