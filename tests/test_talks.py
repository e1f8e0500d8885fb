"""Talking privately: only the two read it, whatever anybody else tries; and what is true only now."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from channels.bus import Bus
from lounge.personas import persona_id
from lounge.signals import Signal
from storage import entries, talks
from storage.acts import Missed
from storage.database import Database
from storage.talks import ASKED, CLOSED, DECLINED, OPEN
from tests.acts import ANA, BEN, act, new_room, say, settled, writing
from tests.stores import Stores
from tests.support import Guest, House, Refused, new_cid, open_house, until

_names = count(1)


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("talks")
    async with open_house(folder, redis_url) as house:
        yield house


class Two:
    """Ana has said something in the world, and Ben would like to talk about it."""

    def __init__(self, house: House, ana: Guest, ben: Guest, names: tuple[str, str]) -> None:
        self.house, self.ana, self.ben = house, ana, ben
        self.names = names
        self.seq = 0
        self.talk = ""

    @classmethod
    async def meet(cls, house: House) -> Two:
        n = next(_names)
        names = f"ana-{n}", f"ben-{n}"
        ana = await house.guest(names[0], "world", "me")
        ben = await house.guest(names[1], "world", "me")
        two = cls(house, ana, ben, names)
        two.seq = (await ana.say("world", "What would you do at six hours?"))["seq"]
        return two

    @classmethod
    async def in_talk(cls, house: House) -> Two:
        two = await cls.meet(house)
        await two.asks()
        await two.ana.ask("talk_answer", talk=two.talk, accept=True, cid=new_cid())
        for guest in (two.ana, two.ben):
            await guest.join(two.talk)
        return two

    async def asks(self) -> dict[str, Any]:
        answer = await self.ben.ask("talk", room="world", seq=self.seq, cid=new_cid())
        self.talk = answer["talk"]
        return answer

    def you(self, guest: Guest) -> str:
        """Their persona's id in the world."""
        joined = [f for f in guest.frames if f["op"] == "ok" and "you" in f and f["you"]]
        return str(joined[0]["you"][0]["id"])


def without_ref(frame: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in frame.items() if name != "ref"}


async def noticed(guest: Guest, notice: str, talk: str) -> dict[str, Any]:
    return await guest.hears("event", kind="notice", notice=notice, talk=talk)


# -- asking --------------------------------------------------------------------------------------


async def test_who_accepts_talks_under_the_faces_that_met(house: House) -> None:
    two = await Two.meet(house)
    await two.asks()
    asked = await noticed(two.ana, "talk_asked", two.talk)
    assert (asked["about"], asked["target"]) == ("world", two.seq)
    assert asked["by"]["id"] == two.you(two.ben)
    await two.ana.ask("talk_answer", talk=two.talk, accept=True, cid=new_cid())
    accepted = await noticed(two.ben, "talk_accepted", two.talk)
    assert accepted["by"]["id"] == two.you(two.ana)
    joined = await two.ana.join(two.talk)
    assert [each["id"] for each in joined["you"]] == [two.you(two.ana)]
    assert joined["talk"]["other"]["id"] == two.you(two.ben)
    assert joined["talk"] | {"other": None} == {
        "other": None,
        "origin": "world",
        "state": "open",
        "signals": True,
    }
    await two.ben.join(two.talk)
    await two.ben.say(two.talk, "Repeat it, and look at the curve.")
    heard = await two.ana.hears("event", room=two.talk, seq=1)
    assert heard["by"]["id"] == two.you(two.ben)
    assert heard["by"]["name"] == asked["by"]["name"]


async def test_the_asker_learns_no_more_than_not_accepted_and_asks_no_second_time(
    house: House,
) -> None:
    two = await Two.meet(house)
    await two.asks()
    assert (await two.ben.refused("join", room=two.talk))["code"] == "forbidden"
    await two.ana.ask("talk_answer", talk=two.talk, accept=False, cid=new_cid())
    told = await noticed(two.ben, "talk_declined", two.talk)
    assert "reason" not in told
    again = await two.ben.refused("talk", room="world", seq=two.seq, cid=new_cid())
    assert again["code"] == "forbidden"
    late = await two.ana.refused("talk_answer", talk=two.talk, accept=True, cid=new_cid())
    assert late["code"] == "forbidden"
    said = await two.ben.say("world", "I would wait.")
    other_way = await two.ana.ask("talk", room="world", seq=said["seq"], cid=new_cid())
    assert other_way["talk"] != two.talk


