"""The board of moderators: what goes on in rooms, in counts, as it goes on and without a word of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.moderating.board import Board
from lounge.moderating.hour import MINUTES, Hour
from lounge.moderating.lines import Open, needs, read_counts
from lounge.moderating.pulse import KEPT_MINUTES, Pulse, minute_of
from lounge.news import News
from lounge.rooms import open_catalogue
from storage import board, entries
from storage import pulse as minutes
from storage.moderating import RoomMode
from storage.pulse import Noted
from storage.schema import card, consult, entry, pulse, report, room, waiting
from tests.stores import START, Clock, Stores
from tests.support import Guest, House, new_cid, open_house

ROOM = "specialty/cardiology"
NOW = minute_of(START)


# -- minutes, on both databases ------------------------------------------------------------------


@pytest.fixture
async def clock() -> Clock:
    return Clock()


@pytest.fixture
async def counted(stores: Stores, clock: Clock) -> tuple[News, Pulse]:
    """What one process knows of rooms, and what it keeps of their minutes."""
    for slug in ("world", ROOM, "talk/of-two"):
        await entries.room_id(stores.lounge, slug)
    news = News(None, None)  # type: ignore[arg-type]  # nobody is counted here
    return news, Pulse(stores.lounge, news, open_catalogue(), clock=clock)


async def said(stores: Stores, news: News, slug: str, says: int) -> None:
    """So many have been said there so far."""
    async with stores.lounge.writing() as connection:
        await connection.execute(update(room).where(room.c.slug == slug).values(says=says))
    news.note(slug, says, says)


async def hour(stores: Stores, now: int, *rooms: str) -> Hour:
    read = Hour()
    async with stores.lounge.reading() as connection:
        await read.read(connection, now, rooms)
    return read


async def test_a_minute_is_kept_once_by_whoever_is_first(
    stores: Stores, clock: Clock, counted: tuple[News, Pulse]
) -> None:
    news, first = counted
    second = Pulse(stores.lounge, news, open_catalogue(), clock=clock)
    await said(stores, news, ROOM, 3)
    clock.now += 60_000
    await first.write()
    await said(stores, news, ROOM, 5)
    await second.write()
    async with stores.lounge.reading() as connection:
        assert await minutes.ends(connection, NOW - 5, NOW + 1) == [minutes.End(ROOM, NOW, 3)]
    clock.now += 60_000
    await second.write()
    read = await hour(stores, NOW + 2, ROOM, "world")
    assert read.past(ROOM)[-2:] == (3, 2)
    assert sum(read.past(ROOM)) == 5
    assert (read.running(ROOM, 9), read.running("world", 0)) == (4, 0)
    assert read.past("world") == ()


async def test_a_room_that_woke_up_is_counted_from_where_it_fell_asleep(
    stores: Stores, clock: Clock, counted: tuple[News, Pulse]
) -> None:
    news, counts = counted
    await said(stores, news, ROOM, 100)
    clock.now += 60_000
    await counts.write()
    later = NOW + 10 * KEPT_MINUTES
    clock.now = later * 60_000
    await counts.write()
    assert (await hour(stores, later, ROOM)).running(ROOM, 104) == 4
    await said(stores, news, ROOM, 104)
    clock.now += 60_000
    await counts.write()
    assert (await hour(stores, later + 1, ROOM)).past(ROOM)[-1] == 4


async def test_what_is_older_than_two_hours_is_dropped(
    stores: Stores, clock: Clock, counted: tuple[News, Pulse]
) -> None:
    news, counts = counted
    for says in (1, 2, 3):
        await said(stores, news, ROOM, says)
        clock.now += 60_000
        await counts.write()
    clock.now += (KEPT_MINUTES + 40) * 60_000
    await counts.write()
    async with stores.lounge.reading() as connection:
        kept = (await connection.execute(select(pulse.c.says))).scalars().all()
    assert kept == [3]


async def test_what_was_held_or_let_pass_is_summed_over_processes(
    stores: Stores, clock: Clock, counted: tuple[News, Pulse]
) -> None:
    news, first = counted
    second = Pulse(stores.lounge, news, open_catalogue(), clock=clock)
    for counts in (first, second):
        counts.note(ROOM, "held")
        counts.note(ROOM, "waived")
        counts.note("talk/of-two", "held")
        await counts.write()
        await counts.write()
    clock.now += 60_000
    first.note(ROOM, "held")
    await first.write()
    read = await hour(stores, NOW + 1, ROOM)
    assert (read.held(ROOM), read.waived(ROOM)) == (3, 2)
    assert read.rooms() == {ROOM}
    async with stores.lounge.reading() as connection:
        assert Noted(ROOM, NOW, 2, 2) in await minutes.noted(connection, NOW)


async def test_an_hour_is_read_on_without_reading_it_again(
    stores: Stores, clock: Clock, counted: tuple[News, Pulse]
) -> None:
    news, counts = counted
    read, says = Hour(), 0
    for minute in range(NOW, NOW + 8):
        says += 2
        await said(stores, news, ROOM, says)
        clock.now += 60_000
        await counts.write()
        async with stores.lounge.reading() as connection:
            await read.read(connection, minute + 1, [ROOM])
    assert read.past(ROOM) == (0,) * (MINUTES - 9) + (2,) * 8
    assert read.past(ROOM) == (await hour(stores, NOW + 8, ROOM)).past(ROOM)
    assert read.running(ROOM, says + 1) == 1
    async with stores.lounge.reading() as connection:
        await read.read(connection, NOW + MINUTES + 3, [ROOM])
    assert read.past(ROOM) == (2,) * 4 + (0,) * (MINUTES - 5)


# -- what is counted, on both databases ----------------------------------------------------------


async def test_reports_hidden_entries_and_held_texts_are_counted_by_room(stores: Stores) -> None:
    number = await entries.room_id(stores.lounge, ROOM)
    hides = {2: {"role": "crowd", "pending": True}, 4: {"role": "moderator"}}
    said = {"id": "an-entry", "at": START, "says": 1, "digest": b"", "body": None, "hidden": None}
    async with stores.lounge.writing() as connection:
        for seq, hidden in ((1, 2), (3, 4), (5, None)):
            row = {**said, "room_id": number, "seq": seq, "kind": "say", "hidden": hidden}
            await connection.execute(insert(entry).values(**row))
        for seq, body in hides.items():
            row = {**said, "room_id": number, "seq": seq, "kind": "mod.hide"}
            row["body"] = json.dumps(body).encode()
            await connection.execute(insert(entry).values(**row))
        reported = (
            *((1, "advertising"), (1, "advertising"), (1, "patient_identifiable")),
            *((3, "harassment"), (5, "dangerous_advice")),
        )
        for n, (seq, kind) in enumerate(reported):
            row = {"id": f"report-{n}", "room_id": number, "seq": seq, "kind": kind}
            row |= {"persona": b"", "at": START + n}
            await connection.execute(insert(report).values(**row))
        closed = {"id": "closed", "room_id": number, "seq": 5, "kind": "other", "at": START}
        await connection.execute(insert(report).values(**closed, persona=b"", outcome="dismissed"))
        held = {"id": "held", "room_id": number, "rule": "a-rule", "sealed": b"", "at": START}
        await connection.execute(insert(waiting).values(**held))
        await consults_of(connection)
    async with stores.lounge.reading() as connection:
        counts = await read_counts(connection)
        cases = await board.cases(connection, ["consult/waits", "consult/nowhere"])
    assert counts.open_reports(ROOM) == Open(open=5, urgent=4, oldest=START)
    assert counts.hidden_pending(ROOM) == 1
    assert (counts.holds, counts.waiting) == ({ROOM: 1}, {ROOM: 1})
    assert {slug: case.specialties for slug, case in cases.items()} == {
        "consult/waits": ("cardiology", "neurology")
    }
    assert counts.open_reports("world") == Open()


async def consults_of(connection: AsyncConnection) -> None:
    """One that waits for an opinion, one that has one, one that is decided; each announced once."""
    cases = {"waits": ("open", None), "answered": ("open", 3), "decided": ("decided", None)}
    for n, (name, (state, first)) in enumerate(cases.items()):
        slug, room_id = f"consult/{name}", 1_000 + n
        row = {"slug": slug, "room_id": room_id, "author": b"", "urgency": "now", "state": state}
        row |= {"specialties": "cardiology neurology", "opened": START, "first": first}
        await connection.execute(insert(consult).values(**row))
        here = select(room.c.id).where(room.c.slug == ROOM).scalar_subquery()
        placed = {"room_id": here, "seq": n + 1, "consult": slug}
        await connection.execute(insert(card).values(**placed))


# -- what needs eyes -----------------------------------------------------------------------------


def test_a_patient_comes_before_any_number_of_other_reports_and_those_before_a_busy_room() -> None:
    order: list[dict[str, Any]] = [
        {},
        {"waiting": 1},
        {"lately": 5_000},
        {"reports": Open(1, 0, START)},
        {"reports": Open(1, 0, START - 3_600_000)},
        {"reports": Open(3, 0, START), "hidden_pending": 1},
        {"reports": Open(1, 1, START), "hidden_pending": 1},
    ]
    scores = [needs(START, **each) for each in order]
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)
    assert scores[0] == 0


# -- over the wire and HTTP ----------------------------------------------------------------------


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("board")
    async with open_house(folder, redis_url) as house:
        yield house


class Shown:
    """The board as a client has it, from the answer and what was told since."""

    def __init__(self, guest: Guest, rooms: list[dict[str, Any]]) -> None:
        self._guest = guest
        self._since = len(guest.frames)
        self.rooms = {each["room"]: each for each in rooms}

    async def until(self, room: str, stands: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The room, once it stands so."""
        while not (room in self.rooms and stands(self.rooms[room])):
            frame = await self._guest.sees(lambda f: f["op"] == "board", since=self._since)
            self._since = self._guest.frames.index(frame, self._since) + 1
            for each in frame["rooms"]:
                self._take(each)
        return self.rooms[room]

    def _take(self, change: dict[str, Any]) -> None:
        line = self.rooms.setdefault(change["room"], {"says": []})
        line |= {name: value for name, value in change.items() if name != "now"}
        if "now" in change:
            line["says"] = [*(line["says"] or [0] * MINUTES)[:-1], change["now"]]


