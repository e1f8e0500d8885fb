"""Polls: who sees which counts and when, what a vote leaves behind, and that each counts once."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from lounge.clock import now_ms
from lounge.counting import CLOSE, COUNT, Counting
from lounge.house_acts import HouseActs
from storage import due, polls, schema
from storage.acts import Missed
from storage.database import Database
from storage.due import Due
from storage.polls import Ballot, Counts, Poll
from storage.writer import Writer
from tests.acts import act, draft, log_of, new_room, settled, writing
from tests.stores import BOTH, START, Stores, open_either
from tests.support import Guest, House, new_cid, open_house

ROOM = "specialty/cardiology"
CHOICES = ["Heparin", "Wait for the scan", "Neither"]
AT_ONCE = 12
"""So many voters of a test are all different doctors."""
_names = count(1)


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("polls")
    async with open_house(folder, redis_url) as house:
        yield house


class Asked:
    """Ana's poll in cardiology, and whoever votes in it."""

    def __init__(self, house: House, ana: Guest, seq: int, id: str) -> None:
        self.house, self.ana, self.seq, self.id = house, ana, seq, id

    @classmethod
    async def by_ana(cls, house: House, room: str = ROOM, **how: Any) -> Asked:
        ana = await house.guest(f"ana-{next(_names) % AT_ONCE}", room)
        question = {"question": "What first?", "choices": CHOICES, "cid": new_cid(), **how}
        seq = (await ana.ask("poll", room=room, **question))["seq"]
        event = (await ana.reaches(room, seq))[-1]
        return cls(house, ana, seq, event["id"])

    async def voter(self) -> Guest:
        return await self.house.guest(f"voter-{next(_names) % AT_ONCE}", ROOM)

    async def vote(self, guest: Guest, *choices: int, **fields: Any) -> dict[str, Any]:
        fields.setdefault("cid", new_cid())
        return await guest.ask("vote", room=ROOM, seq=self.seq, choices=list(choices), **fields)

    async def refused(self, guest: Guest, *choices: int) -> str:
        fields = {"room": ROOM, "seq": self.seq, "choices": list(choices), "cid": new_cid()}
        return str((await guest.refused("vote", **fields))["code"])

    async def tally(self, guest: Guest) -> dict[str, Any]:
        answer = await guest.ask("tally", room=ROOM, seq=self.seq)
        return {name: answer[name] for name in ("votes", "own", "counts") if name in answer}

    async def told(self) -> None:
        """Half a minute later."""
        await self.house.come_due(self.id)

    async def closed(self) -> dict[str, Any]:
        done = await self.ana.ask("poll_close", room=ROOM, seq=self.seq, cid=new_cid())
        return (await self.ana.reaches(ROOM, done["seq"]))[-1]

    async def served(self) -> dict[str, Any]:
        """The poll as whoever comes later reads it."""
        page = await self.ana.ask("history", room=ROOM, around=self.seq, limit=1)
        event: dict[str, Any] = page["events"][0]
        return event


# -- asking --------------------------------------------------------------------------------------


async def test_a_poll_is_asked_by_a_persona_and_read_by_all_in_the_same_bytes(house: House) -> None:
    ben = await house.guest("ben", ROOM)
    asked = await Asked.by_ana(house, multiple=True, closes_in=60)
    heard = await ben.hears("event", room=ROOM, seq=asked.seq)
    assert heard == await asked.ana.hears("event", room=ROOM, seq=asked.seq)
    assert (heard["kind"], heard["question"], heard["choices"]) == (
        "poll.open",
        "What first?",
        CHOICES,
    )
    assert (heard["multiple"], heard["final"], heard["shown"]) == (True, False, "voted")
    assert heard["closes"] > heard["at"]
    you = await asked.ana.ask("preview", room=ROOM)
    assert heard["by"] == you["by"]
    assert await asked.served() == heard


