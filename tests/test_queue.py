"""The moderators' queue: whose turn a report is, what is read of it, what comes of it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update

from lounge.personas import wire_id
from storage import reports as filed
from storage.identity_schema import doctor
from storage.schema import hand, lounge_audit, report, sanction
from tests.backends import addresses
from tests.queue import EITHER, at, moderator, new_room, reports, seated
from tests.queue import report as reports_it
from tests.support import House, new_cid, open_house

WRITTEN = "Come to my course, it is cheap."


@pytest.fixture(scope="module", params=EITHER)
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("queue")
    async with (
        addresses(request) as urls,
        open_house(folder, redis_url, bench=True, **urls) as house,
    ):
        yield house


@pytest.fixture
async def mara(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    async with moderator(house, "mara") as client:
        yield client


@pytest.fixture
async def milo(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    async with moderator(house, "milo") as client:
        yield client


async def reported(house: House, *names: str, kind: str = "harassment") -> tuple[str, int]:
    """An entry of Ana's in a room of its own, reported by these."""
    room = new_room()
    ana = await seated(house, "ana", room)
    seq = (await ana.say(room, WRITTEN))["seq"]
    for name in names or ("ben",):
        await reports_it(house, name, room, seq, kind)
    return room, seq


async def one(client: httpx2.AsyncClient, room: str) -> dict[str, Any]:
    return (await reports(client, room))[0]


async def lapse(house: House, report_id: str) -> None:
    """As if a quarter of an hour had gone by."""
    async with house.lounge.database.writing() as connection:
        await connection.execute(
            update(report).where(report.c.id == report_id).values(claimed_until=1)
        )


async def audited(house: House) -> list[tuple[str, str, str | None]]:
    rows = select(lounge_audit.c.act, lounge_audit.c.by, lounge_audit.c.about)
    async with house.lounge.database.reading() as connection:
        found = await connection.execute(rows.order_by(lounge_audit.c.seq))
        return [(row.act, row.by, row.about) for row in found]


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# -- whose turn it is ----------------------------------------------------------------------------


async def test_the_second_of_two_moderators_sees_it_claimed(
    house: House, mara: httpx2.AsyncClient, milo: httpx2.AsyncClient
) -> None:
    room, seq = await reported(house, "ben", "chiara")
    first, second = await reports(mara, room)
    assert (await mara.post(f"/api/reports/{first['id']}/claim")).status_code == 200
    assert {each["claimed"] for each in await reports(mara, room)} == {"mine"}
    seen = await reports(milo, room)
    assert [each["claimed"] for each in seen] == ["other", "other"]
    assert all("evidence" not in each for each in seen)
    for id in (first["id"], second["id"]):  # of one entry nobody else may take another
        refused = await milo.post(f"/api/reports/{id}/claim")
        assert code(refused) == (403, "frozen")
        assert 0 < refused.json()["error"]["retry_after"] <= 900
    hide = {"act": "hide", "seq": seq, "reason": "harassment", "cid": new_cid()}
    assert code(await milo.post(f"/api/rooms/{room}/moderate", json=hide)) == (403, "frozen")
    assert (await mara.post(f"/api/rooms/{room}/moderate", json=hide)).status_code == 200


async def test_of_a_personas_last_hour_stays_what_is_anothers(
    house: House, mara: httpx2.AsyncClient, milo: httpx2.AsyncClient
) -> None:
    room, claimed = await reported(house)
    await milo.post(f"/api/reports/{(await one(milo, room))['id']}/claim")
    ana = await seated(house, "ana", room)
    english = (await ana.say(room, "She has been seen at the clinic with this cough."))["seq"]
    french = (await ana.say(room, "Le patient a été vu avec une toux et de la fièvre."))["seq"]
    async with moderator(house, "fr", "moderator:language/fr") as reads_french:
        hide = {"act": "hide_hour", "seq": french, "reason": "other", "cid": new_cid()}
        answer = await reads_french.post(f"/api/rooms/{room}/moderate", json=hide)
        assert answer.status_code == 200, answer.text
    kinds = [(await at(ana, room, seq))["kind"] for seq in (claimed, english, french)]
    assert kinds == ["say", "say", "tombstone"]
    hide = {"act": "hide_hour", "seq": english, "reason": "other", "cid": new_cid()}
    assert (await mara.post(f"/api/rooms/{room}/moderate", json=hide)).status_code == 200
    kinds = [(await at(ana, room, seq))["kind"] for seq in (claimed, english)]
    assert kinds == ["say", "tombstone"]


