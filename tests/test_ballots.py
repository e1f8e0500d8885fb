"""Ballots: committed before anybody's is seen, held back until the case is revealed, shown so once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from lounge.opening import count_crowd
from storage import ballots, consults, due
from storage.acts import Missed
from storage.ballots import CLOSE, COUNT, Box
from storage.consults import DECIDED, OPEN, REVEALED, Consult
from storage.database import Database
from storage.schema import LOUNGE, ballot, consult
from tests.acts import ANA, act, draft, new_room, settled, writing
from tests.stores import Stores
from tests.support import Guest, House, Refused, new_cid, open_house

ASKED = "specialty/cardiology"
QUESTION = "ST elevation in all leads, and a rub: what is it?"
NAMES = ("ben", "chiara", "denis", "eve", "frank", "grace")
_cases = count(1)
_colleagues: dict[int, dict[str, Guest]] = {}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("ballots")
    async with open_house(
        folder, redis_url, bench=True
    ) as house:  # Ben is asked more than he may say
        yield house


@dataclass(slots=True)
class Case:
    """A case of Ana's, and colleagues in its room."""

    house: House
    ana: Guest
    room: str
    others: list[Guest] = field(default_factory=list)

    async def opine(self, guest: Guest, *ranked: str, **other: Any) -> dict[str, Any]:
        other.setdefault("cid", new_cid())
        return await guest.ask("opine", room=self.room, ranked=list(ranked), **other)

    async def views(self, guest: Guest) -> dict[str, Any]:
        answer = await guest.ask("opinions", room=self.room)
        return {name: told for name, told in answer.items() if name not in ("op", "ref")}

    async def waiting(self, *kinds: str) -> list[due.Due]:
        async with self.house.lounge.database.reading() as connection:
            rows = await due.waiting(connection, self.room)
        return [each for each in rows if each.kind in kinds]

    async def counted(self) -> None:
        """The half minute is over."""
        (what,) = await self.waiting(COUNT)
        await self.house.lounge.unsealing.count(what)

    async def reveal(self) -> dict[str, Any]:
        """By its author's word; what all are shown."""
        seq = (await self.ana.ask("unseal", room=self.room, cid=new_cid()))["seq"]
        return await heard(self.others[0] if self.others else self.ana, self.room, seq)


async def heard(guest: Guest, room: str, seq: int) -> dict[str, Any]:
    return await guest.hears("event", room=room, seq=seq)


async def case_of(house: House, colleagues: int = 3, **fields: Any) -> Case:
    """Opened by an Ana of its own; the first of the colleagues is also where it is announced."""
    ana = await house.guest(f"ana-{next(_cases)}", "me")
    asking = {"question": QUESTION, "specialties": ["cardiology"], "cid": new_cid(), **fields}
    case = Case(house, ana, (await ana.ask("consult", **asking))["consult"])
    await ana.join(case.room)
    for name in NAMES[:colleagues]:
        case.others.append(await colleague(house, name))
        await case.others[-1].join(case.room)
    return case


async def colleague(house: House, name: str) -> Guest:
    """One connection each, or they would be too many."""
    known = _colleagues.setdefault(house.port, {})
    if name not in known:
        known[name] = await house.guest(name)
    return known[name]


def shown(event: dict[str, Any]) -> list[tuple[str, float, int]]:
    return [(each["label"], each["weight"], each["first"]) for each in event["pool"]]


# -- committing ----------------------------------------------------------------------------------


async def test_nobody_is_told_of_a_ballot_and_only_its_doctor_may_look_at_it(house: House) -> None:
    case = await case_of(house)
    ben, chiara, _ = case.others
    mark = f"mark{secrets.token_hex(4)}"
    assert await case.views(ben) == {}
    await case.opine(ben, mark, "Myocarditis", why=f"Because of {mark}.")
    await case.opine(chiara, "Pericarditis")
    assert (await case.views(ben))["own"] == {
        "ranked": [mark, "Myocarditis"],
        "why": f"Because of {mark}.",
    }
    for guest in (case.ana, chiara):
        assert mark not in str(await case.views(guest))
        past = await guest.ask("history", room=case.room, after=0)
        assert [each["kind"] for each in past["events"]] == ["consult.open"]
        assert mark not in str(guest.frames)


