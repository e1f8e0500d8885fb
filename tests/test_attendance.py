"""Coming, going and coming back: what a client was sent always adds up to what is there."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import delete, update

from lounge.personas import Crowd
from storage import personas
from storage.acts import Act
from storage.database import StorageError
from storage.identities import Crowd as Share
from storage.schema import entry, room
from tests import acts
from tests.backends import addresses
from tests.stores import SQLITE_FIRST
from tests.support import Guest, House, new_cid, open_house, until


@pytest.fixture(scope="module", params=SQLITE_FIRST)
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("attendance")
    async with (
        addresses(request) as urls,
        open_house(folder, redis_url, bench=True, **urls) as house,
    ):
        await house.fill_crowd()
        yield house


@pytest.fixture
def place() -> str:
    """A room of the test's own."""
    return f"bench/{secrets.randbelow(10**9)}"


async def _fill(house: House, place: str, *drafts: Any) -> None:
    """Put entries straight into the log, as if long ago."""
    lounge = house.lounge
    number = await lounge.conversation.number(place)
    for start in range(0, len(drafts), 200):
        batch: list[Act] = [
            acts.act(number, each, epoch=lounge.writer.epoch)
            for each in drafts[start : start + 200]
        ]
        await acts.settled(lounge.writer, *batch)


def _seqs(guest: Guest, place: str) -> list[int]:
    return [event["seq"] for event in guest.events.get(place, [])]


# -- snapshot + events = fresh snapshot ----------------------------------------------------------


@dataclass(slots=True)
class Shown:
    """What a client shows, kept by the rules of docs/protocol.md alone."""

    entries: dict[int, dict[str, Any]] = field(default_factory=dict)

    def take(self, events: Iterable[dict[str, Any]]) -> Shown:
        for event in events:
            self.entries[event["seq"]] = dict(event)
            target = self.entries.get(event.get("target", 0))
            if target and target["kind"] == "say":
                self._apply(event, target)
        return self

    def _apply(self, event: dict[str, Any], target: dict[str, Any]) -> None:
        if event["kind"] == "redact":
            gone = [each for each in self.entries.values() if _is_text_of(each, target["seq"])]
            for each in gone:
                self.entries[each["seq"]] = {
                    **{key: each[key] for key in ("op", "room", "seq", "id", "at")},
                    "kind": "tombstone",
                }
        elif event["seq"] > target.get("as_of", target["seq"]):
            if event["kind"] == "edit":
                target.update(text=event["text"], edited=event["seq"])
            elif event["kind"] == "react":
                counts = Counter(target.get("reactions", {}))
                counts[event["emoji"]] += 1 if event["on"] else -1
                target["reactions"] = {emoji: n for emoji, n in counts.items() if n}

    def state(self) -> dict[int, dict[str, Any]]:
        """Everything but `as_of`, which says when it was looked at, and the texts of former edits."""
        return {seq: _plain(event) for seq, event in self.entries.items()}


def _is_text_of(event: dict[str, Any], seq: int) -> bool:
    is_edit = event["kind"] == "edit" and event["target"] == seq
    return bool(event["seq"] == seq or is_edit)


def _plain(event: dict[str, Any]) -> dict[str, Any]:
    hidden = {"as_of", "text"} if event["kind"] == "edit" else {"as_of"}
    plain = {key: value for key, value in event.items() if key not in hidden}
    if not plain.get("reactions", True):
        del plain["reactions"]
    return plain


Command = Callable[[Guest, Guest, Guest, str], Awaitable[object]]


def _ask(who: int, op: str, **fields: Any) -> Command:
    async def asked(*these: Any) -> object:
        guest, place = these[who], these[3]
        cid = {} if op == "read" else {"cid": new_cid()}
        return await guest.ask(op, room=place, **cid, **fields)

    return asked