async def test_asking_twice_is_one_poll(house: House) -> None:
    ana = await house.guest("ana", ROOM)
    question = {"question": "What first?", "choices": CHOICES, "cid": new_cid(), "room": ROOM}
    first = await ana.ask("poll", **question)
    again = await ana.ask("poll", **question)
    assert (again["seq"], again["duplicate"]) == (first["seq"], True)
    other = await ana.refused("poll", **{**question, "final": True})
    assert other["code"] == "cid_conflict"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"choices": [str(n) for n in range(9)]}, "invalid"),
        ({"choices": ["Only one"]}, "invalid"),
        ({"choices": ["Heparin", " heparin "]}, "invalid"),
        ({"choices": ["Heparin", "  "]}, "invalid"),
        ({"choices": ["Heparin", "x" * 121]}, "too_long"),
        ({"question": " "}, "invalid"),
        ({"question": "x" * 301}, "too_long"),
        ({"question": "Write to jane@example.org?"}, "held_privacy"),
        ({"choices": ["Call +1 416 555 0123", "Wait"]}, "held_privacy"),
        ({"choices": ["Heparin", "Wait\0"]}, "invalid"),
        ({"shown": "author"}, "invalid"),
        ({"closes_in": 0}, "invalid"),
        ({"room": "me"}, "forbidden"),
    ],
)
async def test_what_is_no_poll_is_refused(house: House, wrong: dict[str, Any], code: str) -> None:
    guest = await house.guest(f"asker-{next(_names)}", ROOM, "me")
    question = {"room": ROOM, "question": "What first?", "choices": CHOICES, "cid": new_cid()}
    command = {"op": "poll", "ref": "bad", **question, **wrong}
    guest._ops["bad"] = "poll"
    await guest.socket.send(json.dumps(command))
    refused = await guest.hears("error", ref="bad")
    assert refused["code"] == code
    if code == "held_privacy":
        assert refused["field"] in wrong


async def test_of_two_there_is_no_poll(house: House) -> None:
    ana, ben = [await house.guest(name, "world") for name in ("ana", "ben")]
    said = await ana.say("world", "What would you do?")
    talk = (await ben.ask("talk", room="world", seq=said["seq"], cid=new_cid()))["talk"]
    await ana.ask("talk_answer", talk=talk, accept=True, cid=new_cid())
    await ana.join(talk)
    question = {"question": "Which?", "choices": CHOICES, "cid": new_cid()}
    assert (await ana.refused("poll", room=talk, **question))["code"] == "invalid"


async def test_in_a_consult_there_is_none_before_the_opinions_are_unsealed(house: House) -> None:
    ana, ben = [await house.guest(name, "world") for name in ("ana", "ben")]
    case = {"question": "Heparin now?", "specialties": ["cardiology"], "urgency": "now"}
    room = (await ana.ask("consult", **case, cid=new_cid()))["consult"]
    question = {"question": "What first?", "choices": CHOICES, "room": room}
    for guest in (ana, ben):
        await guest.join(room)
        assert (await guest.refused("poll", **question, cid=new_cid()))["code"] == "forbidden"
    await ana.ask("unseal", room=room, cid=new_cid())
    poll = {"room": room, "seq": (await ben.ask("poll", **question, cid=new_cid()))["seq"]}
    assert (await ana.ask("vote", **poll, choices=[2], cid=new_cid()))["counts"] == [0, 0, 1]


async def test_a_doctor_asks_only_so_many(house: House) -> None:
    guest = await house.guest(f"eager-{next(_names)}", ROOM)
    question = {"room": ROOM, "question": "What first?", "choices": CHOICES}
    for _ in range(10):
        await guest.ask("poll", **question, cid=new_cid())
    assert (await guest.refused("poll", **question, cid=new_cid()))["code"] == "rate_limited"


# -- voting --------------------------------------------------------------------------------------


async def test_counts_are_shown_to_who_has_voted_and_to_nobody_else(house: House) -> None:
    asked = await Asked.by_ana(house)
    ben, chiara = await asked.voter(), await asked.voter()
    voted = await asked.vote(ben, 1)
    assert (voted["votes"], voted["own"], voted["counts"]) == (1, [1], [0, 1, 0])
    await asked.told()
    assert await asked.tally(chiara) == {"votes": 1}
    assert await asked.tally(asked.ana) == {"votes": 1}, "nor to who asked"