async def test_only_how_many_are_in_is_told_once_every_half_minute(house: House) -> None:
    case = await case_of(house)
    watcher = await house.guest("frank", ASKED)
    for guest, label in zip(case.others, ("Pericarditis", "STEMI", "Angina"), strict=True):
        await case.opine(guest, label)
    (what,) = await case.waiting(COUNT)
    assert what.at % 30_000 == 0
    await case.counted()
    told = await case.ana.hears("event", room=case.room, kind="consult.update")
    assert (told["target"], told["state"]) == (1, {"phase": "open", "opinions": 3})
    card = await watcher.hears("event", room=ASKED, kind="consult.card", consult=case.room)
    news = await watcher.hears("event", room=ASKED, kind="consult.update", target=card["seq"])
    assert news["state"] == told["state"]
    assert await case.waiting(COUNT) == []
    await house.lounge.unsealing.count(what)  # a second process was late
    await case.ana.ask("ping")
    kinds = [each["kind"] for each in case.ana.events[case.room]]
    assert kinds == ["consult.open", "consult.update"]


async def test_a_ballot_that_comes_while_they_are_counted_is_not_left_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await case_of(house)
    ben, chiara, denis = case.others
    await case.opine(ben, "Pericarditis")
    late = _between(monkeypatch, case, chiara)
    await case.counted()
    assert await late == [Box(1, (await _body(case, ben),))]
    await case.ana.hears("event", room=case.room, kind="consult.update")
    assert case.ana.events[case.room][-1]["state"]["opinions"] == 2
    late = _between(monkeypatch, case, denis)
    assert (await case.reveal())["opinions"] == 3
    assert len(await late) == 1


async def test_one_doctor_has_one_ballot_whatever_her_tabs_do(house: House) -> None:
    case = await case_of(house, 1)
    tabs = [case.others[0], await house.guest("ben", case.room)]
    cid = new_cid()
    first = await case.opine(tabs[0], "Pericarditis", cid=cid)
    same = await case.opine(tabs[1], "Pericarditis", cid=cid)
    assert (first.get("duplicate"), same["duplicate"]) == (None, True)
    other = {"room": case.room, "ranked": ["STEMI"]}
    assert (await tabs[1].refused("opine", cid=cid, **other))["code"] == "cid_conflict"
    assert (await tabs[1].refused("opine", cid=new_cid(), **other))["code"] == "forbidden"
    at_once = await case_of(house, 1)
    tabs = [at_once.others[0], await house.guest("ben", at_once.room)]
    answers = await asyncio.gather(
        *(at_once.opine(tab, label) for tab, label in zip(tabs, ("A", "B"), strict=True)),
        return_exceptions=True,
    )
    codes = [each.code if isinstance(each, Refused) else "ok" for each in answers]
    assert sorted(codes) == ["forbidden", "ok"]
    assert (await at_once.reveal())["opinions"] == 1


async def test_a_ballot_is_taken_back_and_given_anew_until_the_reveal(house: House) -> None:
    case = await case_of(house, 2)
    ben, chiara = case.others
    await case.opine(ben, "STEMI")
    cid = new_cid()
    for _ in range(2):
        await ben.ask("unopine", room=case.room, cid=cid)
    assert await case.views(ben) == {}
    nothing = await chiara.refused("unopine", room=case.room, cid=new_cid())
    assert nothing["code"] == "not_found"
    await case.opine(ben, "Pericarditis")
    event = await case.reveal()
    assert event["single"] == [{"ranked": ["Pericarditis"]}]
    late = await ben.refused("unopine", room=case.room, cid=new_cid())
    assert late["code"] == "frozen"