ANA, BEN, MOIRA = 0, 1, 2
COMMANDS: dict[str, list[Command]] = {
    "say": [_ask(BEN, "say", text="one more")],
    "reply": [_ask(BEN, "say", text="to that", reply_to=1)],
    "edit": [_ask(ANA, "edit", seq=1, text="corrected")],
    "edit twice": [_ask(ANA, "edit", seq=1, text=text) for text in ("corrected", "again")],
    "react": [_ask(BEN, "react", seq=1, emoji="👍", on=True)],
    "two react": [_ask(who, "react", seq=1, emoji="👍", on=True) for who in (ANA, BEN)],
    "react and take it back": [
        _ask(BEN, "react", seq=1, emoji="👍", on=on) for on in (True, False, True, False)
    ],
    "react to what was corrected": [
        _ask(ANA, "edit", seq=1, text="corrected"),
        _ask(BEN, "react", seq=1, emoji="👀", on=True),
        _ask(ANA, "edit", seq=1, text="again"),
    ],
    "redact": [_ask(ANA, "redact", seq=1)],
    "hide": [_ask(MOIRA, "redact", seq=1, reason="advertising")],
    "redact after everything": [
        _ask(ANA, "edit", seq=1, text="corrected"),
        _ask(BEN, "react", seq=1, emoji="👍", on=True),
        _ask(BEN, "say", text="to that", reply_to=1),
        _ask(ANA, "edit", seq=1, text="again"),
        _ask(ANA, "redact", seq=1),
    ],
    "report": [_ask(BEN, "report", seq=1, kind="other")],
    "read": [_ask(BEN, "read", seq=1)],
    "everything to two": [
        _ask(ANA, "edit", seq=1, text="corrected"),
        _ask(BEN, "edit", seq=2, text="corrected too"),
        _ask(ANA, "react", seq=2, emoji="👍", on=True),
        _ask(MOIRA, "redact", seq=2, reason="advertising"),
        _ask(MOIRA, "react", seq=1, emoji="🙏", on=True),
    ],
}


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_snapshot_and_the_events_after_it_are_a_fresh_snapshot(
    house: House, place: str, name: str
) -> None:
    """From every place of the log: joined before, during and after; and so is history."""
    ana, ben, moira = [await house.guest(who, place) for who in ("ana", "ben", "moira")]
    late = await house.guest("chiara")
    await ana.say(place, "first")
    await ben.say(place, "second")
    snapshots = [await _snapshot(late, place)]
    for command in COMMANDS[name]:
        await command(ana, ben, moira, place)
        snapshots.append(await _snapshot(late, place))
    head = (await ana.ask("history", room=place, before=10**9))["head"]
    live = await ben.reaches(place, head)
    truth = Shown().take(await _snapshot(late, place)).state()
    assert sorted(truth) == list(range(1, head + 1))
    assert Shown().take(live).state() == truth
    for snapshot in snapshots:
        seen = len(snapshot)
        assert Shown().take(snapshot).take(live[seen:]).state() == truth
        resumed = await _snapshot(late, place, since=seen, last=snapshot[-1]["id"])
        assert Shown().take(snapshot).take(resumed).state() == truth
    for seen in range(head + 1):
        resumed = await _snapshot(late, place, since=seen)
        assert [event["seq"] for event in resumed] == list(range(seen + 1, head + 1))
        assert Shown().take(live[:seen]).take(resumed).state() == truth
    past = (await ana.ask("history", room=place, after=0))["events"]
    assert Shown().take(past).state() == truth


async def _snapshot(guest: Guest, place: str, since: int = 0, **other: Any) -> list[dict[str, Any]]:
    """What a join brings."""
    before = len(guest.events.get(place, []))
    await guest.join(place, since=since, **other)
    await guest.ask("leave", room=place)
    return guest.events.get(place, [])[before:]


# -- joining -------------------------------------------------------------------------------------


