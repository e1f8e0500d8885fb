"""Receipts of advice: signed, without a name, checked by anybody with the public key alone.

A receipt says that somebody verified gave this answer to this case at that time, under the badge shown. It is
made only when both sides have asked for it, from what stands in the log, and kept nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from lounge.consults import Consults
from lounge.conversation import Conversation, Plan, Seat
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.events import Badge, rfc3339
from lounge.keys import Keys
from lounge.limits import CHANGES, Limits
from lounge.notices import letter
from lounge.personas import Personas, decode_badge
from lounge.titles import GROUPS, SPECIALTIES
from lounge.words import LANGUAGES, say
from storage import consents, entries
from storage.acts import Letter
from storage.consults import OPENING_SEQ, Consult
from storage.database import Database
from storage.entries import Entry

VERSION = 1
CASE_PARTS = ("question", "decision", "age", "sex", "presentation", "findings", "tried")
"""What the hash of a case covers, in this order: lines of `name: text`, without those that are empty."""
_SIGNED = b"lounge receipt 1\n"
_ASKER, _ADVISER = "asker", "adviser"


class ReceiptFault(Exception):  # noqa: N818 - said to the operator as it stands
    """A receipt, a key or a text beside it is not what it should be."""


class Adviser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The badge that was shown, in words."""

    en: str
    fr: str


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed. `consult` and `answer`: SHA-256 of the case and of the answer as it stands, in hex.

    `opened` and `said`: when those words were written, RFC 3339. `kind`: a peer's opinion is informal.
    """

    version: int
    kind: str
    consult: str
    opened: str
    answer: str
    said: str
    adviser: Adviser
    withdrawn: bool | UnsetType = UNSET


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A receipt as it is handed out. `signature`: Ed25519, base64url."""

    receipt: Receipt
    signature: str


@dataclass(frozen=True, slots=True)
class _Two:
    """The answer, and which side of it somebody is."""

    persona: bytes
    side: str

    @property
    def other(self) -> str:
        return _ADVISER if self.side == _ASKER else _ASKER