async def test_after_the_reveal_no_ballot_is_taken_and_a_repetition_is_still_one(
    house: House,
) -> None:
    case = await case_of(house, 2)
    ben, chiara = case.others
    cid = new_cid()
    await case.opine(ben, "Pericarditis", cid=cid)
    await case.reveal()
    late = await chiara.refused("opine", room=case.room, ranked=["STEMI"], cid=new_cid())
    assert late["code"] == "frozen"
    assert (await case.opine(ben, "Pericarditis", cid=cid))["duplicate"]
    assert set(await case.views(ben)) == {"own"}
    assert await case.views(chiara) == {}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ranked": []}, "invalid"),
        ({"ranked": ["A", "B", "C", "D"]}, "invalid"),
        ({"ranked": ["A", " "]}, "invalid"),
        ({"ranked": ["Angina", "ANGINA "]}, "invalid"),
        ({"ranked": ["A\0"]}, "invalid"),
        ({"ranked": ["A" * 121]}, "too_long"),
        ({"ranked": ["A"], "why": "w" * 1001}, "too_long"),
        ({"ranked": ["Write to jane@example.org"]}, "held_privacy"),
        ({"ranked": ["A"], "why": "MRN: 123456"}, "held_privacy"),
    ],
)
async def test_what_cannot_be_a_ballot_is_refused(
    case: Case, fields: dict[str, Any], code: str
) -> None:
    ben = case.others[0]
    if code == "invalid" and not 1 <= len(fields["ranked"]) <= 3:
        command = {"op": "opine", "ref": "bad", "room": case.room, "cid": new_cid(), **fields}
        async with case.house.http(case.house.passes["ben"]) as http:
            answer = await http.post("/api/commands", json=command)
        assert answer.json().get("code", answer.json().get("error", {}).get("code")) == code
        return
    assert (await ben.refused("opine", room=case.room, cid=new_cid(), **fields))["code"] == code
    assert "own" not in await case.views(ben)


@pytest.fixture(scope="module")
async def case(house: House) -> Case:
    return await case_of(house, 1)


# -- the reveal ----------------------------------------------------------------------------------


async def test_enough_ballots_reveal_what_the_crowd_thinks_to_everybody(house: House) -> None:
    case = await case_of(house, 3, enough=3)
    watcher = await house.guest("frank", ASKED)
    ben, chiara, denis = case.others
    await case.opine(ben, "Pericarditis", "STEMI", why="The rub.")
    await case.opine(chiara, "pericarditis", "Myocarditis")
    assert not [each for each in await case.waiting(CLOSE) if each.at % 60_000 == 0]
    await case.opine(denis, "STEMI", why="Do not miss it.")
    event = await case.ana.hears("event", room=case.room, kind="consult.reveal")
    assert event["opinions"] == 3
    assert shown(event) == [("Pericarditis", 2.0, 2), ("STEMI", 1.5, 1), ("Myocarditis", 0.5, 0)]
    assert [each["whys"] for each in event["pool"]] == [["The rub."], ["Do not miss it."], []]
    assert not {"single", "cells", "by"} & set(event)
    state = {"phase": "revealed", "opinions": 3}
    update = await case.ana.hears("event", room=case.room, kind="consult.update")
    assert (update["state"], update["seq"]) == (state, event["seq"] + 1)
    await watcher.sees(
        lambda frame: (
            frame.get("kind") == "consult.update"
            and frame["room"] == ASKED
            and frame["state"] == state
        )
    )
    assert await case.waiting(COUNT, CLOSE) == []
    await house.lounge.dues.run_due()
    await house.lounge.relay.carry()
    await case.ana.hears("event", kind="notice", notice="consult_closed", about=case.room)


async def test_after_its_time_no_ballot_is_taken_though_nobody_has_closed_it_yet(
    house: House,
) -> None:
    case = await case_of(house)
    async with house.lounge.database.writing() as connection:
        ended = update(consult).where(consult.c.slug == case.room).values(closes=1)
        await connection.execute(ended)
    late = {"room": case.room, "ranked": ["Pericarditis"], "cid": new_cid()}
    assert (await case.others[0].refused("opine", **late))["code"] == "frozen"


