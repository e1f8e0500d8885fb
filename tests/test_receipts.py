"""Receipts of advice: only when both sides asked, without a name, checked with the public key alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey
from sqlalchemy import select
from typer.testing import CliRunner, Result

from lounge.events import Badge
from lounge.receipts import ReceiptFault, adviser, case_text, check
from storage import consents
from storage.schema import consent
from tests.acts import act, new_room, settled, writing
from tests.casebook import doctor, open_casebook
from tests.stores import Stores
from tests.support import Guest, House, new_cid
from web.desk import main

QUESTION = "Lyse this embolus a week after a stroke?"
ANSWER = "Heparin first: the stroke is too recent. É."


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    async with open_casebook(tmp_path_factory.mktemp("receipts"), redis_url) as house:
        yield house


class Thread:
    """Ana's case, and Ben's answer to it."""

    def __init__(self, house: House, ana: Guest, ben: Guest, room: str, seq: int) -> None:
        self.house, self.ana, self.ben, self.room, self.seq = house, ana, ben, room, seq

    async def ask(self, guest: Guest, **more: Any) -> bool:
        fields = {"room": self.room, "seq": self.seq, "cid": new_cid(), **more}
        return bool((await guest.ask("receipt", **fields))["ready"])

    async def fetch(self, name: str) -> Any:
        path = f"/api/{self.room.replace('consult/', 'consults/')}/receipts/{self.seq}"
        async with self.house.http(await self.house.token(name)) as visitor:
            return await visitor.get(path)

    async def receipt(self) -> bytes:
        """Both ask, and Ana fetches it."""
        await self.ask(self.ana)
        assert await self.ask(self.ben)
        answer = await self.fetch("ana")
        assert answer.status_code == 200
        return bytes(answer.content)

    async def noticed(self, name: str) -> list[str]:
        """Of which kinds this thread's notices to a doctor are."""
        await self.house.lounge.relay.carry()
        doctor_id = await self.house.lounge.doctors.id_of(await self.house.doctor(name))
        assert doctor_id
        notices = await self.house.lounge.notices.page(doctor_id, limit=500)
        told = [each.notice for each in notices if each.notice.get("about") == self.room]
        return [str(each["notice"]) for each in told if str(each["notice"]).startswith("receipt")]


@pytest.fixture
async def thread(house: House) -> Thread:
    ana = await doctor(house, "ana")
    case = {"question": QUESTION, "age": "60-79", "specialties": ["cardiology"]}
    room = (await ana.ask("consult", **case, cid=new_cid()))["consult"]
    await ana.join(room)
    ben = await doctor(house, "ben", room)
    said = await ben.say(room, ANSWER, sort="warning")
    return Thread(house, ana, ben, room, said["seq"])


async def public_key(house: House) -> str:
    async with house.http() as anybody:
        answer = await anybody.get("/api/receipts/key")
    assert answer.status_code == 200
    return str(answer.text)


# -- asking --------------------------------------------------------------------------------------


async def test_a_receipt_is_there_once_both_sides_have_asked(thread: Thread) -> None:
    assert not await thread.ask(thread.ana)
    assert not await thread.ask(thread.ana)
    assert (await thread.fetch("ana")).status_code == 404
    assert await thread.noticed("ben") == ["receipt_asked"]
    assert await thread.ask(thread.ben)
    assert await thread.ask(thread.ana)
    assert await thread.noticed("ana") == ["receipt_ready"]
    assert (await thread.fetch("ana")).content == (await thread.fetch("ben")).content


async def test_the_same_command_again_asks_once_and_tells_how_it_stands_now(
    thread: Thread,
) -> None:
    cid = new_cid()
    assert not await thread.ask(thread.ben, cid=cid)
    assert await thread.ask(thread.ana)
    assert await thread.ask(thread.ben, cid=cid)
    assert await thread.noticed("ana") == ["receipt_asked"]