async def test_what_others_chose_is_shown_in_steps_and_ones_own_at_once(house: House) -> None:
    asked = await Asked.by_ana(house)
    ben, chiara = await asked.voter(), await asked.voter()
    await asked.vote(ben, 0)
    assert (await asked.vote(chiara, 2))["counts"] == [0, 0, 1], "ben's was seen to come"
    await asked.told()
    heard = await ben.hears("event", room=ROOM, kind="poll.count", target=asked.seq)
    assert heard["votes"] == 2
    for guest in (ben, chiara):
        assert (await asked.tally(guest))["counts"] == [1, 0, 1]
    assert (await asked.vote(ben, 1))["counts"] == [0, 1, 1]
    assert (await asked.tally(chiara))["counts"] == [1, 0, 1]
    await asked.told()
    assert (await asked.tally(chiara))["counts"] == [0, 1, 1]


async def test_what_is_shown_at_the_end_is_shown_to_nobody_before(house: House) -> None:
    asked = await Asked.by_ana(house, shown="closed")
    ben = await asked.voter()
    assert "counts" not in await asked.vote(ben, 0)
    await asked.told()
    assert await asked.tally(ben) == {"votes": 1, "own": [0]}
    assert "counts" not in await asked.served()
    end = await asked.closed()
    assert (end["target"], end["votes"], end["counts"]) == (asked.seq, 1, [1, 0, 0])
    assert await asked.tally(asked.ana) == {"votes": 1, "counts": [1, 0, 0]}


async def test_several_are_chosen_only_where_that_is_allowed(house: House) -> None:
    one, several = await Asked.by_ana(house), await Asked.by_ana(house, multiple=True)
    ben = await one.voter()
    assert await one.refused(ben, 0, 1) == "invalid"
    assert (await several.vote(ben, 2, 0))["counts"] == [1, 0, 1]
    assert await several.refused(ben, 1, 1) == "invalid"
    assert await several.refused(ben, 3) == "invalid"


async def test_a_final_vote_is_not_changed(house: House) -> None:
    asked = await Asked.by_ana(house, final=True)
    ben = await asked.voter()
    await asked.vote(ben, 0)
    assert await asked.refused(ben, 1) == "forbidden"
    assert (await asked.tally(ben))["own"] == [0]


@pytest.mark.parametrize("final", [True, False])
async def test_of_two_tabs_one_vote_counts(house: House, final: bool) -> None:
    asked = await Asked.by_ana(house, final=final)
    name = f"voter-{next(_names)}"
    tabs = [await house.guest(name, ROOM) for _ in range(2)]
    votes = [asked.vote(tab, n) for n, tab in enumerate(tabs)]
    answers = await asyncio.gather(*votes, return_exceptions=True)
    failed = [each.code for each in answers if isinstance(each, BaseException)]  # type: ignore[attr-defined]
    assert failed == (["forbidden"] if final else [])
    assert (await asked.closed())["votes"] == 1


async def test_a_vote_that_is_sent_again_is_answered_as_things_stand(house: House) -> None:
    asked = await Asked.by_ana(house, final=True)
    ben, cid = await asked.voter(), new_cid()
    await asked.vote(ben, 0, cid=cid)
    again = await asked.vote(ben, 0, cid=cid)
    assert (again["duplicate"], again["votes"]) == (True, 1)
    conflict = await ben.refused("vote", room=ROOM, seq=asked.seq, choices=[1], cid=cid)
    assert conflict["code"] == "cid_conflict"


async def test_nobody_votes_in_what_is_no_poll(house: House) -> None:
    ana = await house.guest("ana", ROOM)
    said = await ana.say(ROOM, "Heparin first.")
    for seq in (said["seq"], 2**50):
        for op, fields in (
            ("vote", {"choices": [0], "cid": new_cid()}),
            ("tally", {}),
            ("poll_close", {"cid": new_cid()}),
        ):
            refused = await ana.refused(op, room=ROOM, seq=seq, **fields)
            assert refused["code"] == "not_found", op