@pytest.mark.parametrize("label", ["\u200b", "\u202e \u2066"])
async def test_a_label_that_nobody_sees_is_none(house: House, label: str) -> None:
    case = await case_of(house)
    empty = {"room": case.room, "ranked": [label], "cid": new_cid()}
    assert (await case.others[0].refused("opine", **empty))["code"] == "invalid"


async def test_whoever_closes_it_it_is_revealed_once(house: House) -> None:
    case = await case_of(house)
    for guest in case.others:
        await case.opine(guest, "Pericarditis")
    (what,) = await case.waiting(CLOSE)
    close = house.lounge.unsealing.close
    word = case.ana.ask("unseal", room=case.room, cid=new_cid())
    await asyncio.gather(close(what), close(what), word, close(what), return_exceptions=True)
    await close(what)
    past = await case.ana.ask("history", room=case.room, after=0)
    assert [each["kind"] for each in past["events"]].count("consult.reveal") == 1
    assert await case.waiting(COUNT, CLOSE) == []


async def test_one_or_two_opinions_are_shown_singly_and_none_as_none(house: House) -> None:
    pair = await case_of(house, 2)
    await pair.opine(pair.others[0], "Pericarditis", "STEMI", why="The rub.")
    await pair.opine(pair.others[1], "Angina")
    event = await pair.reveal()
    assert (event["opinions"], event["pool"]) == (2, [])
    assert event["single"] == [
        {"ranked": ["Angina"]},
        {"ranked": ["Pericarditis", "STEMI"], "why": "The rub."},
    ]
    none = await (await case_of(house, 1)).reveal()
    assert (none["opinions"], none["pool"], "single" in none) == (0, [], False)


async def test_only_its_author_says_the_word_and_once(house: House) -> None:
    case = await case_of(house, 1)
    other = await case.others[0].refused("unseal", room=case.room, cid=new_cid())
    assert other["code"] == "forbidden"
    cid = new_cid()
    first = await case.ana.ask("unseal", room=case.room, cid=cid)
    again = await case.ana.ask("unseal", room=case.room, cid=cid)
    assert (again["seq"], again["duplicate"]) == (first["seq"], True)
    late = await case.ana.refused("unseal", room=case.room, cid=new_cid())
    assert late["code"] == "frozen"


async def test_the_author_of_a_now_case_reads_each_opinion_at_once_and_gives_none(
    house: House,
) -> None:
    case = await case_of(house, 2, urgency="now")
    ben, chiara = case.others
    assert (await case.views(case.ana)) == {"opinions": []}
    await case.opine(ben, "Tamponade", why="Pulsus paradoxus.")
    (first,) = (await case.views(case.ana))["opinions"]
    assert (first["ranked"], first["why"]) == (["Tamponade"], "Pulsus paradoxus.")
    assert "badge" in first
    await house.lounge.dues.run_due()
    await house.lounge.relay.carry()
    await case.ana.hears("event", kind="notice", notice="consult_opinion", about=case.room)
    await case.opine(chiara, "Pericarditis")
    assert len((await case.views(case.ana))["opinions"]) == 2
    assert "opinions" not in await case.views(ben)
    own = await case.ana.refused("opine", room=case.room, ranked=["Angina"], cid=new_cid())
    assert own["code"] == "forbidden"
    await case.reveal()
    assert await case.views(case.ana) == {}


async def test_the_author_of_another_case_may_commit_as_blindly_as_all(house: House) -> None:
    case = await case_of(house, 1, urgency="today")
    await case.opine(case.ana, "Pericarditis")
    await case.opine(case.others[0], "STEMI")
    assert set(await case.views(case.ana)) == {"own"}


