"""Letters by e-mail: written in the transaction of what they tell of, sent soon after.

Without a mail server they become files in LOUNGE_DATA/outbox, to be read by whoever develops.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.clock import now_ms
from lounge.keys import KeyFault, Keyring, Keys
from lounge.settings import Settings
from lounge.told import Quiet
from lounge.words import say
from storage import applications, mails
from storage.database import Database
from storage.mails import SealedMail

log = structlog.get_logger()

SENDING_MS = 5 * 60_000  # one that a process took and did not send is tried again after that
MOST_TRIES = 30
_LABEL = "mail"
_PADDED_TO = 1024  # so that its length does not tell what a letter says
_ROUND = 20
_PATIENCE_SECONDS = 20.0
_LONGEST_PAUSE_MS = 6 * 3_600_000


class Mail(msgspec.Struct, frozen=True):
    """A letter to one address. One that can wait is never sent within the `quiet` hours."""

    to: str
    subject: str
    text: str
    quiet: Quiet | None = None


def mail_of(kind: str, language: str, to: str, **values: object) -> Mail:
    """The letter `mail.<kind>` of the catalogue."""
    subject = say(f"mail.{kind}.subject", language)
    text = say(f"mail.{kind}.text", language, **values)
    return Mail(to, subject, f"{text}\n\n{say('mail.foot', language)}\n")


async def post(connection: AsyncConnection, keyring: Keyring, letter: Mail, now: int) -> None:
    """Have it sent once this transaction of the identity store is committed."""
    id = secrets.token_bytes(16)
    content = msgspec.json.encode(letter)
    padded = content + b" " * (-len(content) % _PADDED_TO)
    await mails.add(connection, id, keyring.seal(_LABEL, padded, id), now)


async def tell_owner(
    connection: AsyncConnection, keyring: Keyring, doctor_id: str, act: str, now: int
) -> None:
    """A letter about what was done with her account: the notice's own words, and nothing that opens it."""
    who = await applications.by_id(connection, doctor_id)
    if who is not None:
        what = say(f"notice.{act}", who.language)
        await post(connection, keyring, mail_of("account", who.language, who.email, what=what), now)


class Carrier(Protocol):
    """How letters leave."""

    async def send(self, letter: Mail, id: bytes) -> None:
        """Raises aiosmtplib.SMTPException or OSError."""


@dataclass(frozen=True, slots=True)
class Carriage:
    """Over SMTP, or as files in `outbox` where no server is set."""

    sender: str
    outbox: Path
    smtp_url: str | None

    async def send(self, letter: Mail, id: bytes) -> None:
        """Raises aiosmtplib.SMTPException or OSError."""
        message = self._message(letter, id)
        if self.smtp_url is None:
            await asyncio.to_thread(self._write, message, id)
        else:
            await self._submit(message, self.smtp_url)

    def _message(self, letter: Mail, id: bytes) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(id.hex(), domain=self.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        return message

    async def _submit(self, message: EmailMessage, url: str) -> None:
        """TLS with smtps://; with smtp:// from STARTTLS on, where the server offers it."""
        server = urlsplit(url)
        await aiosmtplib.send(
            message,
            hostname=server.hostname or "localhost",
            port=server.port,
            username=unquote(server.username) if server.username else None,
            password=unquote(server.password) if server.password else None,
            use_tls=server.scheme == "smtps",
            timeout=_PATIENCE_SECONDS,
        )

    def _write(self, message: EmailMessage, id: bytes) -> None:
        self.outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.outbox / f"{now_ms()}-{id.hex()[:8]}.eml"
        draft = path.with_suffix(".draft")  # whoever waits for *.eml finds only whole ones
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(bytes(message))
        draft.rename(path)


class Postman:
    """Carries the letters that wait. Any number of processes may run one."""

    def __init__(
        self, identity: Database, keys: Keys, carrier: Carrier, clock: Callable[[], int]
    ) -> None:
        self._identity = identity
        self._keyring = keys.identity
        self._carrier = carrier
        self._clock = clock

    async def carry(self) -> None:
        """Send what is due, each once unless this process ends in the middle. Raises StorageError."""
        now = self._clock()
        async with self._identity.reading() as connection:
            if not await mails.any_due(connection, now):
                return
        async with self._identity.writing() as connection:
            taken = await mails.take_due(connection, now, now + SENDING_MS, _ROUND)
        for each in taken:
            await self._carry(each)

    async def _carry(self, sealed: SealedMail) -> None:
        try:
            content = self._keyring.unseal(_LABEL, sealed.sealed, sealed.id)
            letter, now = msgspec.json.decode(content, type=Mail), self._clock()
            if letter.quiet is not None and (at := letter.quiet.over(now)) > now:
                await self._put_off(sealed, at)  # it was tried late
                return
            await self._carrier.send(letter, sealed.id)
        except KeyFault:
            log.error("a letter by e-mail cannot be opened with the identity key")
            return
        except (aiosmtplib.SMTPException, OSError, ValueError) as fault:
            await self._failed(sealed, fault)
            return
        async with self._identity.writing() as connection:
            await mails.drop(connection, sealed.id)

    async def _put_off(self, sealed: SealedMail, at: int) -> None:
        async with self._identity.writing() as connection:
            await mails.put_off(connection, sealed.id, at)

    async def _failed(self, sealed: SealedMail, fault: Exception) -> None:
        """Never the fault's own words: a mail server repeats the address in them."""
        kind, pause = type(fault).__name__, _pause_ms(sealed.tries)
        async with self._identity.writing() as connection:
            if _is_hopeless(fault) or sealed.tries >= MOST_TRIES:
                log.error("a letter by e-mail was given up", fault=kind, tries=sealed.tries + 1)
                await mails.drop(connection, sealed.id)
                return
            log.warning("a letter by e-mail waits", fault=kind, pause_seconds=pause // 1000)
            await mails.put_off(connection, sealed.id, self._clock() + pause)


def carrier_of(settings: Settings) -> Carriage:
    return Carriage(settings.mail_from, settings.data / "outbox", settings.smtp_url)


def _is_hopeless(fault: Exception) -> bool:
    """A recipient who is refused for good: with a code below 500 a server means "later"."""
    if isinstance(fault, aiosmtplib.SMTPRecipientsRefused):
        return all(each.code >= 500 for each in fault.recipients)
    return isinstance(fault, ValueError)


def _pause_ms(tries: int) -> int:
    return int(min(30_000 * 2**tries, _LONGEST_PAUSE_MS))