async def test_who_is_muted_neither_asks_nor_votes(house: House) -> None:
    asked = await Asked.by_ana(house)
    ben = await house.guest("loud", ROOM)
    said = await ben.say(ROOM, "Buy my book.")
    await house.moderate("mute", ROOM, said["seq"], minutes=60)
    assert await asked.refused(ben, 0) == "muted"
    question = {"question": "What first?", "choices": CHOICES, "cid": new_cid()}
    assert (await ben.refused("poll", room=ROOM, **question))["code"] == "muted"
    assert await asked.tally(ben) == {"votes": 0}


# -- ending --------------------------------------------------------------------------------------


async def test_only_who_asked_ends_it_and_once(house: House) -> None:
    asked = await Asked.by_ana(house)
    ben = await asked.voter()
    fields = {"room": ROOM, "seq": asked.seq}
    assert (await ben.refused("poll_close", **fields, cid=new_cid()))["code"] == "forbidden"
    cid = new_cid()
    first = await asked.ana.ask("poll_close", **fields, cid=cid)
    again = await asked.ana.ask("poll_close", **fields, cid=cid)
    assert (again["seq"], again["duplicate"]) == (first["seq"], True)
    assert (await asked.ana.refused("poll_close", **fields, cid=new_cid()))["code"] == "frozen"
    assert await asked.refused(ben, 0) == "frozen"


async def test_at_its_time_it_ends_by_itself_and_once(house: House) -> None:
    asked = await Asked.by_ana(house, closes_in=1)
    ben = await asked.voter()
    await asked.vote(ben, 1)
    await asyncio.gather(asked.told(), asked.told())
    end = await ben.hears("event", room=ROOM, kind="poll.close", target=asked.seq)
    assert (end["votes"], end["counts"]) == (1, [0, 1, 0])
    after = await ben.ask("history", room=ROOM, after=asked.seq)
    about = [each["kind"] for each in after["events"] if each.get("target") == asked.seq]
    assert about.count("poll.close") == 1


async def test_when_its_time_is_over_nobody_votes_though_it_is_not_yet_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await Asked.by_ana(house, closes_in=1)
    ben = await asked.voter()
    monkeypatch.setattr(house.lounge.polls, "_clock", lambda: now_ms() + 60_000)
    assert await asked.refused(ben, 1) == "frozen"
    assert await asked.tally(ben) == {"votes": 0}


async def test_who_comes_later_reads_how_it_stands(house: House) -> None:
    asked = await Asked.by_ana(house)
    fresh = await asked.served()
    assert {"votes", "counts", "closed"} & set(fresh) == set()
    for choice in (0, 1, 1):
        await asked.vote(await asked.voter(), choice)
    await asked.told()
    assert (await asked.served())["votes"] == 3
    end = await asked.closed()
    served = await asked.served()
    assert (served["votes"], served["counts"], served["closed"]) == (3, [1, 2, 0], end["seq"])
    late = await house.guest(f"late-{next(_names)}")
    await late.join(ROOM, since=asked.seq - 1)
    replayed = await late.hears("event", room=ROOM, seq=asked.seq)
    assert (replayed["counts"], replayed["closed"]) == ([1, 2, 0], end["seq"])


async def test_a_moderator_hides_a_poll_and_nobody_votes_in_it(house: House) -> None:
    asked = await Asked.by_ana(house)
    moira = await house.guest("moira", ROOM)
    hiding = {"room": ROOM, "seq": asked.seq, "cid": new_cid(), "reason": "Not for here."}
    gone = await moira.ask("redact", **hiding)
    await asked.ana.reaches(ROOM, gone["seq"])
    assert (await asked.served())["kind"] == "tombstone"
    assert await asked.refused(await asked.voter(), 0) == "not_found"


async def test_all_who_vote_at_once_are_counted(house: House) -> None:
    asked = await Asked.by_ana(house, multiple=True)
    voters = [await asked.voter() for _ in range(AT_ONCE)]
    chosen = [[n % 3] if n % 2 else sorted({0, n % 3}) for n in range(AT_ONCE)]
    each = (asked.vote(guest, *choices) for guest, choices in zip(voters, chosen, strict=True))
    await asyncio.gather(*each, asked.told())
    end = await asked.closed()
    assert end["votes"] == AT_ONCE
    assert end["counts"] == [sum(place in each for each in chosen) for place in range(3)]