async def test_asking_twice_is_one_talk(house: House) -> None:
    two = await Two.meet(house)
    cid = new_cid()
    first = await two.ben.ask("talk", room="world", seq=two.seq, cid=cid)
    same = await two.ben.ask("talk", room="world", seq=two.seq, cid=cid)
    other = await two.ben.ask("talk", room="world", seq=two.seq, cid=new_cid())
    assert same["talk"] == other["talk"] == first["talk"]
    assert ("duplicate" in first, same["duplicate"], other["duplicate"]) == (False, True, True)
    assert ("waiting" in same, other["waiting"]) == (False, True)
    await house.lounge.relay.carry()
    found = await two.ana.ask("history", room="me", after=0)
    assert [each["notice"] for each in found["events"]].count("talk_asked") == 1


async def test_the_asker_cannot_answer_for_the_other(house: House) -> None:
    two = await Two.meet(house)
    await two.asks()
    refused = await two.ben.refused("talk_answer", talk=two.talk, accept=True, cid=new_cid())
    assert refused["code"] == "forbidden"


async def test_what_waits_is_withdrawn_by_the_asker_for_good_and_the_other_is_told(
    house: House,
) -> None:
    two = await Two.meet(house)
    await two.asks()
    cid = new_cid()
    for _ in range(2):
        await two.ben.ask("talk_answer", talk=two.talk, accept=False, cid=cid)
    told = await noticed(two.ana, "talk_withdrawn", two.talk)
    assert told["by"]["id"] == two.you(two.ben)
    for accept in (True, False):
        late = await two.ana.refused("talk_answer", talk=two.talk, accept=accept, cid=new_cid())
        assert (late["code"], "withdrawn" in late["message"]) == ("forbidden", True)
    for guest in (two.ana, two.ben):
        assert (await guest.refused("join", room=two.talk))["code"] == "forbidden"
    again = await two.ben.refused("talk", room="world", seq=two.seq, cid=new_cid())
    assert again["code"] == "forbidden"


async def test_what_was_answered_is_not_withdrawn(house: House) -> None:
    two = await Two.in_talk(house)
    late = await two.ben.refused("talk_answer", talk=two.talk, accept=False, cid=new_cid())
    assert late["code"] == "forbidden"
    await two.ben.say(two.talk, "Then let us talk.")


async def test_nobody_asks_herself_nor_about_what_is_not_there(house: House) -> None:
    two = await Two.meet(house)
    own = await two.ana.refused("talk", room="world", seq=two.seq, cid=new_cid())
    assert own["code"] == "invalid"
    await two.ana.ask("redact", room="world", seq=two.seq, cid=new_cid())
    for seq in (two.seq, 2**50):
        gone = await two.ben.refused("talk", room="world", seq=seq, cid=new_cid())
        assert gone["code"] == "not_found"


async def test_a_doctor_asks_only_so_often(house: House) -> None:
    asker = await house.guest(f"asker-{next(_names)}", "world")
    codes = []
    for _ in range(7):
        two = await Two.meet(house)
        try:
            await asker.ask("talk", room="world", seq=two.seq, cid=new_cid())
        except AssertionError as refused:
            codes.append(refused.code)  # type: ignore[attr-defined]
    assert codes == ["rate_limited"]


async def test_whoever_ignores_the_asker_hears_nothing_and_the_asker_cannot_tell(
    house: House,
) -> None:
    two = await Two.meet(house)
    await two.ana.ask("ignore", room="world", persona=two.you(two.ben), on=True)
    answer = await two.asks()
    assert set(answer) == {"op", "ref", "talk"}
    await two.ben.ask("talk_answer", talk=two.talk, accept=False, cid=new_cid())
    await house.lounge.relay.carry()
    assert (await two.ana.ask("history", room="me", after=0))["events"] == []