class Receipts:
    """Asking for receipts, and making them. Raises Refusal for what is declined, StorageError."""

    def __init__(
        self,
        *,
        database: Database,
        conversation: Conversation,
        consults: Consults,
        personas: Personas,
        limits: Limits,
        keys: Keys,
        doctor_ids: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._database = database
        self._conversation = conversation
        self._consults = consults
        self._personas = personas
        self._limits = limits
        self._keys = keys
        self._doctor_ids = doctor_ids
        self._consent_key = keys.persona.subkey("consent")
        self._signing = SigningKey(keys.persona.subkey("receipt signing"))

    @property
    def public_key(self) -> str:
        """By which anybody checks a receipt: 32 bytes as base64url."""
        return urlsafe_b64encode(bytes(self._signing.verify_key)).decode()

    async def ask(self, seat: Seat, seq: int, cid: str) -> bool:
        """One side would have a receipt of the answer at `seq`; True once the other has asked as well."""
        request = self._conversation.request(seat, cid, "receipt", seq)
        known = await self._conversation.receipt(request)
        consult = await self._consults.must_find(seat.room.id)
        if known is None:
            self._conversation.may_act(seat)
            self._limits.spend(CHANGES, seat.guest.doctor.id)
        two = await self._two(consult, seq, seat.dress.ids)
        mine, theirs = self._id(consult, seq, two.side), self._id(consult, seq, two.other)
        async with self._database.reading() as connection:
            given = await consents.given(connection, [mine, theirs])
        if known is None:
            told = () if mine in given else await self._told(consult, seq, two, theirs in given)
            plan = Plan(None, (consents.give(mine),), letters=told)
            await self._conversation.perform(seat, request, plan)
        return theirs in given

    async def issue(self, doctor: Doctor, slug: str, seq: int) -> bytes:
        """The signed receipt as JSON, for either of the two. Raises Refusal unless both have asked."""
        await self._consults.admit(doctor, slug)
        consult = await self._consults.must_find(slug)
        own = frozenset(self._personas.all_ids_of(doctor.id, [slug]))
        await self._two(consult, seq, own)
        both = {self._id(consult, seq, side) for side in (_ASKER, _ADVISER)}
        async with self._database.reading() as connection:
            given = await consents.given(connection, both)
        if given != both:
            raise Refusal(Code.NOT_FOUND, "refusal.no_receipt")
        receipt = await self._receipt(consult, seq)
        signature = self._signing.sign(_signed(receipt)).signature
        signed = Signed(receipt, urlsafe_b64encode(signature).decode())
        return msgspec.json.format(msgspec.json.encode(signed), indent=1)

    # -- privates --------------------------------------------------------------------------------

    async def _two(self, consult: Consult, seq: int, own: frozenset[bytes]) -> _Two:
        async with self._database.reading() as connection:
            was = await entries.standing(connection, consult.room_id, seq)
        if was is None or was.kind != "say" or was.is_gone or was.persona is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_entry")
        asks, advises = consult.author in own, was.persona in own
        if asks and advises:
            raise Refusal(Code.INVALID, "refusal.receipt_self", field="seq")
        if not (asks or advises):
            raise Refusal(Code.FORBIDDEN, "refusal.receipt_others")
        return _Two(was.persona, _ASKER if asks else _ADVISER)

    async def _told(self, consult: Consult, seq: int, two: _Two, ready: bool) -> tuple[Letter, ...]:
        """The other side learns that it is asked for, or that there is one now."""
        other = two.persona if two.side == _ASKER else consult.author
        owner = await self._personas.owner(other, consult.slug, await self._doctor_ids())
        if owner is None:
            return ()
        kind = "receipt_ready" if ready else "receipt_asked"
        notice = {"notice": kind, "about": consult.slug, "target": seq}
        return (letter(self._keys, owner, notice),)

    async def _receipt(self, consult: Consult, seq: int) -> Receipt:
        case, said, at = await self._read(consult, seq)
        if case.body is None or said.body is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_receipt")
        return Receipt(
            version=VERSION,
            kind="informal",
            consult=digest(case_text(case.body)),
            opened=rfc3339(case.at),
            answer=digest(said.body["text"]),
            said=rfc3339(at),
            adviser=adviser(decode_badge(said.badge)),
            withdrawn=True if said.withdrawn else UNSET,
        )

    async def _read(self, consult: Consult, seq: int) -> tuple[Entry, Entry, int]:
        """The case, the answer, and when the answer came to read as it does."""
        async with self._database.reading() as connection:
            (head,) = await entries.heads(connection, [consult.slug])
            case, said = await entries.at(connection, head, [OPENING_SEQ, seq])
            if said.edited is None:
                return case, said, said.at
            (edit,) = await entries.at(connection, head, [said.edited])
            return case, said, edit.at

    def _id(self, consult: Consult, seq: int, side: str) -> bytes:
        content = f"{consult.slug}\n{seq}\n{side}".encode()
        return hmac.digest(self._consent_key, content, hashlib.sha256)[:16]


def check(content: bytes, key: str) -> Receipt:
    """The receipt in a file, if the key's owner signed it. `key`: base64url. Raises ReceiptFault."""
    try:
        json.loads(content, object_pairs_hook=_each_once)
        signed = msgspec.json.decode(content, type=Signed)
    except (msgspec.DecodeError, ValueError) as fault:
        raise ReceiptFault(f"this is no receipt: {fault}") from None
    if signed.receipt.version != VERSION:
        raise ReceiptFault(f"version {signed.receipt.version} of receipts is not known here")
    try:
        VerifyKey(_bytes(key)).verify(_signed(signed.receipt), _bytes(signed.signature))
    except (CryptoError, ValueError, TypeError):
        raise ReceiptFault("this key did not sign this receipt, or it was altered") from None
    return signed.receipt


def digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def case_text(case: Mapping[str, Any]) -> str:
    """The case as its hash covers it."""
    return "\n".join(f"{part}: {case[part]}" for part in CASE_PARTS if case.get(part))


def adviser(badge: Badge) -> Adviser:
    """A badge in words, such as "verified specialist, cardiology, CA"."""
    return Adviser(*(_worded(badge, language) for language in LANGUAGES))


def _worded(badge: Badge, language: str) -> str:
    grade = "doctor" if badge.grade is UNSET else badge.grade
    words = [say(f"receipt.adviser.{grade}", language)]
    title = SPECIALTIES.get(str(badge.specialty)) or GROUPS.get(str(badge.group))
    if title is not None:
        name: str = getattr(title, language)
        words.append(name[0].lower() + name[1:])
    if badge.country is not UNSET:
        words.append(badge.country)
    return ", ".join(words)


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A name that stands there twice would read otherwise to people than to programs."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a field stands there twice")
    return dict(pairs)


def _signed(receipt: Receipt) -> bytes:
    """What the signature covers: the receipt's names in order, without white space, in UTF-8."""
    parts = msgspec.to_builtins(receipt)
    compact = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _SIGNED + compact.encode()


def _bytes(encoded: str) -> bytes:
    return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