# -- what a vote leaves behind -------------------------------------------------------------------


async def test_a_vote_brings_no_entry_no_persona_and_no_time(house: House) -> None:
    asked = await Asked.by_ana(house)
    ben = await asked.voter()
    before = await _rows(house, "entry"), await _rows(house, "persona")
    await asked.vote(ben, 1)
    assert (await _rows(house, "entry"), await _rows(house, "persona")) == before
    ballot = schema.LOUNGE.tables["ballot"]
    async with house.lounge.database.reading() as connection:
        (row,) = await connection.execute(select(ballot).where(ballot.c.subject == asked.id))
    assert set(row._mapping) == {"key", "subject", "body", "told"}
    assert (row.body, row.told) == (b"[1]", None)


async def test_one_doctors_ballots_in_two_polls_share_no_value(house: House) -> None:
    polls_ = [await Asked.by_ana(house) for _ in range(2)]
    ben = await polls_[0].voter()
    for asked in polls_:
        await asked.vote(ben, 1)
    ballot = schema.LOUNGE.tables["ballot"]
    async with house.lounge.database.reading() as connection:
        ids = [asked.id for asked in polls_]
        found = await connection.execute(select(ballot.c.key).where(ballot.c.subject.in_(ids)))
        keys = [bytes(row.key) for row in found]
    assert len(set(keys)) == 2
    assert [len(key) for key in keys] == [16, 16]


async def _rows(house: House, table: str) -> int:
    async with house.lounge.database.reading() as connection:
        found = await connection.execute(
            select(func.count()).select_from(schema.LOUNGE.tables[table])
        )
        return int(found.scalar_one())


# -- in SQL, on both databases -------------------------------------------------------------------


@pytest.fixture(scope="module", params=BOTH)
async def stores(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stores]:
    async with open_either(request, tmp_path_factory.mktemp("polls")) as stores:
        yield stores


class Box:
    """A poll in a room of its own."""

    def __init__(self, database: Database, poll: Poll) -> None:
        self.database, self.poll = database, poll

    @classmethod
    async def made(cls, database: Database, **how: Any) -> Box:
        room, entry = await new_room(database), draft("poll.open", question="Which?")
        terms = {"multiple": False, "final": False, "shown": "voted", "closes": None, **how}
        poll = Poll(room_id=room, seq=1, id=entry.id, choices=3, **terms)
        await cls(database, poll).do(polls.opening(poll), drafts=(entry,))
        return cls(database, poll)

    async def do(self, *steps: Any, drafts: tuple[Any, ...] = ()) -> bool:
        async with writing(self.database) as writer:
            asked = act(self.poll.room_id, *drafts, steps=steps)
            (done,) = await settled(writer, asked)
        if isinstance(done, BaseException) and not isinstance(done, Missed):
            raise done
        return not isinstance(done, Missed)

    async def cast(self, key: bytes, *chosen: int, now: int = START) -> bool:
        is_sqlite = self.database.is_sqlite
        return await self.do(*polls.casting(is_sqlite, self.poll, key, chosen, now))

    async def now(self) -> tuple[Poll, Counts, Counts]:
        async with self.database.reading() as connection:
            found = await polls.by_id(connection, self.poll.id)
            place = (self.poll.room_id, self.poll.seq)
            assert found == (await polls.at(connection, [place]))[place]
            assert found is not None
            shown = (await polls.shown(connection, [found]))[found.id]
            return found, shown, await polls.cast(connection, found)


async def test_a_ballot_is_changed_in_its_place_unless_it_is_final(stores: Stores) -> None:
    free, final = [await Box.made(stores.lounge, final=each) for each in (False, True)]
    for box in (free, final):
        await box.cast(key := secrets.token_bytes(16), 0)
        assert await box.cast(key, 2) is not box.poll.final
    assert (await free.now())[2] == Counts(1, (0, 0, 1))
    assert (await final.now())[2] == Counts(1, (1, 0, 0))