# -- everybody else ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chiara", "moira"])
async def test_to_everybody_else_there_is_no_such_room(house: House, name: str) -> None:
    two = await Two.in_talk(house)
    word = f"canary{secrets.token_hex(4)}"
    await two.ben.say(two.talk, f"Only between us: {word}")
    other = await house.guest(name, "world")
    nowhere = f"talk/{secrets.token_urlsafe(16)}"
    for op, fields in (
        ("join", {}),
        ("join", {"since": 0}),
        ("history", {"after": 0}),
        ("search", {"q": word}),
    ):
        there = await other.refused(op, room=two.talk, **fields)
        not_there = await other.refused(op, room=nowhere, **fields)
        assert without_ref(there) == without_ref(not_there)
        assert there["code"] == "not_found"
    answers = [
        await other.refused("talk_answer", talk=talk, accept=True, cid=new_cid())
        for talk in (two.talk, nowhere)
    ]
    assert without_ref(answers[0]) == without_ref(answers[1])
    assert (await other.ask("search", q=word))["hits"] == []
    async with house.http(house.passes[name]) as http:
        for path, method in (("events?after=0", "GET"), ("pin", "PUT")):
            replies = [
                await http.request(method, f"/api/rooms/{talk}/{path}", json={"pinned": True})
                for talk in (two.talk, nowhere)
            ]
            assert [each.status_code for each in replies] == [404, 404]
            assert replies[0].content == replies[1].content
        listed = (await http.get("/api/rooms")).json()["rooms"]
    assert two.talk not in [room["id"] for room in listed]


async def test_a_talk_that_is_not_ones_own_costs_what_one_costs_that_there_is_not(
    house: House,
) -> None:
    two = await Two.in_talk(house)
    chiara = await house.guest("chiara")
    costs = []
    for talk in (two.talk, f"talk/{secrets.token_urlsafe(16)}"):
        before = house.lounge.talks._read.loads, house.lounge.hub.reads
        await chiara.refused("join", room=talk)
        after = house.lounge.talks._read.loads, house.lounge.hub.reads
        costs.append((after[0] - before[0], after[1] - before[1]))
    assert costs == [(1, 0), (1, 0)]


async def test_the_two_find_list_and_resume_it_as_any_room(house: House) -> None:
    two = await Two.in_talk(house)
    word = f"canary{secrets.token_hex(4)}"
    said = await two.ben.say(two.talk, f"Only between us: {word}")
    assert [each["room"] for each in (await two.ana.ask("search", q=word))["hits"]] == [two.talk]
    async with house.http(house.passes[two.names[0]]) as http:
        listed = {each["id"]: each for each in (await http.get("/api/rooms")).json()["rooms"]}
        assert listed[two.talk]["kind"] == "talk"
        assert listed[two.talk]["own"]
        assert (
            listed[two.talk]["title"]["en"]
            == (await two.ana.hears("event", room=two.talk, seq=1))["by"]["name"]
        )
        body = {"op": "say", "ref": 1, "room": two.talk, "cid": new_cid(), "text": "By post."}
        assert (await http.post("/api/commands", json=body)).json()["seq"] == 2
        join = {"op": "join", "ref": 2, "room": two.talk, "since": 0}
        following = {"joins": [join], "poll": True, "welcome": False}
        polled = (await http.post("/api/stream", json=following)).text
        assert word in polled
        assert "By post." in polled
    again = await house.guest(two.names[1])
    shown = {each["id"] for each in again.welcome["rooms"]}
    assert two.talk in shown
    await again.join(two.talk, since=1, last=said["id"])
    assert [each["seq"] for each in again.events[two.talk]] == [2]


async def test_a_retired_persona_stays_in_its_talk(house: House) -> None:
    two = await Two.meet(house)
    retire = {"room": "world", "as": "anonymous"}
    await two.ana.ask("retire", cid=new_cid(), **retire)
    two.seq = (await two.ana.say("world", "Somebody new, for the first time."))["seq"]
    was = (await two.ben.hears("event", room="world", seq=two.seq))["by"]["id"]
    await two.asks()
    await two.ana.ask("talk_answer", talk=two.talk, accept=True, cid=new_cid())
    await two.ana.ask("retire", cid=new_cid(), **retire)
    await two.ben.join(two.talk)
    assert [each["id"] for each in (await two.ana.join(two.talk))["you"]] == [was]
    await two.ana.say(two.talk, "Still me.")
    assert (await two.ben.hears("event", room=two.talk, seq=1))["by"]["id"] == was


async def test_no_other_face_is_put_on_in_a_talk(house: House) -> None:
    two = await Two.in_talk(house)
    refused = await two.ben.refused(
        "say", room=two.talk, cid=new_cid(), text="As myself.", **{"as": "named"}
    )
    assert refused["code"] == "forbidden"


# -- ending --------------------------------------------------------------------------------------