async def opened(house: House, name: str = "moira") -> Shown:
    moderator = await house.guest(name)
    return Shown(moderator, (await moderator.ask("board", on=True))["rooms"])


async def test_a_message_is_on_the_board_in_the_next_round(house: House) -> None:
    ana = await house.guest("ana", ROOM)
    shown = await opened(house)
    before = sum(shown.rooms[ROOM]["says"])
    await ana.say(ROOM, "Good evening.")
    await ana.say(ROOM, "Anybody on call?")
    line = await shown.until(ROOM, lambda line: sum(line["says"]) == before + 2)
    assert line["title"] == {"en": "Cardiology", "fr": "Cardiologie"}
    assert len(line["says"]) == MINUTES


async def test_the_board_has_every_room_of_the_list_and_no_word_that_was_said(house: House) -> None:
    ben = await house.guest("ben", "world")
    await ben.say("world", "Xylophone in the waiting room.")
    shown = await opened(house)
    assert {room.id for room in house.lounge.rooms.rooms()} <= set(shown.rooms)
    async with house.http(await house.token("moira")) as http:
        answer = await http.get("/api/board")
    assert {each["room"] for each in answer.json()["rooms"]} == set(shown.rooms)
    assert "xylophone" not in answer.text.lower()
    assert "xylophone" not in json.dumps(shown._guest.frames).lower()


