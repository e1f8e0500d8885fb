"""Closing a case: what was done, what helped, asked once for the outcome; and its summary."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select, update

from lounge.clock import now_ms
from lounge.closing import ASKED_AFTER_MS
from storage.due import Due
from storage.schema import consult as consult_table
from storage.schema import due
from tests.casebook import doctor, open_casebook
from tests.support import PATIENCE_SECONDS, Guest, House, new_cid

DID = "Heparin alone, and an echo in the morning."


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    async with open_casebook(tmp_path_factory.mktemp("closing"), redis_url) as house:
        yield house


async def case(house: House, name: str = "ana", **more: Any) -> tuple[Guest, str]:
    """A doctor in her new case."""
    guest = await doctor(house, name)
    asked = {
        "question": "Lyse this embolus a week after a stroke?",
        "specialties": ["cardiology"],
        "age": "60-79",
        "tried": "Oxygen, heparin.",
        "cid": new_cid(),
    }
    room: str = (await guest.ask("consult", **{**asked, **more}))["consult"]
    await guest.join(room)
    return guest, room


async def unsealed(house: House, name: str = "ana", **more: Any) -> tuple[Guest, str]:
    guest, room = await case(house, name, **more)
    await guest.ask("unseal", room=room, cid=new_cid())
    return guest, room


async def decides(guest: Guest, room: str, *helped: int, **more: Any) -> dict[str, Any]:
    fields = {"room": room, "did": DID, "helped": list(helped), "cid": new_cid()}
    return await guest.ask("decide", **{**fields, **more})


async def rows(house: House, query: Any) -> list[Any]:
    async with house.lounge.database.reading() as connection:
        return list(await connection.execute(query))


async def reminders(house: House, room: str) -> list[int]:
    """When the author is to be asked for the outcome."""
    query = select(due.c.at).where(due.c.subject == room, due.c.kind == "consult.remind")
    return [row.at for row in await rows(house, query)]


async def week_passes(house: House, room: str) -> None:
    """Its reminder falls due, and is done by whichever loop takes it."""
    async with house.lounge.database.writing() as connection:
        await connection.execute(update(due).where(due.c.subject == room).values(at=1))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await reminders(house, room):
            await house.lounge.dues.run_due()
            await asyncio.sleep(0.01)


async def asked(house: House, name: str, room: str) -> int:
    """How often she was asked for the outcome of that case."""
    await house.lounge.relay.carry()
    doctor_id = await house.lounge.doctors.id_of(await house.doctor(name))
    assert doctor_id
    notices = await house.lounge.notices.page(doctor_id, limit=500)
    wanted = {"notice": "consult_outcome", "about": room}
    return sum(each.notice == wanted for each in notices)


# -- deciding ------------------------------------------------------------------------------------


async def test_what_was_done_and_what_helped_stands_in_the_case_and_on_its_card(
    house: House,
) -> None:
    ana, room = await unsealed(house)
    ben = await doctor(house, "ben", room, "specialty/cardiology")
    said = await ben.say(room, "Heparin first; the stroke is too recent.")
    done = await decides(ana, room, said["seq"])
    told = await ben.hears("event", room=room, seq=done["seq"])
    assert (told["kind"], told["text"], told["helped"]) == ("consult.decided", DID, [said["seq"]])
    opening = (await ben.ask("history", room=room, after=0, limit=1))["events"][0]
    assert told["by"] == opening["by"]
    assert opening["state"]["phase"] == "decided"
    where = "specialty/cardiology"
    card = await ben.hears("event", room=where, kind="consult.card", consult=room)
    decided = {"phase": "decided", "opinions": 0}
    await ben.hears("event", room=where, kind="consult.update", target=card["seq"], state=decided)


async def test_deciding_twice_makes_one_entry_with_one_cid_and_is_refused_with_another(
    house: House,
) -> None:
    ana, room = await unsealed(house)
    cid = new_cid()
    first = await decides(ana, room, cid=cid)
    again = await decides(ana, room, cid=cid)
    assert (again["seq"], again["duplicate"]) == (first["seq"], True)
    refused = await ana.refused("decide", room=room, did="Otherwise.", cid=new_cid())
    assert refused["code"] == "forbidden"
    assert (await ana.refused("decide", room=room, did="x", cid=cid))["code"] == "cid_conflict"


async def test_two_tabs_that_decide_at_once_make_one_decision(house: House) -> None:
    ana, room = await unsealed(house)
    tab = await house.guest("ana", room)
    answers = await asyncio.gather(
        *(
            guest.ask("decide", room=room, did=did, cid=new_cid())
            for guest, did in ((ana, "One."), (tab, "Another."))
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(each, dict) for each in answers) == 1
    events = (await ana.ask("history", room=room, after=0))["events"]
    assert [each["kind"] for each in events].count("consult.decided") == 1


async def test_opinions_that_are_sealed_are_shown_before_the_decision(house: House) -> None:
    ana, room = await case(house, urgency="now")
    ben = await doctor(house, "ben", room)
    await ben.ask("opine", room=room, ranked=["Heparin"], cid=new_cid())
    done = await decides(ana, room)
    kinds = [each["kind"] for each in await ben.reaches(room, done["seq"])]
    assert kinds.index("consult.reveal") < kinds.index("consult.decided")


async def test_only_the_author_closes_a_case_and_only_a_case(house: House) -> None:
    ana, room = await unsealed(house)
    ben = await doctor(house, "ben", room, "world")
    for op, fields in (
        ("decide", {"did": DID}),
        ("outcome", {"text": "Well."}),
        ("outcome", {"dismiss": True}),
    ):
        refused = await ben.refused(op, room=room, cid=new_cid(), **fields)
        assert refused["code"] == "forbidden"
        refused = await ben.refused(op, room="world", cid=new_cid(), **fields)
        assert refused["code"] == "invalid"
    assert (await decides(ana, room))["seq"]


async def test_in_a_case_that_a_moderator_closed_nothing_is_decided_or_told(house: House) -> None:
    ana, room = await unsealed(house)
    await house.moderate("close", room, 1)
    done = {"room": room, "did": DID, "helped": [], "cid": new_cid()}
    assert (await ana.refused("decide", **done))["code"] == "frozen"
    told = {"room": room, "text": "Well.", "cid": new_cid()}
    assert (await ana.refused("outcome", **told))["code"] == "frozen"


async def test_no_case_is_put_to_a_room_that_is_frozen(house: House) -> None:
    asked = {"question": "Stent?", "specialties": ["urology"], "cid": new_cid()}
    ana = await doctor(house, "ana")
    await house.moderate("freeze", "specialty/urology", 1)
    assert (await ana.refused("consult", **asked))["code"] == "frozen"
    await house.moderate("freeze", "specialty/urology", 1, on=False)
    assert (await ana.ask("consult", **asked))["consult"]


@pytest.mark.parametrize(
    ("did", "code"),
    [
        ("   ", "invalid"),
        ("a" * 2001, "too_long"),
        ("Called her daughter on +1 416 555 0123.", "held_privacy"),
    ],
)
async def test_what_was_done_goes_through_the_guard(house: House, did: str, code: str) -> None:
    ana, room = await unsealed(house)
    assert (await ana.refused("decide", room=room, did=did, cid=new_cid()))["code"] == code
    assert (await house.lounge.consults.must_find(room)).state == "revealed"


async def test_what_helped_is_a_say_of_somebody_else(house: House) -> None:
    ana, room = await unsealed(house)
    ben = await doctor(house, "ben", room)
    own = await ana.say(room, "More of it: he is on aspirin.")
    gone = await ben.say(room, "Spam.")
    moira = await doctor(house, "moira", room)
    await moira.ask("redact", room=room, seq=gone["seq"], cid=new_cid(), reason="Not for here.")
    for seq, code in ((own["seq"], "forbidden"), (1, "not_found"), (gone["seq"], "not_found")):
        refused = await ana.refused("decide", room=room, did=DID, helped=[seq], cid=new_cid())
        assert refused["code"] == code
    nowhere = {"room": room, "did": DID, "helped": [10**9]}
    assert (await ana.refused("decide", **nowhere, cid=new_cid()))["code"] == "not_found"


async def test_the_author_stays_who_opened_the_case_whatever_she_wears_later(
    house: House,
) -> None:
    ana, room = await unsealed(house)
    await ana.ask("retire", room=room, cid=new_cid())
    await ana.say(room, "Somebody new.")
    done = await decides(ana, room)
    events = await ana.reaches(room, done["seq"])
    decided = next(each for each in events if each["kind"] == "consult.decided")
    assert decided["by"] == events[0]["by"]


# -- the outcome ---------------------------------------------------------------------------------


async def test_the_author_is_asked_for_the_outcome_once_a_week_later(house: House) -> None:
    before = now_ms()
    ana, room = await unsealed(house)
    await decides(ana, room)
    (at,) = await reminders(house, room)
    assert at >= before + ASKED_AFTER_MS
    assert await asked(house, "ana", room) == 0
    await week_passes(house, room)
    assert await asked(house, "ana", room) == 1
    await house.lounge.dues.run_due()
    assert await asked(house, "ana", room) == 1


async def test_who_told_the_outcome_or_does_not_wish_to_is_not_asked(house: House) -> None:
    for fields in ({"text": "He went home on day four."}, {"dismiss": True}):
        ana, room = await unsealed(house)
        await decides(ana, room)
        await ana.ask("outcome", room=room, cid=new_cid(), **fields)
        await week_passes(house, room)
        assert await asked(house, "ana", room) == 0


async def test_an_outcome_comes_after_the_decision_and_once(house: House) -> None:
    ana, room = await unsealed(house)
    text = {"room": room, "text": "He went home on day four."}
    assert (await ana.refused("outcome", **text, cid=new_cid()))["code"] == "forbidden"
    dismiss = {"room": room, "dismiss": True}
    assert (await ana.refused("outcome", **dismiss, cid=new_cid()))["code"] == "forbidden"
    await decides(ana, room)
    told = await ana.ask("outcome", **text, cid=new_cid())
    event = await ana.hears("event", room=room, seq=told["seq"])
    assert (event["kind"], event["text"]) == ("consult.outcome", text["text"])
    assert (await ana.refused("outcome", **text, cid=new_cid()))["code"] == "forbidden"
    assert (await ana.refused("outcome", room=room, cid=new_cid()))["code"] == "invalid"
    query = select(consult_table.c.state, consult_table.c.outcome)
    (row,) = await rows(house, query.where(consult_table.c.slug == room))
    assert tuple(row) == ("outcome", told["seq"])


async def test_a_reminder_that_two_processes_take_at_once_is_one_letter(house: House) -> None:
    ana, room = await unsealed(house)
    await decides(ana, room)
    what = Due(f"consult.remind {room}", "consult.remind", room, 1)
    await asyncio.gather(*(house.lounge.closing.remind(what) for _ in range(3)))
    assert await reminders(house, room) == []
    assert await asked(house, "ana", room) == 1


async def test_a_reminder_that_finds_the_outcome_told_ends_without_a_word(house: House) -> None:
    ana, room = await unsealed(house)
    await decides(ana, room)
    (at,) = await reminders(house, room)
    await ana.ask("outcome", room=room, text="Well.", cid=new_cid())
    async with house.lounge.database.writing() as connection:  # as if it had been taken just before
        row = {"id": f"consult.remind {room}", "kind": "consult.remind", "subject": room, "at": at}
        await connection.execute(due.insert().values(**row))
    await week_passes(house, room)
    assert await asked(house, "ana", room) == 0


# -- the summary ---------------------------------------------------------------------------------


async def summary(house: House, name: str, room: str) -> str:
    async with house.http(await house.token(name)) as visitor:
        answer = await visitor.get(f"/api/{room.replace('consult/', 'consults/')}/summary")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


async def test_the_summary_has_the_case_the_opinions_the_decision_and_nobodys_persona(
    house: House,
) -> None:
    ana, room = await case(house)
    for name in ("ben", "chiara", "denis"):
        adviser = await doctor(house, name, room)
        await adviser.ask("opine", room=room, ranked=["Heparin", "Alteplase"], cid=new_cid())
    await ana.ask("unseal", room=room, cid=new_cid())
    ben = await doctor(house, "ben", room)
    said = await ben.say(room, "Heparin first, of course.")
    await ben.ask("edit", room=room, seq=said["seq"], cid=new_cid(), text="Heparin first.")
    await decides(ana, room, said["seq"])
    await ana.ask("outcome", room=room, text="He went home.", cid=new_cid())
    text = await summary(house, "ana", room)
    events = (await ana.ask("history", room=room, after=0))["events"]
    for persona in (each["by"] for each in events if isinstance(each.get("by"), dict)):
        if "id" in persona:
            assert persona["id"] not in text
            assert persona["name"] not in text
    wanted = ("Lyse this embolus", "Age: 60 to 79", "Oxygen", "1. Heparin (3.00)", DID,
              "He went home.", "Heparin first.", "emergency medicine", "not a formal")  # fmt: skip
    for part in wanted:
        assert part in text, part
    assert "of course" not in text
    assert "Âge\u202f: 60 à 79 ans" in await summary(house, "denis", room)


async def test_what_a_moderator_has_hidden_is_in_no_summary(house: House) -> None:
    ana, room = await unsealed(house)
    done = await decides(ana, room)
    await ana.ask("outcome", room=room, text="He went home.", cid=new_cid())
    moira = await doctor(house, "moira", room)
    for seq in (1, done["seq"]):
        reason = {"reason": "Not for here."}
        await moira.ask("redact", room=room, seq=seq, cid=new_cid(), **reason)
    text = await summary(house, "ana", room)
    assert "He went home." in text
    assert DID not in text
    assert "embolus" not in text


async def test_a_summary_before_the_close_shows_no_opinion(house: House) -> None:
    ana, room = await case(house)
    ben = await doctor(house, "ben", room)
    await ben.ask("opine", room=room, ranked=["Zebrafish embolism"], cid=new_cid())
    for name in ("ana", "ben", "chiara"):
        assert "Zebrafish" not in await summary(house, name, room)
    await ana.ask("unseal", room=room, cid=new_cid())
    assert "Zebrafish" in await summary(house, "chiara", room)


async def test_only_verified_doctors_get_a_summary_and_only_of_a_case(house: House) -> None:
    _, room = await case(house)
    path = f"/api/{room.replace('consult/', 'consults/')}/summary"
    async with house.http(await house.token("dan")) as dan:
        assert (await dan.get(path)).status_code == 403
    async with house.http() as anybody:
        assert (await anybody.get(path)).status_code == 401
    async with house.http(await house.token("ben")) as ben:
        assert (await ben.get("/api/consults/nowhere/summary")).status_code == 404
