"""Letters leave, once, to whom they are for: over SMTP, or as files."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from typing import Any

import aiosmtplib
import pytest
import structlog
from aiosmtpd.smtp import SMTP
from sqlalchemy import func, select

from lounge.mail import MOST_TRIES, Carriage, Mail, Postman, mail_of, post
from lounge.words import catalogue
from storage.identity_schema import mail
from tests.stores import Clock, Stores, open_stores, wipe

LETTER = Mail("ana@heart.example", "Your code", "ABCD-EFGH and an é")


@pytest.fixture(scope="module")
async def sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path_factory.mktemp("mail")) as stores:
        yield stores


class Broken:
    """A carrier that fails for as long as a test wants."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.sent = 0

    async def send(self, letter: Mail, id: bytes) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.sent += 1


async def posted(stores: Stores, clock: Clock) -> None:
    await wipe(stores)
    async with stores.identity.writing() as connection:
        await post(connection, stores.keys.identity, LETTER, clock())


async def waiting(stores: Stores) -> int:
    async with stores.identity.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(mail))).scalar_one())


async def test_without_a_server_a_letter_becomes_a_file_for_its_owner_only(
    sqlite: Stores,
) -> None:
    clock, outbox = Clock(), sqlite.settings.data / "outbox"
    await posted(sqlite, clock)
    postman = Postman(
        sqlite.identity, sqlite.keys, Carriage("lounge@heart.example", outbox, None), clock
    )
    await postman.carry()
    await postman.carry()
    (file,) = outbox.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    message = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert (message["To"], message["From"]) == (LETTER.to, "lounge@heart.example")
    assert message.get_content().strip() == LETTER.text
    assert await waiting(sqlite) == 0


async def test_a_server_is_handed_the_letter(sqlite: Stores) -> None:
    received: list[Any] = []

    class Box:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            received.append(envelope)
            return "250 OK"

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Box(), loop=loop), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        url = f"smtp://127.0.0.1:{port}"
        carriage = Carriage("lounge@heart.example", sqlite.settings.data, url)
        await carriage.send(LETTER, bytes(16))
    assert [each.rcpt_tos for each in received] == [[LETTER.to]]
    message = message_from_bytes(received[0].content, policy=policy.default)
    assert message.get_content().strip() == LETTER.text


async def test_a_letter_that_cannot_leave_is_tried_again_later_and_later(sqlite: Stores) -> None:
    clock = Clock()
    await posted(sqlite, clock)
    carrier = Broken(OSError(), aiosmtplib.SMTPServerDisconnected("ana@heart.example"))
    postman = Postman(sqlite.identity, sqlite.keys, carrier, clock)
    with structlog.testing.capture_logs() as lines:
        for wait in (0, 29_999, 1, 59_999):
            clock.now += wait
            await postman.carry()
            assert (await waiting(sqlite), carrier.sent) == (1, 0)
        clock.now += 1
        await postman.carry()
    assert (await waiting(sqlite), carrier.sent) == (0, 1)
    assert [line["pause_seconds"] for line in lines] == [30, 60]
    assert "ana@" not in json.dumps(lines)


@pytest.mark.parametrize(
    "faults",
    [
        [ValueError()],
        [
            aiosmtplib.SMTPRecipientsRefused(
                [aiosmtplib.SMTPRecipientRefused(550, "nobody", LETTER.to)]
            )
        ],
        [OSError()] * (MOST_TRIES + 1),
    ],
)
async def test_what_nobody_will_take_is_given_up(sqlite: Stores, faults: list[Exception]) -> None:
    clock = Clock()
    await posted(sqlite, clock)
    postman = Postman(sqlite.identity, sqlite.keys, Broken(*faults), clock)
    for _ in faults:
        assert await waiting(sqlite) == 1
        await postman.carry()
        clock.now += 6 * 3_600_000
    assert await waiting(sqlite) == 0


async def test_a_server_that_says_later_is_not_given_up(sqlite: Stores) -> None:
    clock = Clock()
    await posted(sqlite, clock)
    later = aiosmtplib.SMTPRecipientsRefused(
        [aiosmtplib.SMTPRecipientRefused(451, "greylisted", LETTER.to)]
    )
    await Postman(sqlite.identity, sqlite.keys, Broken(later), clock).carry()
    assert await waiting(sqlite) == 1


async def test_what_waits_tells_neither_address_nor_code_nor_length(sqlite: Stores) -> None:
    clock = Clock()
    await posted(sqlite, clock)
    async with sqlite.identity.writing() as connection:
        await post(connection, sqlite.keys.identity, Mail("b@c.example", "x", "y" * 200), clock())
    async with sqlite.identity.reading() as connection:
        rows = list((await connection.execute(select(mail.c.sealed))).scalars())
    assert len({len(row) for row in rows}) == 1
    assert not any(b"ana@" in row or b"ABCD" in row for row in rows)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_letter_can_be_written(language: str) -> None:
    kinds = {
        key.split(".")[1] for key in catalogue() if key.startswith("mail.") and key.count(".") == 2
    }
    assert {"code", "known", "invited", "standing_verified"} <= kinds
    for kind in kinds:
        letter = mail_of(
            *(kind, language, LETTER.to),
            **{"code": "ABCD-EFGH", "why": "Because.", "what": "Done.", "title": "An alert"},
        )
        assert letter.subject
        assert "{" not in letter.text