async def test_nobody_but_a_moderator_has_a_board(house: House) -> None:
    ana = await house.guest("ana")
    assert (await ana.refused("board", on=True))["code"] == "forbidden"
    async with house.http(await house.token("ana")) as http:
        assert (await http.get("/api/board")).status_code == 403


async def test_two_who_watch_are_told_by_one_reader_and_nothing_is_read_for_nobody(
    house: House,
) -> None:
    shown = house.lounge.moderating.board
    others, shown.watchers = shown.watchers, set()
    await house.doctor("moira-too", roles=["moderator"])
    both = [await house.guest("moira"), await house.guest("moira-too")]
    for each in both:
        await each.ask("board", on=True)
    apart = Board(  # which no clock of the lounge reads beside us
        database=shown._database,
        catalogue=shown._catalogue,
        news=shown._news,
        mode=shown._mode,
        is_hinted=shown._is_hinted,
    )
    apart.watchers = set(shown.watchers)
    await apart.round()
    assert (len(apart.watchers), apart.reads) == (2, 1)
    for each in both:
        await each.ask("board", on=False)
    apart.watchers = set(shown.watchers)
    await apart.round()
    assert (len(apart.watchers), apart.reads) == (0, 1)
    shown.watchers = others


async def test_what_did_not_change_is_not_told_again(house: House) -> None:
    shown = await opened(house)
    told = len(shown._guest.frames)
    await house.lounge.moderating.board.round()
    await house.lounge.moderating.board.round()
    await shown._guest.ask("ping")
    for frame in shown._guest.frames[told:]:
        if frame["op"] == "board":
            assert all(len(each) > 1 for each in frame["rooms"])
            assert len(frame["rooms"]) < 5