async def test_nobody_else_can_ask_for_it_or_fetch_it(thread: Thread) -> None:
    chiara = await doctor(thread.house, "chiara", thread.room)
    place = {"room": thread.room, "seq": thread.seq}
    assert (await chiara.refused("receipt", **place, cid=new_cid()))["code"] == "forbidden"
    await thread.receipt()
    assert (await thread.fetch("chiara")).status_code == 403
    assert (await thread.fetch("dan")).status_code == 403


async def test_there_is_none_of_ones_own_words_of_the_case_or_of_another_room(
    thread: Thread,
) -> None:
    own = await thread.ana.say(thread.room, "He is on aspirin.")
    for seq, code in ((own["seq"], "invalid"), (1, "not_found"), (10**9, "not_found")):
        refused = await thread.ana.refused("receipt", room=thread.room, seq=seq, cid=new_cid())
        assert refused["code"] == code
    await thread.ana.join("world")
    refused = await thread.ana.refused("receipt", room="world", seq=1, cid=new_cid())
    assert refused["code"] == "invalid"
    for seq in ("0", "x", "9" * 30):
        thread.seq = seq  # type: ignore[assignment]
        assert (await thread.fetch("ana")).status_code == 404


async def test_a_consent_that_is_given_twice_is_one(stores: Stores) -> None:
    room, ids = await new_room(stores.lounge), (b"1" * 16, b"2" * 16)
    async with writing(stores.lounge) as writer:
        await settled(writer, *(act(room, steps=[consents.give(ids[0])]) for _ in range(2)))
    async with stores.lounge.reading() as connection:
        assert await consents.given(connection, ids) == {ids[0]}


async def test_who_asked_cannot_be_read_from_the_store(thread: Thread) -> None:
    async def kept() -> set[bytes]:
        async with thread.house.lounge.database.reading() as connection:
            return {bytes(row.id) for row in await connection.execute(select(consent))}

    before = await kept()
    await thread.receipt()
    new = await kept() - before
    assert [len(id) for id in new] == [16, 16]


# -- what it says --------------------------------------------------------------------------------


async def test_it_says_what_by_what_badge_and_when_and_not_who(thread: Thread) -> None:
    content = json.loads(await thread.receipt())
    receipt = content["receipt"]
    case, answer = (
        next(each for each in thread.ana.events[thread.room] if each["seq"] == seq)
        for seq in (1, thread.seq)
    )
    assert receipt == {
        "version": 1,
        "kind": "informal",
        "consult": sha256(f"question: {QUESTION}\nage: 60-79".encode()).hexdigest(),
        "opened": case["at"],
        "answer": sha256(ANSWER.encode()).hexdigest(),
        "said": answer["at"],
        "adviser": {
            "en": "verified specialist, emergency medicine, US",
            "fr": "spécialiste vérifié, médecine d’urgence, US",
        },
    }
    whole = json.dumps(content, ensure_ascii=False)
    for by in (case["by"], answer["by"]):
        assert by["id"] not in whole
        assert by["name"] not in whole
    assert thread.room.partition("/")[2] not in whole
    assert set(content) == {"receipt", "signature"}


async def test_a_corrected_answer_is_signed_as_it_stands_with_the_time_of_that(
    thread: Thread,
) -> None:
    place = {"room": thread.room, "seq": thread.seq}
    edit = await thread.ben.ask("edit", **place, cid=new_cid(), text="Heparin at half the dose.")
    receipt = json.loads(await thread.receipt())["receipt"]
    corrected = await thread.ben.hears("event", room=thread.room, seq=edit["seq"])
    assert receipt["answer"] == sha256(b"Heparin at half the dose.").hexdigest()
    assert receipt["said"] == corrected["at"]


async def test_that_an_answer_was_withdrawn_stands_in_it(thread: Thread) -> None:
    assert "withdrawn" not in json.loads(await thread.receipt())["receipt"]
    await thread.ben.ask("redact", room=thread.room, seq=thread.seq, cid=new_cid())
    assert json.loads((await thread.fetch("ana")).content)["receipt"]["withdrawn"] is True