async def test_a_repetition_gets_its_first_answer_whoever_has_claimed_it_since(
    house: House, mara: httpx2.AsyncClient, milo: httpx2.AsyncClient
) -> None:
    room, seq = await reported(house)
    hide = {"act": "hide", "seq": seq, "reason": "harassment", "cid": new_cid()}
    first = await mara.post(f"/api/rooms/{room}/moderate", json=hide)
    await milo.post(f"/api/reports/{(await one(milo, room))['id']}/claim")
    again = await mara.post(f"/api/rooms/{room}/moderate", json=hide)
    assert again.json() == {**first.json(), "duplicate": True}
    other = {**hide, "cid": new_cid()}
    assert code(await mara.post(f"/api/rooms/{room}/moderate", json=other)) == (403, "frozen")


async def test_what_is_listed_with_what_she_claimed_is_in_the_audit(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room, _ = await reported(house)
    id = (await one(mara, room))["id"]
    await mara.post(f"/api/reports/{id}/claim")
    row = ("read.evidence", "moderator", id)
    before = (await audited(house)).count(row)
    assert (await one(mara, room))["evidence"] == WRITTEN
    assert (await audited(house)).count(row) == before + 1


@pytest.mark.parametrize(("outcome", "is_open"), [("dismissed", False), ("upheld", True)])
async def test_a_dismissed_report_opens_no_talk(
    house: House, mara: httpx2.AsyncClient, outcome: str, is_open: bool
) -> None:
    room, seq = await reported(house)
    id = (await one(mara, room))["id"]
    await mara.post(f"/api/reports/{id}/claim")
    async with house.lounge.database.reading() as connection:
        assert await filed.is_reported(connection, room, seq)
    closed = await mara.post(f"/api/reports/{id}/close", json={"outcome": outcome})
    assert closed.status_code == 204, closed.text
    async with house.lounge.database.reading() as connection:
        assert await filed.is_reported(connection, room, seq) is is_open


async def test_of_two_who_take_it_at_once_one_has_it(
    house: House, mara: httpx2.AsyncClient, milo: httpx2.AsyncClient
) -> None:
    room, _ = await reported(house)
    path = f"/api/reports/{(await one(mara, room))['id']}/claim"
    both = await asyncio.gather(mara.post(path), milo.post(path))
    assert sorted(each.status_code for each in both) == [200, 403]


async def test_a_claim_is_renewed_given_back_and_lapses(
    house: House, mara: httpx2.AsyncClient, milo: httpx2.AsyncClient
) -> None:
    room, _ = await reported(house)
    id = (await one(mara, room))["id"]
    first = (await mara.post(f"/api/reports/{id}/claim")).json()["claimed_until"]
    again = (await mara.post(f"/api/reports/{id}/claim")).json()["claimed_until"]
    assert again >= first
    assert code(await milo.post(f"/api/reports/{id}/release")) == (403, "frozen")
    assert (await mara.post(f"/api/reports/{id}/release")).status_code == 204
    assert (await one(milo, room))["claimed"] is None
    assert (await milo.post(f"/api/reports/{id}/claim")).status_code == 200
    await lapse(house, id)
    assert (await mara.post(f"/api/reports/{id}/claim")).status_code == 200


async def test_what_one_does_with_a_report_needs_the_claim(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room, _ = await reported(house)
    id = (await one(mara, room))["id"]
    for path, body in (("close", {"outcome": "upheld"}), ("notes", {"text": "Seen before."})):
        refused = await mara.post(f"/api/reports/{id}/{path}", json=body)
        assert code(refused) == (403, "frozen")
    assert (await one(mara, room))["id"] == id


async def test_notes_stay_with_the_report_for_the_next_moderator(
    house: House, mara: httpx2.AsyncClient, milo: httpx2.AsyncClient
) -> None:
    room, _ = await reported(house)
    id = (await one(mara, room))["id"]
    await mara.post(f"/api/reports/{id}/claim")
    assert (
        await mara.post(f"/api/reports/{id}/notes", json={"text": "Warned before."})
    ).status_code == 204
    held = await mara.post(f"/api/reports/{id}/notes", json={"text": "He is at jo@example.org"})
    assert code(held) == (403, "held_privacy")
    notes = (await milo.get(f"/api/reports/{id}/notes")).json()["notes"]
    assert [each["text"] for each in notes] == ["Warned before."]


# -- what comes of it ----------------------------------------------------------------------------


async def test_closing_one_closes_all_of_its_kind_about_the_entry(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room, seq = await reported(house, "ben", "chiara")
    denis = await reports_it(house, "denis", room, seq, "other")
    ben, chiara = [await seated(house, name, "me") for name in ("ben", "chiara")]
    await denis.join("me")
    first = await one(mara, room)
    await mara.post(f"/api/reports/{first['id']}/claim")
    closed = await mara.post(f"/api/reports/{first['id']}/close", json={"outcome": "dismissed"})
    assert closed.status_code == 204
    for each in (ben, chiara):
        await each.hears("event", room="me", notice="report_dismissed", about=room)
    assert [each["kind"] for each in await reports(mara, room)] == ["other"]
    again = await mara.post(f"/api/reports/{first['id']}/close", json={"outcome": "upheld"})
    assert code(again) == (404, "not_found")
    assert not [each for each in denis.events.get("me", []) if each["about"] == room]


@pytest.mark.parametrize(("outcome", "kind"), [("upheld", "tombstone"), ("dismissed", "say")])
async def test_what_a_crowd_has_hidden_is_pending_no_more_once_it_is_closed(
    house: House, mara: httpx2.AsyncClient, outcome: str, kind: str
) -> None:
    room, seq = await reported(house, "ben", "chiara", "denis", kind="advertising")
    found = await one(mara, room)
    assert found["urgent"] is True
    await mara.post(f"/api/reports/{found['id']}/claim")
    closed = await mara.post(f"/api/reports/{found['id']}/close", json={"outcome": outcome})
    assert closed.status_code == 204, closed.text
    event = await at(await seated(house, "ben", room), room, seq)
    assert event["kind"] == kind
    assert event.get("hidden", {}).get("role") == ("moderator" if outcome == "upheld" else None)
    assert "pending" not in event.get("hidden", {})


async def test_a_dispute_ends_when_a_moderator_does_not_share_it(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room, seq = await reported(house, "ben", "chiara", "denis", kind="dangerous_advice")
    ben = await seated(house, "ben", room)
    assert (await at(ben, room, seq))["caution"]["doctors"] == 3
    found = await one(mara, room)
    await mara.post(f"/api/reports/{found['id']}/claim")
    await mara.post(f"/api/reports/{found['id']}/close", json={"outcome": "dismissed"})
    assert "caution" not in await at(ben, room, seq)


async def test_the_urgent_come_first(house: House, mara: httpx2.AsyncClient) -> None:
    calm, _ = await reported(house)
    pressing, _ = await reported(house, kind="dangerous_advice")
    listed = (await mara.get("/api/reports")).json()["reports"]
    rooms = [each["room"] for each in listed]
    assert rooms.index(pressing) < rooms.index(calm)


# -- what is read --------------------------------------------------------------------------------


async def test_what_is_around_it_is_audited_before_it_is_read(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room, seq = await reported(house)
    id = (await one(mara, room))["id"]
    around = (await mara.get(f"/api/reports/{id}/context")).json()["events"]
    assert WRITTEN in {each.get("text") for each in around}
    await mara.post(f"/api/reports/{id}/claim")
    await mara.post(f"/api/reports/{id}/close", json={"outcome": "upheld", "act": "warn"})
    place = f"{room} {seq}"
    rows = [row for row in await audited(house) if row[2] in (place, id)]
    assert rows == [
        ("read.context", "moderator", place),
        ("report.claimed", "moderator", place),
        ("read.evidence", "moderator", id),
        ("report.closed", "moderator", place),
    ]


async def test_nobody_looks_at_reports_about_her_own_words(house: House) -> None:
    room = new_room()
    async with moderator(house, "mona") as mona, moderator(house, "milo") as milo:
        seq = (await (await seated(house, "mona", room)).say(room, WRITTEN))["seq"]
        await reports_it(house, "ben", room, seq, "harassment", note="She is rude.")
        assert await reports(mona, room) == []
        id = (await one(milo, room))["id"]
        for path in ("notes", "context"):
            assert code(await mona.get(f"/api/reports/{id}/{path}")) == (403, "forbidden")
        assert code(await mona.post(f"/api/reports/{id}/claim")) == (403, "forbidden")


async def test_a_thread_of_two_is_read_only_around_what_was_reported_in_it(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room = "talk/none-of-hers"
    body = {"act": "hide", "seq": 1, "reason": "other", "cid": new_cid()}
    assert code(await mara.post(f"/api/rooms/{room}/moderate", json=body)) == (404, "not_found")


async def test_texts_said_to_be_no_patient_are_listed(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room = new_room()
    ana = await seated(house, "ana", room)
    text = "Seen on 12 March 2024 for the first time."
    seq = (await ana.say(room, text, not_patient=True))["seq"]
    plain = (await ana.say(room, WRITTEN))["seq"]
    listed = [
        each for each in (await mara.get("/api/waived")).json()["waived"] if each["room"] == room
    ]
    assert [(each["seq"], each["kinds"], each["event"]["text"]) for each in listed] == [
        (seq, ["date"], text)
    ]
    assert plain != seq


async def test_none_of_it_is_for_other_doctors(house: House) -> None:
    room, _ = await reported(house)
    async with house.http(await house.token("ben")) as ben:
        for path in ("/api/reports", "/api/appeals", "/api/waived", "/api/duty"):
            assert code(await ben.get(path)) == (403, "forbidden")
        async with moderator(house, "mara") as mara:
            id = (await one(mara, room))["id"]
        for path in ("claim", "release"):
            assert code(await ben.post(f"/api/reports/{id}/{path}")) == (403, "forbidden")


async def test_whatever_a_moderator_is_answered_carries_no_mark_of_an_account(
    house: House, mara: httpx2.AsyncClient
) -> None:
    """Every address that the house documents for reading, and what a claim answers, with all of it in use."""
    room, seq = await reported(house, "ben", "chiara", "denis", kind="advertising")
    muted = (await (await seated(house, "ana", room)).say(room, "Buy it, then."))["seq"]
    id = (await one(mara, room))["id"]
    claimed = await mara.post(f"/api/reports/{id}/claim")
    await mara.post(f"/api/reports/{id}/notes", json={"text": "Seen before."})
    await house.moderate("mute", room, muted, minutes=5, everywhere=True)
    ana = await seated(house, "ana")
    for at_ in (seq, muted):
        await ana.ask("appeal", room=room, seq=at_, text="It is free.", cid=new_cid())
    appeal = (await mara.get("/api/appeals")).json()["appeals"][0]["id"]
    answers = [claimed, await mara.post(f"/api/appeals/{appeal}/claim")]
    paths = (await mara.get("/api/openapi.json")).json()["paths"]
    for path in sorted(each for each in paths if "get" in paths[each] and "/api/" in each):
        known = appeal if "appeals" in path else id
        answers.append(await mara.get(path.replace("{room}", room).replace("{id}", known)))
    read = {str(each.request.url.path): each for each in answers if each.status_code == 200}
    assert len(read) > 25
    marks = await _marks(house, room)
    found = {path: mark for path, each in read.items() for mark in marks if mark in each.content}
    assert found == {}


async def _marks(house: House, room: str) -> list[bytes]:
    """Who is who in the identity store but the reader, and whatever the house computes of them."""
    lounge = house.lounge
    hers = await lounge.doctors.id_of(house.doctors["mara"])
    async with lounge.identity_database.reading() as connection:
        rows = (await connection.execute(select(doctor).where(doctor.c.id != hers))).all()
    assert len(rows) > 4
    marks = [each for row in rows for each in (row.id, row.email, row.name)]
    async with lounge.database.reading() as connection:
        for table in (report.c.claim, report.c.persona, hand.c.mark, sanction.c.mark):
            kept = (await connection.execute(select(table))).scalars()
            marks += [form for value in kept if value for form in _forms(bytes(value))]
    for row in rows:
        people = lounge.personas
        for value in (people.member_of(row.id, room), people.reactor_of(row.id, room)):
            marks += _forms(value)
    return [each.encode() for each in marks]


def _forms(value: bytes) -> list[str]:
    return [value.hex(), base64.b64encode(value).decode(), wire_id(value)]