async def test_an_empty_room_is_live_at_once(house: House, place: str) -> None:
    ana = await house.guest("ana")
    answer = await ana.join(place)
    assert (answer["from"], answer["head"], answer["oldest"]) == (1, 0, 1)
    assert (await ana.hears("live", room=place))["head"] == 0
    assert ana.events == {}
    assert [by["as"] for by in answer["you"]] == ["anonymous"]


async def test_what_one_says_is_by_one_of_you(house: House, place: str) -> None:
    ana = await house.guest("ana")
    (you,) = (await ana.join(place))["you"]
    said = await ana.say(place, "mine")
    assert (await ana.reaches(place, said["seq"]))[-1]["by"] == you


async def test_a_first_join_goes_back_to_the_fiftieth_last_say(house: House, place: str) -> None:
    drafts = [
        acts.draft("say", text=f"{n}")
        if n % 3 == 0
        else acts.draft("react", target=1, emoji="👍", on=True)
        for n in range(300)
    ]
    await _fill(house, place, *drafts)
    ana = await house.guest("ana")
    answer = await ana.join(place)
    fiftieth_last = 3 * 50 + 1
    assert (answer["from"], answer["head"]) == (fiftieth_last, 300)
    assert _seqs(ana, place) == list(range(fiftieth_last, 301))


async def test_a_first_join_brings_at_most_five_hundred_entries(house: House, place: str) -> None:
    drafts = [acts.draft("say", text="alone")]
    drafts += [acts.draft("react", target=1, emoji="👍", on=True) for _ in range(700)]
    await _fill(house, place, *drafts)
    for _ in range(2):  # the room opened from the log, and then as it is in memory
        ana = await house.guest("ana")
        assert (await ana.join(place))["from"] == 202
        assert _seqs(ana, place) == list(range(202, 702))
    assert (await ana.ask("history", room=place, before=202, limit=200))["events"][0]["seq"] == 2


async def test_from_the_oldest_brings_everything_in_order(house: House, place: str) -> None:
    await _fill(house, place, *(acts.draft("say", text=f"{n} " + "x" * 500) for n in range(700)))
    ana = await house.guest("ana", msgpack=True)
    assert (await ana.join(place, since=0))["from"] == 1
    assert _seqs(ana, place) == list(range(1, 701))


async def test_who_has_everything_gets_nothing_but_live(house: House, place: str) -> None:
    ana = await house.guest("ana", place)
    said = await ana.say(place, "all there is")
    ben = await house.guest("ben")
    answer = await ben.join(place, since=said["seq"], last=said["id"])
    assert (answer["from"], answer["head"]) == (2, 1)
    assert ben.events == {}


@pytest.mark.parametrize(
    ("since", "last"), [(4, None), (10**9, None), (2, "of another log"), (1, "")]
)
async def test_a_cursor_of_another_log_is_reset_and_then_served_as_a_first_join(
    house: House, place: str, since: int, last: str | None
) -> None:
    await _fill(house, place, *(acts.draft("say", text=f"{n}") for n in range(3)))
    ana = await house.guest("ana")
    await ana.join(place, since=since, **({} if last is None else {"last": last}))
    reset = await ana.hears("reset", room=place)
    assert (reset["reason"], reset["oldest"], reset["head"]) == ("unknown_cursor", 1, 3)
    ops = [frame["op"] for frame in ana.frames if frame["op"] != "rooms"]
    assert ops == ["welcome", "ok", "reset", "event", "event", "event", "live"]


async def test_a_cursor_before_the_oldest_is_reset(house: House, place: str) -> None:
    await _fill(house, place, *(acts.draft("say", text=f"{n}") for n in range(9)))
    number = await house.lounge.conversation.number(place)
    async with house.lounge.database.writing() as connection:  # as retention will do it
        await connection.execute(update(room).where(room.c.id == number).values(oldest=5))
        await connection.execute(delete(entry).where(entry.c.room_id == number, entry.c.seq < 5))
    for since, begin, reason in ((2, 5, "beyond_retention"), (4, 5, None), (6, 7, None)):
        ana = await house.guest("ana")
        answer = await ana.join(place, since=since)
        assert (answer["from"], answer["oldest"]) == (begin, 5)
        assert _seqs(ana, place) == list(range(begin, 10))
        assert [f["reason"] for f in ana.frames if f["op"] == "reset"] == ([reason] * bool(reason))
    fresh = await house.guest("ana")
    assert (await fresh.join(place))["from"] == 5
    assert (await fresh.join(place, since=0))["from"] == 5