async def test_a_case_without_an_opinion_is_on_the_board_of_those_it_asks(house: House) -> None:
    ana = await house.guest("ana")
    shown = await opened(house)
    before = shown.rooms["specialty/neurology"]["waiting"]
    case = {
        "question": "Would you lyse a week-old stroke with a new embolus?",
        "urgency": "today",
        "specialties": ["neurology"],
        "cid": new_cid(),
    }
    consult = (await ana.ask("consult", **case))["consult"]
    await shown.until("specialty/neurology", lambda line: line["waiting"] == before + 1)
    await ana.join(consult)
    await ana.say(consult, "For the night.", sort="question")
    line = await shown.until(consult, lambda line: sum(line["says"]) == 1)
    assert line["kind"] == "consult"
    assert line["title"]["en"].startswith("Would you lyse")


async def test_a_report_is_on_the_board_until_it_is_closed(house: House) -> None:
    ana, ben = await house.guest("ana", "country/ca"), await house.guest("ben", "country/ca")
    seq = (await ana.say("country/ca", "Not for here."))["seq"]
    shown = await opened(house)
    await ben.ask("report", room="country/ca", seq=seq, cid=new_cid(), kind="dangerous_advice")
    line = await shown.until("country/ca", lambda line: line["reports"]["open"] == 1)
    assert line["reports"]["urgent"] == 1
    assert line["needs"] >= 1_000
    assert await _first(house) == "country/ca"
    async with house.lounge.database.writing() as connection:
        await connection.execute(update(report).values(outcome="dismissed"))
    line = await shown.until("country/ca", lambda line: line["reports"]["open"] == 0)
    assert line["needs"] < 1_000


async def _first(house: House) -> str:
    async with house.http(await house.token("moira")) as http:
        first: str = (await http.get("/api/board")).json()["rooms"][0]["room"]
    return first


async def test_a_held_text_and_a_slow_room_are_on_the_board(house: House) -> None:
    shown = await opened(house)
    before = shown.rooms["world"]["held"]
    house.lounge.moderating.pulse.note("world", "held")
    await shown.until("world", lambda line: line["held"] == before + 1)
    house.lounge.modes._modes["world"] = RoomMode(slow=30, frozen=False)
    line = await shown.until("world", lambda line: line["mode"]["slow"] == 30)
    assert line["mode"] == {"slow": 30, "frozen": False}


async def test_who_moderates_a_room_has_that_room_alone_and_the_cases_put_to_it(
    house: House,
) -> None:
    await house.doctor("scoped", roles=[f"moderator:{ROOM}"])
    scoped = await house.guest("scoped")
    rooms = {each["room"] for each in (await scoped.ask("board", on=True))["rooms"]}
    assert ROOM in rooms
    assert all(each == ROOM or each.startswith("consult/") for each in rooms)