async def test_specialties_and_countries_are_told_apart_only_where_enough_share_them(
    house: House,
) -> None:
    case = await case_of(house, 0, enough=50)
    for n in range(10):
        traits = {"specialty": "neurology"} if n % 2 else {"specialty": "cardiology"}
        await house.doctor(f"cell-{n}", country="CA", **traits)
    crowd = house.lounge.personas.crowd
    house.lounge.personas.crowd = await count_crowd(
        house.lounge.doctors, house.lounge.rooms, house.settings
    )
    try:
        for n in range(10):
            guest = await house.guest(f"cell-{n}", case.room)
            case.others.append(guest)
            label = "Stroke" if n % 2 else "Endocarditis"
            await case.opine(guest, label, "Migraine", why="Not to be told apart.")
        event = await case.reveal()
    finally:
        house.lounge.personas.crowd = crowd
    cells = {each["specialty"]: each for each in event["cells"]}
    assert [each["n"] for each in event["cells"]] == [5, 5]
    assert shown(cells["neurology"]) == [("Stroke", 5.0, 5), ("Migraine", 2.5, 0)]
    assert shown(cells["cardiology"]) == [("Endocarditis", 5.0, 5), ("Migraine", 2.5, 0)]
    assert all(label["whys"] == [] for each in event["cells"] for label in each["pool"])


# -- merging -------------------------------------------------------------------------------------


async def test_its_author_merges_spellings_and_all_is_pooled_anew(house: House) -> None:
    case = await case_of(house, 4)
    for guest, label in zip(case.others, ("PE", "Lung embolism", "Angina", "PE"), strict=True):
        await case.opine(guest, label, why=f"I say {label}.")
    early = {"room": case.room, "into": "PE", "labels": ["Lung embolism"]}
    assert (await case.ana.refused("merge", cid=new_cid(), **early))["code"] == "forbidden"
    await case.reveal()
    assert (await case.others[0].refused("merge", cid=new_cid(), **early))["code"] == "forbidden"
    cid = new_cid()
    seq = (await case.ana.ask("merge", cid=cid, **early))["seq"]
    event = await heard(case.others[0], case.room, seq)
    assert event["kind"] == "consult.merge"
    assert shown(event) == [("PE", 3.0, 3), ("Angina", 1.0, 1)]
    assert event["pool"][0]["names"] == ["Lung embolism"]
    assert event["pool"][0]["whys"] == ["I say Lung embolism.", "I say PE.", "I say PE."]
    assert (await case.ana.ask("merge", cid=cid, **early))["seq"] == seq
    for wrong, code in (
        ({"into": "Heart attack", "labels": ["PE"]}, "not_found"),
        ({"into": "PE", "labels": ["Lung embolism"]}, "not_found"),
        ({"into": "PE", "labels": ["pe"]}, "invalid"),
    ):
        refused = await case.ana.refused("merge", room=case.room, cid=new_cid(), **wrong)
        assert refused["code"] == code
    more = {"room": case.room, "into": "Angina", "labels": ["PE"]}
    seq = (await case.ana.ask("merge", cid=new_cid(), **more))["seq"]
    event = await heard(case.others[0], case.room, seq)
    assert shown(event) == [("Angina", 4.0, 4)]
    assert event["pool"][0]["names"] == ["Lung embolism", "PE"]
    past = await case.others[0].ask("history", room=case.room, after=seq - 1)
    assert past["events"] == [event]


async def test_two_merges_at_once_are_both_kept(house: House) -> None:
    case = await case_of(house, 4)
    for guest, label in zip(case.others, ("A", "B", "C", "D"), strict=True):
        await case.opine(guest, label)
    await case.reveal()
    tab = await house.guest(f"ana-{next(_cases) - 1}", case.room)
    await asyncio.gather(
        *(
            guest.ask("merge", room=case.room, into=into, labels=[label], cid=new_cid())
            for guest, into, label in ((case.ana, "A", "B"), (tab, "C", "D"))
        )
    )
    past = await tab.ask("history", room=case.room, after=0)
    assert shown(past["events"][-1]) == [("A", 2.0, 2), ("C", 2.0, 2)]