async def test_joining_again_moves_the_cursor_and_doubles_nothing(house: House, place: str) -> None:
    ana = await house.guest("ana", place)
    await _fill(house, place, *(acts.draft("say", text=f"{n}") for n in range(5)))
    await ana.reaches(place, 5)
    await ana.join(place, since=3)
    await _fill(house, place, acts.draft("say", text="new"))
    await ana.reaches(place, 6)
    assert _seqs(ana, place) == [1, 2, 3, 4, 5, 4, 5, 6]
    assert house.lounge.news.roster.present(place).min <= 1


async def test_a_join_whose_log_cannot_be_read_on_has_one_answer_and_ends(
    house: House, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _fill(house, place, *(acts.draft("say", text=f"{n}") for n in range(600)))
    first = await house.guest("ben")
    await first.join(place)

    async def away(*_: Any) -> None:
        raise StorageError("away")

    with monkeypatch.context() as patch:
        patch.setattr(house.lounge.transcript, "after", away)
        ana = await house.guest("ana")
        ref = await ana.send("join", room=place, since=1)
        assert await ana.closed() == 1011
    answers = [frame for frame in ana.frames if frame.get("ref") == ref]
    assert [answer["op"] for answer in answers] == ["ok"]
    back = await house.guest("ana")
    await back.join(place, since=1)
    assert _seqs(back, place) == list(range(2, 601))


async def test_a_good_cursor_is_not_reset_because_the_log_is_away(
    house: House, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room is behind here, and the client comes from a process that was not."""
    ana = await house.guest("ana", place)
    said = await ana.say(place, "one")
    live = house.lounge.hub.live(place)
    assert live is not None
    whole = house.lounge.transcript.after

    async def away(*_: Any) -> None:
        raise StorageError("away")

    monkeypatch.setattr(house.lounge.transcript, "after", away)
    refused = await ana.refused("join", room=place, since=said["seq"] + 1)
    assert refused["code"] == "storage"
    monkeypatch.setattr(house.lounge.transcript, "after", whole)
    await ana.join(place, since=said["seq"], last=said["id"])


# -- looking back --------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [{"before": 121}, {"after": 80}, {"around": 100}])
async def test_a_page_of_long_texts_holds_what_was_asked_for_and_what_fits_beside_it(
    house: House, place: str, where: dict[str, int]
) -> None:
    await _fill(house, place, *(acts.draft("say", text="é" * 8_000) for _ in range(130)))
    ana = await house.guest("ana")
    page = await ana.ask("history", room=place, limit=200, **where)
    seqs = [event["seq"] for event in page["events"]]
    assert page["more"] is True
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert {"before": seqs[-1] == 120, "after": seqs[0] == 81, "around": 100 in seqs}[
        next(iter(where))
    ]
    assert len(seqs) > 5


async def test_a_look_around_has_as_much_before_as_after(house: House, place: str) -> None:
    await _fill(house, place, *(acts.draft("say", text=f"{n}") for n in range(30)))
    ana = await house.guest("ana")
    for around, limit, seqs in (
        (15, 5, [13, 14, 15, 16, 17]),
        (15, 4, [14, 15, 16, 17]),
        (15, 1, [15]),
        (1, 3, [1, 2, 3]),
        (30, 3, [29, 30]),
        (99, 3, []),
    ):
        page = await ana.ask("history", room=place, around=around, limit=limit)
        assert [event["seq"] for event in page["events"]] == seqs
        assert "more" not in page


# -- one's own rooms -----------------------------------------------------------------------------


async def test_the_welcome_lists_ones_own_log_first_and_each_room_once(house: House) -> None:
    async with house.http(await house.token("ana")) as http:
        for name, status in (("me", 404), ("world", 204), ("country/gb", 204)):
            pinned = await http.put(f"/api/rooms/{name}/pin", json={"pinned": True})
            assert pinned.status_code == status
    ana = await house.guest("ana")
    rooms = [each["id"] for each in ana.welcome["rooms"]]
    assert rooms[0] == "me"
    assert len(rooms) == len(set(rooms))
    assert {"world", "country/gb", "specialty/cardiology", "country/ca"} <= set(rooms)


async def test_unread_counts_says_after_the_mark_and_stops_at_a_hundred(
    house: House, place: str
) -> None:
    await _fill(
        house,
        place,
        *(acts.draft("say", text=f"{n}") for n in range(120)),
        *(acts.draft("react", target=1, emoji="👍", on=True) for _ in range(30)),
    )
    name = f"reader-{place}"
    for mark, unread in ((None, 100), (50, 70), (20, 70), (130, 0), (10**9, 0)):
        ben = await house.guest(name)
        if mark is not None:
            await ben.join(place, since=0)
            await ben.ask("read", room=place, seq=mark)
        async with house.http(await house.token(name)) as http:
            await http.put(f"/api/rooms/{place}/pin", json={"pinned": True})
        again = await house.guest(name)
        (listed,) = [each for each in again.welcome["rooms"] if each["id"] == place]
        assert (listed["head"], listed["unread"]) == (150, unread)
        for guest in (ben, again):
            await guest.socket.close()
    shelf = await house.lounge.belongings.of(await _doctor_id(house, name))
    assert shelf.marks[place] == (150, 120)  # never beyond the head


async def _doctor_id(house: House, name: str) -> str:
    id = await house.lounge.doctors.id_of(await house.doctor(name))
    assert id
    return id


async def test_who_closes_is_gone_from_the_room(house: House, place: str) -> None:
    ana, tab = await house.guest("ana", place), await house.guest("ana", place)
    roster = house.lounge.news.roster
    assert sum(roster._here[place].values()) == 2
    await tab.socket.close()
    await ana.ask("leave", room=place)
    await until(lambda: place not in house.lounge.news.roster._here)
    live = house.lounge.hub.live(place)
    assert live is not None
    assert live.cursors == set()


# -- what a badge shows --------------------------------------------------------------------------


async def test_who_sits_there_shows_no_more_than_the_guard_allows_now(
    house: House, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Colleagues leave between the join and the first word, and between two tabs."""
    first, second = await house.guest("ana", place), await house.guest("ana", place)
    coarse = {"specialty": "cardiology"}
    full = house.lounge.personas.crowd
    colleagues = [
        Share("specialist", "cardiology", None, "CA", "doctor", 1),
        Share("trainee", "cardiology", None, "GB", "doctor", 50),
    ]
    few = Crowd.of(colleagues, house.lounge.rooms, full.size)
    monkeypatch.setattr(house.lounge.personas, "crowd", few)
    said = await second.say(place, "with fewer colleagues")
    assert (await first.reaches(place, said["seq"]))[-1]["by"]["badge"] == coarse
    monkeypatch.setattr(house.lounge.personas, "crowd", full)
    said = await first.say(place, "from before")
    stored = await _stored_badge(house, "ana", place)
    assert stored == '{"specialty":"cardiology"}'
    kept = (await first.ask("history", room=place, after=0))["events"]
    assert [event["by"]["badge"] for event in kept] == [coarse, coarse]


async def _stored_badge(house: House, name: str, place: str) -> str | None:
    lounge = house.lounge
    persona = lounge.personas.id_of(await _doctor_id(house, name), place)
    async with lounge.database.reading() as connection:
        shown = (await personas.shown(connection, [persona])).get(persona)
        return shown.badge if shown else None
