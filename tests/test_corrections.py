"""Advice in a consult is corrected, never overwritten; who read it is told, and must acknowledge it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from lounge.advice import MOST_CORRECTIONS, PLAN
from lounge.belongings import Belongings
from lounge.words import LANGUAGES, catalogue
from storage.schema import lounge_audit
from tests.backends import addresses
from tests.stores import SQLITE_FIRST
from tests.support import CAST, Guest, House, new_cid, open_house
from tests.test_attendance import Shown

WORLD = "world"
CARDS = "specialty/nephrology"


@pytest.fixture(scope="module", params=SQLITE_FIRST)
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("corrections")
    async with (
        addresses(request) as urls,
        open_house(folder, redis_url, bench=True, **urls) as house,
    ):
        await house.fill_crowd()
        yield house


async def _case(house: House, *, revealed: bool = True) -> tuple[Guest, str]:
    """Ana opens a case."""
    ana = await house.guest("ana")
    asked = {"question": "Dialyse tonight?", "specialties": ["nephrology"], "cid": new_cid()}
    room: str = (await ana.ask("consult", **asked))["consult"]
    await ana.join(room)
    if revealed:
        await ana.ask("unseal", room=room, cid=new_cid())
    return ana, room


async def _edit(guest: Guest, room: str, seq: int, text: str) -> int:
    changed = await guest.ask("edit", room=room, seq=seq, cid=new_cid(), text=text)
    seq = changed["seq"]
    return seq


async def _withdraw(guest: Guest, room: str, seq: int) -> int:
    changed = await guest.ask("redact", room=room, seq=seq, cid=new_cid())
    seq = changed["seq"]
    return seq


async def _served(guest: Guest, room: str, seq: int) -> dict[str, Any]:
    """The entry as it is served now."""
    past = await guest.ask("history", room=room, around=seq, limit=1)
    event: dict[str, Any] = past["events"][0]
    return event


async def _changes(guest: Guest, room: str) -> list[tuple[int, int]]:
    """What a join says is still to be acknowledged."""
    joined = await guest.ask("join", room=room)
    return [(each["target"], each["seq"]) for each in joined.get("changes", [])]


# -- what is served ------------------------------------------------------------------------------


async def test_an_earlier_text_stays_and_says_until_when_it_stood(house: House) -> None:
    _, room = await _case(house)
    ben = await house.guest("ben", room)
    said = await ben.say(room, "Give 10 mg.")
    seqs = [await _edit(ben, room, said["seq"], text) for text in ("Give 2 mg.", "Give 1 mg.")]
    times = [(await ben.hears("event", room=room, seq=seq))["at"] for seq in seqs]
    served = await _served(await house.guest("chiara"), room, said["seq"])
    assert (served["text"], served["edited"]) == ("Give 1 mg.", seqs[-1])
    assert served["versions"] == [
        {"at": times[0], "text": "Give 10 mg."},
        {"at": times[1], "text": "Give 2 mg."},
    ]
    first = await _served(ben, room, seqs[0])
    assert first["text"] == "Give 2 mg."


async def test_elsewhere_an_earlier_text_is_gone(house: House) -> None:
    ben = await house.guest("ben", WORLD)
    said = await ben.say(WORLD, "Give 10 mg.")
    await _edit(ben, WORLD, said["seq"], "Give 1 mg.")
    served = await _served(ben, WORLD, said["seq"])
    assert (served["text"], "versions" in served) == ("Give 1 mg.", False)
    gone = await _withdraw(ben, WORLD, said["seq"])
    assert (await ben.reaches(WORLD, gone))[-1]["kind"] == "redact"


async def test_what_is_withdrawn_keeps_its_words_and_leaves_its_trace_on_case_and_card(
    house: House,
) -> None:
    _, room = await _case(house)
    ben, chiara = await house.guest("ben", room), await house.guest("chiara", CARDS)
    card = next(e for e in chiara.events[CARDS] if e.get("consult") == room)
    said = await ben.say(room, "Stop the metformin.")
    seq = await _withdraw(ben, room, said["seq"])
    event = await ben.hears("event", room=room, seq=seq)
    assert (event["kind"], event["target"]) == ("withdraw", said["seq"])
    assert event["by"] == (await _served(ben, room, said["seq"]))["by"]
    served = await _served(chiara, room, said["seq"])
    assert (served["text"], served["withdrawn"]) == ("Stop the metformin.", seq)
    await chiara.hears(
        "event",
        kind="consult.update",
        room=CARDS,
        target=card["seq"],
        state={"phase": "revealed", "opinions": 0, "withdrawn": 1},
    )
    for where, at in ((room, 1), (CARDS, card["seq"])):
        assert (await _served(chiara, where, at))["state"]["withdrawn"] == 1


async def test_what_its_author_takes_back_and_a_question_are_no_opinions(house: House) -> None:
    ana, room = await _case(house)
    ben = await house.guest("ben", room)
    own = await ana.say(room, "He is on warfarin.")
    asked = await ben.say(room, "Which dose?", sort="question")
    await _withdraw(ana, room, own["seq"])
    seq = await _withdraw(ben, room, asked["seq"])
    assert "withdrawn" not in (await _served(ben, room, 1))["state"]
    await ben.reaches(room, seq)
    assert ben.events[room][-1]["seq"] == seq


async def test_the_search_finds_what_stands_now_and_nothing_withdrawn(house: House) -> None:
    _, room = await _case(house)
    ben = await house.guest("ben", room)
    said = await ben.say(room, "Quinacrine.")
    await _edit(ben, room, said["seq"], "Mefloquine.")
    assert (await ben.ask("search", q="quinacrine"))["hits"] == []
    hits = (await ben.ask("search", q="mefloquine", room=room))["hits"]
    assert [hit["seq"] for hit in hits] == [said["seq"]]
    await _withdraw(ben, room, said["seq"])
    assert (await ben.ask("search", q="mefloquine"))["hits"] == []


async def test_what_is_withdrawn_is_answered_but_neither_changed_nor_reacted_to(
    house: House,
) -> None:
    _, room = await _case(house)
    ben, chiara = await house.guest("ben", room), await house.guest("chiara", room)
    said = await ben.say(room, "Heparin now.")
    place = {"room": room, "seq": said["seq"]}
    await chiara.ask("react", **place, cid=new_cid(), emoji="👍", on=True)
    cid = new_cid()
    first = await ben.ask("redact", **place, cid=cid)
    again = await ben.ask("redact", **place, cid=cid)
    assert (again["seq"], again["duplicate"]) == (first["seq"], True)
    for op, more in (
        ("redact", {}),
        ("edit", {"text": "Heparin later."}),
        ("react", {"emoji": PLAN, "on": True}),
    ):
        who = chiara if op == "react" else ben
        refused = await who.refused(op, **place, cid=new_cid(), **more)
        assert (refused["code"], "withdrawn" in refused["message"]) == ("forbidden", True), op
    await chiara.ask("react", **place, cid=new_cid(), emoji="👍", on=False)
    await chiara.say(room, "Why?", reply_to=said["seq"])


@pytest.mark.parametrize("in_case", [False, True])
async def test_why_it_is_taken_back_is_said_by_who_may_speak(house: House, in_case: bool) -> None:
    room = (await _case(house))[1] if in_case else "bench/1"
    ben = await house.guest("ben", room)
    said = await ben.say(room, "Stop the metformin.")
    taking = {"room": room, "seq": said["seq"]}
    await house.moderate("mute", room, said["seq"], minutes=60)
    refused = await ben.refused("redact", **taking, cid=new_cid(), reason="Listen to me.")
    assert refused["code"] == "muted"
    assert await _withdraw(ben, room, said["seq"])


async def test_why_it_is_taken_back_is_held_against_the_rules(house: House) -> None:
    ben = await house.guest("ben", WORLD)
    said = await ben.say(WORLD, "Stop the metformin.")
    test = {"kind": "pattern", "pattern": "minerva"}
    rule = {"name": "Adverts", "reason": "advertising", "words": "No.", "test": test}
    await house.doctor("mara", **CAST["moira"])
    async with house.http(await house.token("mara")) as mara:
        made = await mara.post("/api/rules", json={**rule, "action": "block", "rooms": [WORLD]})
        assert made.status_code == 201, made.text
    taking = {"room": WORLD, "seq": said["seq"], "reason": "Take minerva."}
    assert (await ben.refused("redact", **taking, cid=new_cid()))["code"] == "blocked"


async def test_only_a_moderator_removes_words_and_then_all_of_them(house: House) -> None:
    _, room = await _case(house)
    ben, moira = await house.guest("ben", room), await house.guest("moira", room)
    corrected = await ben.say(room, "Ask Mrs Oddname.", not_patient=True)
    edit = await _edit(ben, room, corrected["seq"], "Ask the patient.")
    withdrawn = await ben.say(room, "Mrs Oddname again.", not_patient=True)
    await _withdraw(ben, room, withdrawn["seq"])
    for said in (corrected, withdrawn):
        hidden = {"room": room, "seq": said["seq"], "cid": new_cid(), "reason": "A name."}
        await moira.ask("redact", **hidden)
    for seq in (corrected["seq"], edit, withdrawn["seq"]):
        stone = await _served(ben, room, seq)
        assert stone.keys() == {"op", "kind", "room", "seq", "id", "at"}
        assert stone["kind"] == "tombstone"
    await house.lounge.database.tidy()
    kept = b"".join(each.read_bytes() for each in house.settings.data.glob("lounge.db*"))
    assert b"Oddname" not in kept
    async with house.lounge.database.reading() as connection:
        noted = str((await connection.execute(select(lounge_audit))).all())
    assert "entry.hidden" in noted
    assert "A name." not in noted


@pytest.mark.parametrize("by_card", [False, True])
async def test_a_moderator_hides_a_case_and_its_cards_together(house: House, by_card: bool) -> None:
    _, room = await _case(house)
    chiara = await house.guest("chiara", CARDS)
    card = next(e for e in chiara.events[CARDS] if e.get("consult") == room)
    ben, moira = await house.guest("ben", room), await house.guest("moira", room)
    hiding = {"room": room, "seq": 1, "reason": "A name."}
    if by_card:
        hiding |= {"room": CARDS, "seq": card["seq"]}
        for guest in (ben, moira):
            await guest.join(CARDS)
    assert len((await ben.ask("search", q="dialyse", room=room))["hits"]) == 1
    assert (await ben.refused("redact", **hiding, cid=new_cid()))["code"] == "not_found"
    await moira.ask("redact", **hiding, cid=new_cid())
    assert (await _served(ben, room, 1))["kind"] == "tombstone"
    assert (await ben.ask("search", q="dialyse", room=room))["hits"] == []
    assert (await _served(ben, CARDS, card["seq"]))["kind"] == "tombstone"
    await chiara.sees(lambda f: f.get("kind") == "redact" and f["target"] == card["seq"])


async def test_a_moderator_hides_a_pool_and_what_was_made_of_it(house: House) -> None:
    ana, room = await _case(house, revealed=False)
    moira = await house.guest("moira", room)
    for name, label in (("ben", "Gout"), ("chiara", "Gouty arthritis"), ("denis", "Sepsis")):
        guest = await house.guest(name, room)
        opinion: dict[str, object] = {"ranked": [label], "why": "As Mr Oddname had."}
        opinion |= {"cid": new_cid(), "not_patient": True}
        await guest.ask("opine", room=room, **opinion)
    await ana.ask("unseal", room=room, cid=new_cid())
    reveal = (await ana.hears("event", room=room, kind="consult.reveal"))["seq"]
    merge = {"into": "Gout", "labels": ["Gouty arthritis"], "cid": new_cid()}
    merged = (await ana.ask("merge", room=room, **merge))["seq"]
    hiding = {"room": room, "seq": merged, "cid": new_cid(), "reason": "A name."}
    await moira.ask("redact", **hiding)
    for seq in (reveal, merged):
        assert (await _served(guest, room, seq))["kind"] == "tombstone"
        await guest.hears("event", room=room, kind="redact", target=seq)
    again = {"into": "Gout", "labels": ["Sepsis"], "cid": new_cid()}
    assert (await ana.refused("merge", room=room, **again))["code"] == "forbidden"


async def test_nobody_serves_endless_corrections(house: House) -> None:
    _, room = await _case(house)
    ben = await house.guest("ben", room)
    said = await ben.say(room, "0")
    for n in range(MOST_CORRECTIONS):
        await _edit(ben, room, said["seq"], f"{n + 1}")
    more = {"room": room, "seq": said["seq"], "cid": new_cid(), "text": "more"}
    assert (await ben.refused("edit", **more))["code"] == "forbidden"
    assert len((await _served(ben, room, said["seq"]))["versions"]) == MOST_CORRECTIONS


# -- snapshot + events = fresh snapshot ----------------------------------------------------------


class Consulted(Shown):
    """What a client shows of a consult, by the rules of docs/protocol.md."""

    def _apply(self, event: dict[str, Any], target: dict[str, Any]) -> None:
        if event["seq"] > target.get("as_of", target["seq"]):
            if event["kind"] == "edit":
                was = {"at": event["at"], "text": target["text"]}
                target["versions"] = [*target.get("versions", []), was]
            elif event["kind"] == "withdraw":
                target["withdrawn"] = event["seq"]
        Shown._apply(self, event, target)

    def state(self) -> dict[int, dict[str, Any]]:
        shown = Shown.state(self)
        return {seq: each for seq, each in shown.items() if not each["kind"].startswith("consult.")}


async def test_a_snapshot_and_the_events_after_it_are_a_fresh_snapshot(house: House) -> None:
    _, room = await _case(house)
    ben, late = await house.guest("ben", room), await house.guest("chiara")
    one, two = [(await ben.say(room, text))["seq"] for text in ("first", "second")]
    snapshots = [await _snapshot(late, room)]
    for what in (
        lambda: _edit(ben, room, one, "first, corrected"),
        lambda: late.ask("react", room=room, seq=one, cid=new_cid(), emoji=PLAN, on=True),
        lambda: _edit(ben, room, one, "first, corrected again"),
        lambda: _withdraw(ben, room, two),
        lambda: _withdraw(ben, room, one),
    ):
        await late.join(room)
        await what()
        snapshots.append(await _snapshot(late, room))
    head = (await ben.ask("history", room=room, before=10**9))["head"]
    fresh = await _snapshot(late, room)
    truth = Consulted().take(fresh).state()
    by_seq = {e["seq"]: e for e in await ben.reaches(room, head)}
    for snapshot in snapshots:
        seen = len(snapshot)
        later = [by_seq[seq] for seq in range(seen + 1, head + 1)]
        assert Consulted().take(snapshot).take(later).state() == truth
        resumed = await _snapshot(late, room, since=seen)
        assert Consulted().take(snapshot).take(resumed).state() == truth
    past = (await ben.ask("history", room=room, after=0))["events"]
    assert Consulted().take(past).state() == truth


async def _snapshot(guest: Guest, room: str, since: int = 0) -> list[dict[str, Any]]:
    before = len(guest.events.get(room, []))
    await guest.join(room, since=since)
    await guest.ask("leave", room=room)
    return guest.events.get(room, [])[before:]


# -- before the reveal ---------------------------------------------------------------------------


async def test_before_the_reveal_others_warn_and_ask_and_say_nothing_else(house: House) -> None:
    ana, room = await _case(house, revealed=False)
    ben = await house.guest("ben", room)
    plain = {"room": room, "cid": new_cid(), "text": "It is gout."}
    refused = await ben.refused("say", **plain)
    assert (refused["code"], "sealed" in refused["message"]) == ("forbidden", True)
    await ana.say(room, "He has no fever.")
    for sort in ("warning", "question"):
        said = await ben.say(room, f"A {sort}.", sort=sort)
        heard = (await ana.reaches(room, said["seq"]))[-1]
        assert (heard["sort"], (await _served(ana, room, said["seq"]))["sort"]) == (sort, sort)
    await _edit(ben, room, said["seq"], "Another question.")
    assert (await _served(ana, room, said["seq"]))["sort"] == "question"
    await ana.ask("unseal", room=room, cid=new_cid())
    said = await ben.ask("say", **plain)
    assert "duplicate" not in said


async def test_other_rooms_have_neither_sorts_nor_acknowledgements(house: House) -> None:
    ben = await house.guest("ben", WORLD)
    said = await ben.say(WORLD, "A word.")
    sorted_ = {"room": WORLD, "cid": new_cid(), "text": "Careful.", "sort": "warning"}
    assert (await ben.refused("say", **sorted_))["code"] == "invalid"
    assert (await ben.refused("ack", room=WORLD, seq=said["seq"]))["code"] == "invalid"


# -- who read it ---------------------------------------------------------------------------------


async def test_who_read_it_is_told_on_every_device_until_she_has_acknowledged_it(
    house: House,
) -> None:
    _, room = await _case(house)
    ben, phone = await house.guest("ben", room), await house.guest("chiara")
    said, other = [await ben.say(room, text) for text in ("Give 10 mg.", "Rest.")]
    assert await _changes(phone, room) == []
    await phone.ask("read", room=room, seq=other["seq"])
    edit = await _edit(ben, room, said["seq"], "Give 1 mg.")
    tablet = await house.guest("chiara")
    assert await _changes(tablet, room) == [(said["seq"], edit)]  # not yet passed
    await tablet.ask("read", room=room, seq=edit)
    for device in (phone, tablet, await house.guest("chiara")):
        assert await _changes(device, room) == [(said["seq"], edit)]  # passed, not acknowledged
    gone = await _withdraw(ben, room, other["seq"])
    again = await _edit(ben, room, said["seq"], "Give 0.1 mg.")
    both = [(said["seq"], again), (other["seq"], gone)]
    assert sorted(await _changes(phone, room)) == both
    await phone.ask("ack", room=room, seq=edit)  # of what is not the last
    assert sorted(await _changes(tablet, room)) == both
    await tablet.ask("ack", room=room, seq=again)  # before the mark passes it
    await tablet.ask("read", room=room, seq=again)
    for device in (phone, await house.guest("chiara")):
        assert await _changes(device, room) == [(other["seq"], gone)]
    await phone.ask("ack", room=room, seq=gone)
    await phone.ask("ack", room=room, seq=gone)
    assert await _changes(tablet, room) == []
    assert (await phone.refused("ack", room=room, seq=said["seq"]))["code"] == "not_found"


async def test_what_she_read_and_acknowledged_through_another_process_counts_here(
    house: House,
) -> None:
    lounge = house.lounge
    _, room = await _case(house)
    ben, denis = await house.guest("ben", room), await house.guest("denis")
    said = await ben.say(room, "Give 10 mg.")
    doctor_id = await lounge.doctors.id_of(await house.doctor("denis"))
    assert doctor_id is not None
    other = Belongings(lounge.identity_database, lounge.keys)
    there = await other.of(doctor_id)
    there.read(room, said["seq"], 1)
    await other.write()
    edit = await _edit(ben, room, said["seq"], "Give 1 mg.")
    assert await _changes(denis, room) == [(said["seq"], edit)]
    there.learn(room, said["seq"], edit)
    there.read(room, edit, 1)
    there.acknowledge(room, said["seq"], edit)
    await other.write()
    assert await _changes(denis, room) == []


async def test_nobody_is_told_of_what_she_had_not_read_or_changed_herself(house: House) -> None:
    ana, room = await _case(house)
    ben = await house.guest("ben", room)
    said = await ben.say(room, "first")
    await ana.ask("read", room=room, seq=said["seq"] - 1)
    await ben.ask("read", room=room, seq=said["seq"])
    edit = await _edit(ben, room, said["seq"], "second")
    for guest in (ana, ben, await house.guest("chiara")):
        assert await _changes(guest, room) == []
        await guest.ask("read", room=room, seq=edit)
        assert await _changes(guest, room) == []


async def test_what_a_moderator_took_away_need_not_be_acknowledged(house: House) -> None:
    ana, room = await _case(house)
    ben, moira = await house.guest("ben", room), await house.guest("moira", room)
    said = await ben.say(room, "first")
    await ana.ask("read", room=room, seq=said["seq"])
    edit = await _edit(ben, room, said["seq"], "second")
    await ana.ask("read", room=room, seq=edit)
    assert await _changes(ana, room) == [(said["seq"], edit)]
    await moira.ask("redact", room=room, seq=said["seq"], cid=new_cid(), reason="A name.")
    assert await _changes(ana, room) == []


async def test_what_waits_is_there_after_a_restart_of_her_devices(house: House) -> None:
    ana, room = await _case(house)
    ben = await house.guest("ben", room)
    said = await ben.say(room, "first")
    await ana.ask("read", room=room, seq=said["seq"])
    edit = await _edit(ben, room, said["seq"], "second")
    await ana.ask("read", room=room, seq=edit)
    await house.lounge.belongings.write()
    doctor_id = await house.lounge.doctors.id_of(await house.doctor("ana"))
    assert doctor_id is not None
    kept = await house.lounge.belongings.kept(doctor_id)
    assert (room, said["seq"], edit) in kept.changed


# -- who acted on it -----------------------------------------------------------------------------


async def test_that_it_changed_ones_plan_is_said_in_both_languages_and_not_of_ones_own(
    house: House,
) -> None:
    _, room = await _case(house)
    ben, chiara = await house.guest("ben", room), await house.guest("chiara", room)
    said = await ben.say(room, "Look at the potassium.")
    place = {"room": room, "seq": said["seq"], "emoji": PLAN, "on": True}
    assert (await ben.refused("react", **place, cid=new_cid()))["code"] == "forbidden"
    await chiara.ask("react", **place, cid=new_cid())
    assert (await _served(ben, room, said["seq"]))["reactions"] == {PLAN: 1}
    assert all(catalogue()["reaction.plan"][language] for language in LANGUAGES)


async def test_the_author_and_those_whose_plan_it_changed_are_told_of_a_correction(
    house: House,
) -> None:
    ana, room = await _case(house)
    ben, chiara = await house.guest("ben", room), await house.guest("chiara", room)
    moira = await house.guest("moira", room, "me")
    said = await ben.say(room, "Give 10 mg.")
    place = {"room": room, "seq": said["seq"]}
    await chiara.ask("react", **place, cid=new_cid(), emoji=PLAN, on=True)
    await moira.ask("react", **place, cid=new_cid(), emoji="👍", on=True)
    await _edit(ben, room, said["seq"], "Give 1 mg.")
    await _withdraw(ben, room, said["seq"])
    await ben.join("me")
    for guest in (ana, chiara):
        await guest.join("me")
        await _noticed(guest, 2, notice="consult_changed", about=room, target=said["seq"])
    for guest in (ben, moira):
        told = [e["notice"] for e in guest.events.get("me", []) if e.get("about") == room]
        assert "consult_changed" not in told


async def test_who_is_answered_and_the_author_who_is_asked_are_told(house: House) -> None:
    ana, room = await _case(house, revealed=False)
    ben, chiara = await house.guest("ben", room), await house.guest("chiara", room)
    for guest in (ana, ben):
        await guest.join("me")
    asked = await ben.say(room, "Any fever?", sort="question")
    await _noticed(ana, 1, notice="consult_question", about=room, target=asked["seq"])
    answer = await ana.say(room, "None.", reply_to=asked["seq"])
    await _noticed(ben, 1, notice="replied", about=room, target=answer["seq"])
    await ben.say(room, "And then?", sort="question", reply_to=asked["seq"])
    warning = await chiara.say(room, "Culture first.", sort="warning", reply_to=asked["seq"])
    await _noticed(ben, 1, notice="replied", about=room, target=warning["seq"])
    told = Counter(e["notice"] for e in ben.events["me"] if e.get("about") == room)
    assert told == {"replied": 2}


async def _noticed(guest: Guest, times: int, **fields: Any) -> None:
    """So many such notices are in her own log, or come."""

    def matching() -> int:
        return sum(fields.items() <= event.items() for event in guest.events.get("me", []))

    await guest.sees(lambda _: matching() >= times)
    assert matching() == times