async def test_of_what_a_moderator_has_hidden_there_is_none(thread: Thread) -> None:
    await thread.receipt()
    moira = await doctor(thread.house, "moira", thread.room)
    hiding = {"room": thread.room, "seq": thread.seq, "reason": "Not for here."}
    await moira.ask("redact", **hiding, cid=new_cid())
    assert (await thread.fetch("ana")).status_code == 404


@pytest.mark.parametrize(
    ("badge", "words"),
    [
        (Badge(), "verified doctor"),
        (Badge(group="medicine"), "verified doctor, medicine"),
        (Badge(specialty="cardiology"), "verified doctor, cardiology"),
        (
            Badge(grade="generalist", specialty="family-medicine", country="CA"),
            "verified generalist, family medicine, CA",
        ),
    ],
)
def test_a_badge_is_put_in_words_as_far_as_it_was_shown(badge: Badge, words: str) -> None:
    assert adviser(badge).en == words
    assert adviser(badge).fr != words


def test_the_hash_of_a_case_covers_its_parts_in_one_order_without_the_empty_ones() -> None:
    case = {"tried": "Oxygen.", "question": "Lyse?", "decision": "", "urgency": "now"}
    assert case_text(case) == "question: Lyse?\ntried: Oxygen."


# -- checking it ---------------------------------------------------------------------------------


def verify(folder: Path, receipt: bytes, key: str) -> Result:
    """As on a computer that knows nothing of the lounge."""
    (folder / "receipt.json").write_bytes(receipt)
    (folder / "key").write_text(key)
    files = [str(folder / "receipt.json"), "--key", str(folder / "key")]
    return CliRunner().invoke(main, ["receipt", "verify", *files], env={"LOUNGE_DATA": "/nowhere"})


async def test_the_command_line_checks_it_with_the_public_key_alone(
    thread: Thread, tmp_path: Path
) -> None:
    content, key = await thread.receipt(), await public_key(thread.house)
    good = verify(tmp_path, content, f"# of the lounge\n{key}")
    assert good.exit_code == 0
    assert "verified specialist, emergency medicine, US (informal opinion)" in good.output
    assert sha256(ANSWER.encode()).hexdigest() in good.output
    spaced = json.dumps(json.loads(content), indent=4).encode()
    assert verify(tmp_path, spaced, key).exit_code == 0
    other = SigningKey.generate().verify_key.encode().hex()
    for wrong in (other, "", "x", key[:-3], "é"):
        bad = verify(tmp_path, content, wrong)
        assert (bad.exit_code, "Not good" in bad.output) == (1, True)


async def test_whatever_is_altered_in_it_is_found(thread: Thread) -> None:
    content, key = await thread.receipt(), (await public_key(thread.house)).strip()
    whole = json.loads(content)
    assert check(content, key).kind == "informal"
    altered = [{**whole, "signature": whole["signature"][:-4] + "AAA="}]
    for name, value in whole["receipt"].items():
        changed = {"fr": "x", "en": value["en"]} if name == "adviser" else f"{value}0"
        altered.append({**whole, "receipt": {**whole["receipt"], name: changed}})
    altered += [
        {**whole, "receipt": {**whole["receipt"], "withdrawn": True}},
        {**whole, "receipt": {**whole["receipt"], "name": "Dr Canary"}},
        {**whole, "receipt": {**whole["receipt"], "version": 2}},
        {**whole, "name": "Dr Canary"},
    ]
    for each in altered:
        with pytest.raises(ReceiptFault):
            check(json.dumps(each).encode(), key)
    twice = content.replace(b'"kind":', b'"kind": "formal", "kind":')
    assert twice != content
    for odd in (twice, b"", b"[]", b"\xff", b"null"):
        with pytest.raises(ReceiptFault):
            check(odd, key)