async def test_once_ended_it_is_read_and_taken_back_but_nothing_is_added(house: House) -> None:
    two = await Two.in_talk(house)
    said = await two.ana.say(two.talk, "To be taken back.")
    await two.ben.ask("talk_end", room=two.talk, cid=new_cid())
    ended = await two.ana.hears("event", room=two.talk, kind="end")
    assert ended["by"]["id"] == two.you(two.ben)
    for op, fields in (
        ("say", {"text": "One more."}),
        ("edit", {"seq": said["seq"], "text": "Changed."}),
        ("react", {"seq": said["seq"], "emoji": "👍", "on": True}),
        ("talk_end", {}),
    ):
        refused = await two.ana.refused(op, room=two.talk, cid=new_cid(), **fields)
        assert refused["code"] == "frozen", op
    await two.ana.ask("redact", room=two.talk, seq=said["seq"], cid=new_cid())
    joined = await (await house.guest(two.names[0])).join(two.talk)
    assert joined["mode"]["frozen"]
    assert joined["talk"]["state"] == "closed"
    again = await two.ben.refused("talk", room="world", seq=two.seq, cid=new_cid())
    assert again["code"] == "forbidden"


# -- moderators ----------------------------------------------------------------------------------


async def test_a_moderator_reads_hides_and_mutes_only_by_what_is_reported(house: House) -> None:
    two = await Two.in_talk(house)
    kept = f"kept{secrets.token_hex(4)}"
    await two.ben.say(two.talk, f"Nobody reports this: {kept}")
    bad = await two.ben.say(two.talk, "Send me his name.")
    report = {"room": two.talk, "seq": bad["seq"], "kind": "harassment"}
    await two.ana.ask("report", cid=new_cid(), **report)
    await house.guest("moira")
    async with house.http(house.passes["moira"]) as http:
        answer = await http.get("/api/reports")
        assert kept not in answer.text
        (found,) = [each for each in answer.json()["reports"] if each["room"] == two.talk]
        assert found["event"]["text"] == "Send me his name."
        with pytest.raises(Refused, match="not_found"):
            await house.moderate("mute", two.talk, 1, minutes=5)
        await house.moderate("mute", two.talk, bad["seq"], minutes=5)
        muted = await two.ben.refused("say", room=two.talk, text="Well?", cid=new_cid())
        assert muted["code"] == "muted"
        around = await http.get(f"/api/reports/{found['id']}/context")
        assert [each["seq"] for each in around.json()["events"]] == [bad["seq"]]
        with pytest.raises(Refused, match="not_found"):
            await house.moderate("hide", two.talk, 1)
        await house.moderate("hide", two.talk, bad["seq"], reason="harassment")
    seen = await two.ana.hears("event", room=two.talk, kind="mod.hide")
    assert (seen["by"]["role"], seen["reason"]) == ("moderator", "harassment")
    await two.ben.hears("event", kind="notice", notice="hidden", about=two.talk)
    asked = {"act": "hide", "room": two.talk, "seq": bad["seq"], "reason": "other"}
    assert (await two.ana.refused("moderate", **asked, cid=new_cid()))["code"] == "forbidden"


# -- seen and writing ----------------------------------------------------------------------------


async def test_seen_and_writing_reach_the_other_one_alone(house: House) -> None:
    two = await Two.in_talk(house)
    await two.ben.say(two.talk, "Have you read this?")
    own = await house.guest(two.names[0], two.talk)
    await two.ana.ask("seen", room=two.talk, seq=2**40)
    assert (await two.ben.hears("seen", room=two.talk))["seq"] == 1
    await two.ana.ask("writing", room=two.talk, on=True)
    assert (await two.ben.hears("writing", room=two.talk))["on"]
    persona = persona_of(two)
    house.lounge.signals.hear(msgspec.msgpack.encode(Signal(two.talk, persona, on=False)))
    await two.ben.hears("writing", room=two.talk, on=False)  # as another process passes it on
    for guest in (own, two.ana):
        await guest.ask("ping")
        assert not [f for f in guest.frames if f["op"] in ("seen", "writing")]


async def test_whoever_turns_signals_off_neither_sends_nor_is_shown_any(house: House) -> None:
    two = await Two.in_talk(house)
    await two.ana.ask("signals", on=False)
    await two.ana.ask("writing", room=two.talk, on=True)
    await two.ben.ask("writing", room=two.talk, on=True)
    assert not (await (await house.guest(two.names[0])).join(two.talk))["talk"]["signals"]
    await two.ana.ask("signals", on=True)
    await two.ana.ask("seen", room=two.talk, seq=0)
    await two.ben.hears("seen", room=two.talk)
    await two.ana.ask("ping")
    for guest in (two.ana, two.ben):
        assert not [f for f in guest.frames if f["op"] == "writing"]


async def test_rooms_know_no_seen_and_no_writing(house: House) -> None:
    ana = await house.guest("ana", "world")
    for op, fields in (("seen", {"seq": 1}), ("writing", {"on": True})):
        assert (await ana.refused(op, room="world", **fields))["code"] == "invalid"


