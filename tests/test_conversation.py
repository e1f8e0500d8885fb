"""Doctors in rooms: what they say is kept, ordered, seen by the others, and stays theirs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database
from tests.acts import say, writing
from tests.support import Guest, House, new_cid, open_house

WORLD = "world"


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    async with open_house(folder, redis_url, bench=True) as house:
        await house.fill_crowd()
        yield house


async def test_what_one_says_the_other_hears(house: House) -> None:
    ana = await house.guest("ana", "specialty/cardiology")
    ben = await house.guest("ben", "specialty/cardiology")
    said = await ana.say("specialty/cardiology", "Troponin 40 then 42: observe?")
    heard = (await ben.reaches("specialty/cardiology", said["seq"]))[-1]
    assert heard["text"] == "Troponin 40 then 42: observe?"
    assert heard["by"]["badge"] == {
        "grade": "specialist",
        "specialty": "cardiology",
        "country": "CA",
    }
    assert heard["by"]["as"] == "anonymous"


async def test_both_subprotocols_carry_the_same_maps(house: House) -> None:
    ana = await house.guest("ana", "country/ca", msgpack=True)
    denis = await house.guest("denis", "country/ca")
    said = await ana.say("country/ca", "Réseau de garde : qui répond ?")
    heard = (await denis.reaches("country/ca", said["seq"]))[-1]
    own = (await ana.reaches("country/ca", said["seq"]))[-1]
    assert own == heard


async def test_posting_twice_with_one_client_id_makes_one_entry(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    cid = new_cid()
    first = await ana.say(WORLD, "once", cid=cid)
    again = await ana.say(WORLD, "once", cid=cid)
    assert again["duplicate"] is True
    assert (again["seq"], again["id"], again["at"]) == (first["seq"], first["id"], first["at"])
    other = await ana.refused("say", room=WORLD, cid=cid, text="twice")
    assert other["code"] == "cid_conflict"


async def test_a_client_id_goes_back_to_nobody_and_is_kept_nowhere(house: House) -> None:
    ana, ben = await house.guest("ana", WORLD), await house.guest("ben", WORLD)
    cid = new_cid()
    said = await ana.say(WORLD, "Whose word is this?", cid=cid)
    await ana.reaches(WORLD, said["seq"])
    await ben.reaches(WORLD, said["seq"])
    await ben.ask("history", room=WORLD, around=said["seq"], limit=1)
    assert cid not in json.dumps([ana.frames, ben.frames])
    kept = b"".join(each.read_bytes() for each in house.settings.data.glob("*.db*"))
    assert said["id"].encode() in kept
    assert cid.encode() not in kept


async def test_a_correction_reaches_everyone_and_is_what_later_readers_see(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    ben = await house.guest("ben", WORLD)
    said = await ana.say(WORLD, "Give 10 mg.")
    edit = await ana.ask("edit", room=WORLD, seq=said["seq"], cid=new_cid(), text="Give 1 mg.")
    heard = (await ben.reaches(WORLD, edit["seq"]))[-1]
    assert (heard["kind"], heard["target"], heard["text"]) == ("edit", said["seq"], "Give 1 mg.")
    later = await house.guest("chiara", WORLD)
    shown = await later.hears("event", room=WORLD, seq=said["seq"])
    assert (shown["text"], shown["edited"]) == ("Give 1 mg.", edit["seq"])


async def test_a_redacted_message_is_a_tombstone_for_those_who_come_later(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    said = await ana.say(WORLD, "to be taken back")
    edit = await ana.ask("edit", room=WORLD, seq=said["seq"], cid=new_cid(), text="still to go")
    gone = await ana.ask("redact", room=WORLD, seq=said["seq"], cid=new_cid())
    await ana.reaches(WORLD, gone["seq"])
    later = await house.guest("chiara", WORLD)
    for seq in (said["seq"], edit["seq"]):
        stone = await later.hears("event", room=WORLD, seq=seq)
        assert stone.keys() == {"op", "kind", "room", "seq", "id", "at"}
        assert stone["kind"] == "tombstone"
    past = await later.ask("history", room=WORLD, around=said["seq"], limit=1)
    assert [event["kind"] for event in past["events"]] == ["tombstone"]


async def test_reactions_are_counted_once_a_doctor(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    ben = await house.guest("ben", WORLD)
    said = await ana.say(WORLD, "Agree?")
    place = {"room": WORLD, "seq": said["seq"], "emoji": "👍"}
    first = await ben.ask("react", **place, cid=new_cid(), on=True)
    again = await ben.ask("react", **place, cid=new_cid(), on=True)
    assert (again["seq"], again["duplicate"]) == (first["seq"], True)
    await ana.ask("react", **place, cid=new_cid(), on=True)
    past = await ana.ask("history", room=WORLD, around=said["seq"], limit=1)
    assert past["events"][0]["reactions"] == {"👍": 2}
    await ben.ask("react", **place, cid=new_cid(), on=False)
    past = await ana.ask("history", room=WORLD, around=said["seq"], limit=1)
    assert past["events"][0]["reactions"] == {"👍": 1}


async def test_resuming_after_a_cut_gets_exactly_what_was_missed(house: House) -> None:
    ana = await house.guest("ana", "specialty/nephrology")
    ben = await house.guest("ben", "specialty/nephrology")
    last = await ana.say("specialty/nephrology", "before")
    before = (await ben.reaches("specialty/nephrology", last["seq"]))[-1]
    await ben.socket.close()
    missed = [await ana.say("specialty/nephrology", f"missed {n}") for n in range(5)]
    back = await house.guest("ben")
    answer = await back.join("specialty/nephrology", since=before["seq"], last=before["id"])
    assert answer["from"] == before["seq"] + 1
    seqs = [event["seq"] for event in back.events["specialty/nephrology"]]
    assert seqs == [each["seq"] for each in missed]
    assert not [frame for frame in back.frames if frame["op"] == "reset"]


async def test_a_cursor_of_another_log_is_reset(house: House) -> None:
    ana = await house.guest("ana", "specialty/urology")
    said = await ana.say("specialty/urology", "here")
    ben = await house.guest("ben")
    await ben.join("specialty/urology", since=said["seq"], last="not-its-id")
    reset = await ben.hears("reset", room="specialty/urology")
    assert reset["reason"] == "unknown_cursor"
    chiara = await house.guest("chiara")
    await chiara.join("specialty/urology", since=1000)
    assert (await chiara.hears("reset"))["reason"] == "unknown_cursor"
    assert [event["text"] for event in chiara.events["specialty/urology"]] == ["here"]


async def test_what_another_process_commits_is_heard_though_nobody_hints_at_it(
    house: House,
) -> None:
    ben = await house.guest("ben", WORLD)
    number = await house.lounge.conversation.number(WORLD)
    other = Database(house.settings.database_url)
    async with writing(other) as writer:
        unheard = say(number, "from the other house wing", epoch=house.lounge.writer.epoch)
        outcome = await writer.submit(unheard)
    await other.close()
    heard = (await ben.reaches(WORLD, outcome.placed[0].seq))[-1]
    assert heard["text"] == "from the other house wing"


async def test_a_hundred_says_at_once_are_one_order_for_all(house: House) -> None:
    room = "specialty/pathology"
    guests = [await house.guest(f"talker-{n}", room) for n in range(5)]

    async def talk(n: int) -> None:
        for k in range(20):
            await guests[n].say(room, f"{n}-{k}")

    await asyncio.gather(*(talk(n) for n in range(len(guests))))
    logs = [await guest.reaches(room, 100) for guest in guests]
    assert [event["seq"] for event in logs[0]] == list(range(1, 101))
    assert all(log == logs[0] for log in logs)


async def test_a_moderator_hides_with_a_reason_and_the_author_is_told(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    await ana.join("me")
    moira = await house.guest("moira", WORLD)
    ben = await house.guest("ben", WORLD)
    said = await ana.say(WORLD, "not for here")
    place = {"room": WORLD, "seq": said["seq"]}
    assert (await ben.refused("redact", **place, cid=new_cid(), reason="x"))["code"] == "forbidden"
    assert (await moira.refused("redact", **place, cid=new_cid()))["code"] == "invalid"
    gone = await moira.ask("redact", **place, cid=new_cid(), reason="advertising")
    event = (await ben.reaches(WORLD, gone["seq"]))[-1]
    assert (event["by"], event["reason"]) == ({"role": "moderator"}, "advertising")
    notice = await ana.hears("event", room="me", kind="notice")
    assert (notice["notice"], notice["about"], notice["target"]) == ("hidden", WORLD, said["seq"])


async def test_ones_own_log_is_heard_by_nobody_else(house: House) -> None:
    moira = await house.guest("moira", WORLD)
    hidden = {}
    authors = [await house.guest(name, WORLD, "me") for name in ("ana", "ben")]
    for author in authors:
        seq = (await author.say(WORLD, "not for here either"))["seq"]
        await moira.ask("redact", room=WORLD, seq=seq, cid=new_cid(), reason="advertising")
        notice = await author.hears("event", room="me", target=seq)
        past = await author.ask("history", room="me", around=notice["seq"], limit=1)
        assert [event["id"] for event in past["events"]] == [notice["id"]]
        hidden[author] = seq
    ana, ben = authors
    for one, other in ((ana, ben), (ben, ana)):
        later = await house.guest("ana" if one is ana else "ben", "me")
        heard = [event["target"] for event in (*one.events["me"], *later.events["me"])]
        assert heard.count(hidden[one]) == 2
        assert hidden[other] not in heard


async def test_a_report_reaches_the_moderators(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    ben = await house.guest("ben", WORLD)
    said = await ana.say(WORLD, "buy my course")
    cid = new_cid()
    place = {"room": WORLD, "seq": said["seq"], "cid": cid, "kind": "advertising"}
    await ben.ask("report", **place)
    assert (await ben.ask("report", **place))["duplicate"] is True
    async with house.http(await house.token("moira")) as moira:
        reports = (await moira.get("/api/reports")).json()["reports"]
        ours = [each for each in reports if each["seq"] == said["seq"]]
        assert [(each["kind"], each["event"]["text"]) for each in ours] == [
            ("advertising", "buy my course")
        ]
        await moira.post(f"/api/reports/{ours[0]['id']}/claim")
        closed = await moira.post(f"/api/reports/{ours[0]['id']}/close", json={"outcome": "upheld"})
        assert closed.status_code == 204
    async with house.http(await house.token("ben")) as ben_http:
        assert (await ben_http.get("/api/reports")).status_code == 403


async def test_search_finds_what_was_said_in_both_languages_as_it_reads_now(house: House) -> None:
    denis = await house.guest("denis", "country/ca")
    said = await denis.say("country/ca", "L’appel de RÉUNION concernait une dilatée idiopathique.")
    for words in ("reunion", "appel", "dilatées", "Réunion appel"):
        hits = (await denis.ask("search", q=words))["hits"]
        assert ("country/ca", said["seq"]) in {(hit["room"], hit["seq"]) for hit in hits}
    await denis.ask("edit", room="country/ca", seq=said["seq"], cid=new_cid(), text="Tachycardie.")
    assert (await denis.ask("search", q="idiopathique"))["hits"] == []
    hit = (await denis.ask("search", q="tachycardie"))["hits"][0]
    assert (hit["snippet"], hit["marks"]) == ("Tachycardie.", [{"start": 0, "end": 11}])


async def test_only_a_verified_doctor_enters(house: House) -> None:
    dan = await house.guest("dan")
    assert dan.welcome["rooms"] == []
    assert (await dan.refused("join", room=WORLD))["code"] == "forbidden"
    assert (await dan.refused("join", room=WORLD, since=0))["code"] == "forbidden"
    assert (await dan.refused("search", q="anything"))["code"] == "forbidden"
    assert (await dan.refused("history", room=WORLD, after=0))["code"] == "forbidden"


async def test_a_patient_number_is_held_before_it_is_stored(house: House) -> None:
    ana = await house.guest("ana", WORLD)
    text = "Ask her at jane.roe@example.org please"
    held = await ana.refused("say", room=WORLD, cid=new_cid(), text=text)
    assert held["code"] == "held_privacy"
    span = held["spans"][0]
    assert text[span["start"] : span["end"]] == "jane.roe@example.org"
    assert (await ana.ask("search", q="jane"))["hits"] == []


async def test_leaving_ends_what_one_hears(house: House) -> None:
    ana = await house.guest("ana", "specialty/dermatology")
    ben = await house.guest("ben", "specialty/dermatology")
    await ben.ask("leave", room="specialty/dermatology")
    said = await ana.say("specialty/dermatology", "after")
    await ana.reaches("specialty/dermatology", said["seq"])
    await ben.ask("ping")
    assert ben.events.get("specialty/dermatology", []) == []
    assert (await ben.refused("say", room="specialty/dermatology", cid=new_cid(), text="x"))[
        "code"
    ] == "not_joined"


async def test_unread_counts_come_for_rooms_that_are_not_open(house: House) -> None:
    room = "specialty/geriatrics"
    ben = await house.guest("ben", room)
    await ben.ask("leave", room=room)
    ana = await house.guest("ana", room)
    await ana.say(room, "news")
    frame = await ben.sees(
        lambda f: f["op"] == "rooms" and room in {each["id"] for each in f["rooms"]}
    )
    (news,) = [each for each in frame["rooms"] if each["id"] == room]
    assert (news["head"], news["unread"]) == (1, 1)


async def test_ending_a_token_closes_its_sockets(house: House) -> None:
    token = await house.token("chiara")
    chiara = await Guest.connect(house.port, token)
    house.guests.append(chiara)
    async with house.http(token) as http:
        tokens = (await http.get("/api/tokens")).json()["tokens"]
        newest = max(tokens, key=lambda each: each["created"])
        assert (await http.delete(f"/api/tokens/{newest['id']}")).status_code == 204
    assert await chiara.closed() == 4501