async def test_told_is_what_was_cast_until_then(stores: Stores) -> None:
    box = await Box.made(stores.lounge, multiple=True)
    first, second = secrets.token_bytes(16), secrets.token_bytes(16)
    await box.cast(first, 0, 1)
    await box.do(polls.telling(box.poll), polls.counting(box.poll, 1))
    await box.cast(first, 1)
    await box.cast(second, 2)
    poll, shown, cast = await box.now()
    assert (poll.told, shown, cast) == (1, Counts(1, (1, 1, 0)), Counts(2, (0, 1, 1)))
    async with stores.lounge.reading() as connection:
        own = await polls.own(connection, [first, second])
    assert own == {first: Ballot((1,), (0, 1)), second: Ballot((2,), None)}
    assert shown.with_own(own[first]) == Counts(1, (0, 1, 0))
    assert shown.with_own(own[second]) == Counts(2, (1, 1, 1))


async def test_a_ballot_between_the_count_and_the_end_stops_that_end(stores: Stores) -> None:
    box = await Box.made(stores.lounge)
    was, _, counted = await box.now()
    await box.cast(secrets.token_bytes(16), 1)
    end = draft("poll.close", target=1, votes=1, counts=[0, 1, 0])
    assert not await box.do(*polls.closing(was, counted.votes), drafts=(end,))
    was, _, counted = await box.now()
    assert await box.do(*polls.closing(was, counted.votes), drafts=(end,))
    assert not await box.cast(secrets.token_bytes(16), 1)
    poll, shown, cast = await box.now()
    assert (poll.closed, shown, cast) == (2, Counts(1, (0, 1, 0)), Counts(1, (0, 1, 0)))
    async with stores.lounge.reading() as connection:
        stands = await polls.states(connection, poll.room_id, [1])
    assert stands == {1: {"votes": 1, "counts": [0, 1, 0], "closed": 2}}


async def test_while_many_vote_two_processes_end_it_once_with_every_vote_that_was_answered(
    stores: Stores,
) -> None:
    box = await Box.made(stores.lounge, multiple=True)
    count_, close = [
        Due(f"{what} {box.poll.id}", what, box.poll.id, START) for what in (COUNT, CLOSE)
    ]
    await box.do(*(due.add(each.id, each.kind, each.subject, each.at) for each in (count_, close)))
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(_process(stores)) for _ in range(2)]
        ends = [each.close(close) for _, each in writers]
        acts = [*(_casts(box, writer, n) for n, (writer, _) in enumerate(writers * 6)), *ends]
        took, *_ = await asyncio.gather(
            _votes_taken(acts), *(each.count(count_) for _, each in writers)
        )
    poll, shown, cast = await box.now()
    log = await log_of(stores.lounge, poll.room_id)
    (end,) = [each.body for each in log if each.kind == "poll.close"]
    assert end == {"votes": took, "counts": list(cast.of)}
    assert (shown, cast.votes) == (cast, took)
    async with stores.lounge.reading() as connection:
        assert await due.waiting(connection, poll.id) == []


@asynccontextmanager
async def _process(stores: Stores) -> AsyncIterator[tuple[Writer, Counting]]:
    """What ends polls, as one process has it."""
    database = Database(stores.settings.database_url)
    async with writing(database) as writer:
        yield writer, Counting(database, HouseActs(writer))
    await database.close()


async def _casts(box: Box, writer: Writer, n: int) -> None:
    steps = polls.casting(box.database.is_sqlite, box.poll, secrets.token_bytes(16), [n % 3], START)
    await writer.submit(act(box.poll.room_id, steps=steps))


async def _votes_taken(acts: Sequence[Awaitable[None]]) -> int:
    """How many of them were not refused, the two ends aside."""
    done = await asyncio.gather(*acts, return_exceptions=True)
    assert all(each is None or isinstance(each, Missed) for each in done), done
    return sum(each is None for each in done) - 2


async def test_at_its_time_no_ballot_is_taken(stores: Stores) -> None:
    box = await Box.made(stores.lounge, closes=START)
    assert await box.cast(secrets.token_bytes(16), 0, now=START - 1)
    assert not await box.cast(secrets.token_bytes(16), 0, now=START)