async def test_who_comes_and_goes_in_a_talk_is_not_counted(house: House) -> None:
    two = await Two.in_talk(house)
    assert (await two.ana.join(two.talk))["present"] == {"min": 1, "max": 2}
    await two.ben.ask("leave", room=two.talk)
    assert (await two.ana.join(two.talk))["present"] == {"min": 1, "max": 2}
    assert two.talk not in house.lounge.news.roster._here


async def test_signals_cross_processes_sealed_and_wait_for_no_redis(redis_url: str) -> None:
    key, name = secrets.token_bytes(32), secrets.token_hex(8)
    heard: list[bytes] = []
    told = asyncio.Event()

    def hear(body: bytes) -> None:
        heard.append(body)
        told.set()

    redis = Redis.from_url(redis_url)
    here = Bus(redis, name, key, lambda _: None, lambda: None, heard.append)
    there = Bus(redis, name, key, lambda _: None, lambda: None, hear)
    here.signal(b"before there was a Redis")
    async with redis.pubsub() as stranger:
        await stranger.psubscribe(f"lounge:{name}:signal")
        running = [asyncio.create_task(bus.run()) for bus in (here, there)]
        await until(lambda: here.is_up and there.is_up)
        here.signal(b"somebody writes")
        await told.wait()
        assert heard == [b"somebody writes"]
        seen = [await stranger.get_message(timeout=5) for _ in range(2)]
        assert seen[1] is not None
        assert b"somebody" not in seen[1]["data"]
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await redis.aclose()


# -- the rows, on both databases -----------------------------------------------------------------


async def test_of_one_asker_and_one_asked_there_is_one_talk(stores: Stores) -> None:
    room = await new_room(stores.lounge)
    async with writing(stores.lounge) as writer:
        await settled(writer, say(room), say(room, persona=BEN))
        asking = [
            act(room, steps=[talks.asking(f"talk/{n}", "world", BEN, ANA, [BEN, b"b" * 16])])
            for n in range(3)
        ]
        answers = await settled(writer, *asking)
        assert [isinstance(each, Missed) for each in answers] == [False, True, True]
        back = talks.asking("talk/back", "world", ANA, BEN, [ANA])
        (missed,) = await settled(writer, act(room, steps=[back]))
        assert isinstance(missed, Missed)
        moves = [(ASKED, DECLINED), (ASKED, OPEN)]
        answers = await settled(
            writer, *(act(room, steps=[talks.moving("talk/0", *move)]) for move in moves)
        )
        assert [isinstance(each, Missed) for each in answers] == [False, True]
        (done,) = await settled(writer, act(room, steps=[back]))
        assert not isinstance(done, BaseException)
    assert await _states(stores.lounge) == {"talk/0": DECLINED, "talk/back": ASKED}


async def test_only_an_open_talk_takes_anything_and_only_its_two_have_its_head(
    stores: Stores,
) -> None:
    room = await new_room(stores.lounge)
    slug = f"talk/{secrets.token_hex(8)}"
    async with writing(stores.lounge) as writer:
        await settled(writer, say(room), say(room, persona=BEN))
        await settled(writer, act(room, steps=[talks.asking(slug, "world", BEN, ANA, [BEN])]))
        guard = talks.stands_open(slug)
        for was, state in ((ASKED, OPEN), (OPEN, CLOSED)):
            (before,) = await settled(writer, act(room, steps=[guard]))
            assert isinstance(before, Missed) is (was == ASKED)
            await settled(writer, act(room, steps=[talks.moving(slug, was, state)]))
        (after,) = await settled(writer, act(room, steps=[guard]))
        assert isinstance(after, Missed)
    await entries.room_id(stores.lounge, slug)
    async with stores.lounge.reading() as connection:
        ours = {head.slug for head in await talks.heads(connection, [slug])}
        theirs = {head.slug for head in await talks.heads(connection, [])}
        assert ours - theirs == {slug}
        assert [each.slug for each in await talks.of(connection, [ANA])] == [slug]
        assert await talks.of(connection, [b"c" * 16]) == []


def persona_of(two: Two) -> bytes:
    """Ana's persona as a signal names it."""
    id = persona_id(two.you(two.ana))
    assert id is not None
    return id


async def _states(database: Database) -> dict[str, str]:
    async with database.reading() as connection:
        return {each.slug: each.state for each in await talks.of(connection, [ANA, BEN])}