# -- suggestions ---------------------------------------------------------------------------------


async def test_suggestions_come_only_of_cases_that_are_decided(house: House) -> None:
    words = [f"Label {secrets.token_hex(3)}" for _ in range(3)]
    before = await case_of(house, 3)
    for guest, label in zip(before.others, words, strict=True):
        await before.opine(guest, label, words[0] if label != words[0] else "Angina")
    await before.reveal()
    case = await case_of(house, 1)
    lounge_ballots = house.lounge.ballots
    lounge_ballots._suggested = (0, ())
    assert words[0] not in str(await case.views(case.others[0]))
    async with house.lounge.database.writing() as connection:
        decided = update(consult).where(consult.c.slug == before.room).values(state="decided")
        await connection.execute(decided)
    lounge_ballots._suggested = (0, ())
    suggested = (await case.views(case.others[0]))["suggestions"]
    assert set(words) < set(suggested)
    await case.opine(case.others[0], "Angina")
    assert "suggestions" not in await case.views(case.others[0])


# -- the rows ------------------------------------------------------------------------------------


async def test_a_ballot_is_in_no_log_and_its_row_knows_neither_doctor_nor_persona_nor_time(
    house: House,
) -> None:
    case = await case_of(house, 1)
    ben = case.others[0]
    personas = LOUNGE.tables["persona"]
    async with house.lounge.database.reading() as connection:
        before = (await connection.execute(select(func.count()).select_from(personas))).scalar()
    mark = f"Mark {secrets.token_hex(4)}"
    await case.opine(ben, mark)
    async with house.lounge.database.reading() as connection:
        after = (await connection.execute(select(func.count()).select_from(personas))).scalar()
        rows = (await connection.execute(select(ballot).where(ballot.c.subject == case.room))).all()
        entries = LOUNGE.tables["entry"].c
        bodies = (await connection.execute(select(entries.body))).scalars().all()
    assert before == after
    assert not any(mark.encode() in body for body in bodies if body)
    (row,) = rows
    doctor_id = await house.lounge.doctors.id_of(house.doctors["ben"])
    assert doctor_id
    assert doctor_id not in str(row)
    assert len(row.key) == 16
    ids = house.lounge.personas.ids_of(doctor_id, case.room)
    assert bytes(row.key) not in ids
    assert set(ballot.c.keys()) & {"at", "time", "seq", "persona", "doctor", "id"} == set()


async def test_guards_and_counts_are_the_same_on_both_databases(stores: Stores) -> None:
    room = await new_room(stores.lounge)
    slug = f"consult/{secrets.token_hex(11)}"
    new = Consult(slug, room, ANA, "today", ("cardiology",), OPEN, 1, 10**15, 2)
    keys = [secrets.token_bytes(16) for _ in range(3)]
    async with writing(stores.lounge) as writer:
        closing = due.add(f"{CLOSE} {slug}", CLOSE, slug, 10**15)
        case = draft("consult.open", question=QUESTION)
        await settled(writer, act(room, case, steps=[consults.opening(new), closing]))
        putting = [
            act(
                room,
                steps=[
                    ballots.turning(slug, 0),
                    ballots.putting(key, slug, b'{"ranked":["A"]}'),
                    ballots.closing_when_enough(slug, 1_000),
                ],
            )
            for key in (keys[0], keys[0], keys[1])
        ]
        (first,) = await settled(writer, putting[0])
        assert not isinstance(first, BaseException)
        assert await _due_at(stores.lounge, slug) == 10**15
        answers = await settled(writer, *putting[1:])
        assert [isinstance(each, Missed) for each in answers] == [True, False]
        assert await _due_at(stores.lounge, slug) == 1_000
        box = await _box(stores.lounge, slug)
        assert (box.cast, len(box.bodies)) == (2, 2)
        stale = Box(1, box.bodies)
        wrong = [
            [ballots.unturned(slug, stale)],
            [ballots.turning(slug, 0, 1)],
            [ballots.turning(slug, 0), ballots.taking_back(keys[2])],
        ]
        for steps in wrong:
            (missed,) = await settled(writer, act(room, steps=steps))
            assert isinstance(missed, Missed)
        back = [ballots.turning(slug, 0, 2), ballots.taking_back(keys[0])]
        await settled(writer, act(room, steps=back))
        box = await _box(stores.lounge, slug)
        assert (box.cast, len(box.bodies)) == (3, 1)
        shown = draft("consult.reveal", persona=None, opinions=1, pool=[{"label": "A"}])
        moving = [
            ballots.unturned(slug, box),
            consults.moving(new, REVEALED, 1),
            ballots.settled(slug),
        ]
        closers = [act(room, shown, steps=moving) for _ in range(2)]
        answers = await settled(writer, *closers)
        assert [isinstance(each, Missed) for each in answers] == [False, True]
        now = await _consult(stores.lounge, slug)
        assert (now.state, now.told, now.first, now.revealed) == (REVEALED, 1, 2, 2)
        twice = [act(room, steps=[ballots.remaking(slug, box)]) for _ in range(2)]
        answers = await settled(writer, *twice)
        assert [isinstance(each, Missed) for each in answers] == [False, True]
        (late,) = await settled(writer, putting[2])
        assert late.duplicate  # type: ignore[union-attr]
        steps = [ballots.turning(slug, 0), ballots.putting(keys[2], slug, b"{}")]
        (late,) = await settled(writer, act(room, steps=steps))
        assert isinstance(late, Missed)
    assert await _due_at(stores.lounge, slug) is None
    async with stores.lounge.reading() as connection:
        assert await ballots.own(connection, keys[1]) == b'{"ranked":["A"]}'
        assert await ballots.own(connection, keys[2]) is None
        assert await ballots.decided(connection, 5) == []
        told = await ballots.pooling(connection, now)
    async with writing(stores.lounge) as writer:
        merged = draft("consult.merge", persona=None, opinions=1, pool=[{"label": "B"}])
        deciding = act(room, draft("consult.decided"), steps=[consults.moving(now, DECIDED)])
        await settled(writer, act(room, merged), deciding)
    async with stores.lounge.reading() as connection:
        (last,) = await ballots.decided(connection, 5)
    assert told is not None
    assert (told.seq, told.body["pool"]) == (2, [{"label": "A"}])
    assert (last.seq, last.body["pool"]) == (3, [{"label": "B"}])


# -- privates ------------------------------------------------------------------------------------


def _between(
    monkeypatch: pytest.MonkeyPatch, case: Case, guest: Guest
) -> asyncio.Future[list[Box]]:
    """Just after the ballots were read for the first time, that guest commits. Gives what was read."""
    read = ballots.box
    seen: asyncio.Future[list[Box]] = asyncio.get_running_loop().create_future()

    async def box(connection: Any, slug: str) -> Box:
        found = await read(connection, slug)
        if not seen.done():
            seen.set_result([found])
            await case.opine(guest, "Myocarditis")
        return found

    monkeypatch.setattr(ballots, "box", box)
    return seen


async def _body(case: Case, guest: Guest) -> bytes:
    async with case.house.lounge.database.reading() as connection:
        rows = await connection.execute(select(ballot.c.body).where(ballot.c.subject == case.room))
        return min(bytes(body) for body in rows.scalars() if b"Pericarditis" in body)


async def _box(database: Database, slug: str) -> Box:
    async with database.reading() as connection:
        return await ballots.box(connection, slug)


async def _consult(database: Database, slug: str) -> Consult:
    async with database.reading() as connection:
        return (await consults.by_slug(connection, [slug]))[slug]


async def _due_at(database: Database, slug: str) -> int | None:
    async with database.reading() as connection:
        found = [each for each in await due.waiting(connection, slug) if each.kind == CLOSE]
    return found[0].at if found else None
