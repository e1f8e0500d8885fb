"""Rules before posting: what each meets, what becomes of it, and what it would have done last week."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lounge.errors import Refusal
from lounge.limits import CHANGES, REHEARSALS
from lounge.moderating import rehearsal
from lounge.moderating.newcomers import Newcomers
from lounge.moderating.rules import (
    LARGEST_TOGETHER,
    Flood,
    Links,
    Looked,
    Memory,
    Mentions,
    Pattern,
    Repetition,
    Rule,
    Test,
    Text,
)
from lounge.moderating.ruling import Ruling
from storage import audit, rules
from tests.support import CAST, Guest, House, new_cid, open_house, until

WORLD, CARDIOLOGY = "world", "specialty/cardiology"


def looked(test: Test, **terms: Any) -> Looked:
    traits = {"name": "A rule", "action": "block", "reason": "advertising", "words": "Not here."}
    return Looked(Rule(test=test, **{**traits, **terms}))


def meets(test: Test, text: str) -> bool:
    return looked(test).meets(Text(text))


# -- what each looks at --------------------------------------------------------------------------


def test_a_pattern_is_met_in_any_case_unless_capitals_count() -> None:
    assert meets(Pattern(r"\bminerva\b"), "Buy MINERVA now")
    assert not meets(Pattern(r"\bminerva\b", cased=True), "Buy MINERVA now")
    assert not meets(Pattern(r"\bminerva\b"), "Minervas")


def test_invisible_and_wide_letters_are_no_way_round_a_pattern() -> None:
    assert meets(Pattern("casino"), "ca\u200bsi\u00adno")
    assert meets(Pattern("casino"), "ｃａｓｉｎｏ")


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("(unclosed", "refusal.pattern"),
        ("x(?=looking ahead)", "refusal.pattern"),
        (r"(a)\1", "refusal.pattern"),
        ("(a{1000}){1000}", "refusal.pattern"),
        ("(.{1,40}a){1,20}z", "refusal.pattern_large"),
        (".*a.{90}b", "refusal.pattern_large"),
        ("a*", "refusal.pattern_all"),
    ],
    ids=("unclosed", "ahead", "back", "repeated", "large", "far", "everything"),
)
def test_a_pattern_that_cannot_be_read_in_linear_time_is_refused_with_what_is_wrong(
    pattern: str, key: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        looked(Pattern(pattern))
    assert (refusal.value.key, refusal.value.values["field"]) == (key, "pattern")


def test_the_words_that_a_rule_is_made_of_fit_into_a_pattern() -> None:
    words = "casino|poker|bet365|viagra|cialis|tramadol|oxycodone|crypto|forex"
    assert meets(Pattern(rf"\b(?:{words})\b"), "Cheap tramadol here")


def test_a_pattern_that_would_run_for_ever_elsewhere_answers() -> None:
    assert not meets(Pattern("(a+)+$"), "a" * 8_000 + "b")
    assert not meets(Pattern("(x+x+)+y"), "x" * 8_000)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://Example.com/x?y and www.foo.org.", ["example.com", "www.foo.org"]),
        ("(http://user@bad.com:80/)", ["bad.com"]),
        ("visit ex\u200bample.com", ["example.com"]),
        ("visit evil.example.co.uk/path", ["evil.example.co.uk"]),
        ("https://кто.рф/", ["xn--j1ail.xn--p1ai"]),
        ("i.v. 5 mg/kg, e.g. 3.5 of it, s.c., 120/80", []),
        ("mail to a@b.com", []),
    ],
    ids=("two", "user", "hidden", "bare", "idn", "clinical", "mail"),
)
def test_links_are_found_by_their_hosts(text: str, found: list[str]) -> None:
    assert Text(text).hosts == found


def test_a_domain_covers_those_below_it_and_nothing_that_only_looks_like_it() -> None:
    only = Links(allowed=["nejm.org"])
    assert not meets(only, "https://www.nejm.org/doi/1")
    assert meets(only, "https://nejm.org.evil.com/doi/1")
    assert meets(only, "https://notnejm.org/")
    assert meets(Links(denied=["Casino.example"]), "http://a.b.casino.example./x")
    assert not meets(Links(denied=["casino.example"]), "https://nejm.org")
    assert meets(Links(), "www.anything.com")
    with pytest.raises(Refusal, match="invalid"):
        looked(Links(allowed=["not a domain/"]))


def test_mentions_are_counted_and_addresses_are_none() -> None:
    assert meets(Mentions(2), "@ana @ben, @chiara!")
    assert not meets(Mentions(2), "@ana @ben ana@example.test 5@8")


def test_the_same_text_counts_in_whatever_rooms_and_however_it_is_spelt() -> None:
    memory, rule = Memory(), looked(Repetition(times=3, minutes=10))
    said = ["Read my new book today", "read my NEW book, today!", "Read my new book. Today"]
    rooms = [WORLD, CARDIOLOGY, WORLD]

    def count(n: int, who: str, at: int = 0) -> bool:
        return rule.counts(memory, who, rooms[n], Text(said[n]), bytes([n, at % 251]), at)

    assert [count(0, "ana"), count(1, "ana"), count(1, "ana"), count(2, "ben")] == [False] * 4
    assert count(2, "ana")
    assert not count(2, "ana", at=11 * 60_000)


def test_short_answers_are_no_repetition() -> None:
    memory, rule = Memory(), looked(Repetition(times=2, minutes=10))
    assert not any(
        rule.counts(memory, "ana", WORLD, Text("Thank you!"), bytes([n]), n) for n in range(5)
    )


def test_a_flood_is_one_doctors_in_one_room() -> None:
    memory, rule = Memory(), looked(Flood(says=3, seconds=10))
    says = [(WORLD, 0), (CARDIOLOGY, 1), (WORLD, 2), (WORLD, 3_000)]
    met = [
        rule.counts(memory, "ana", room, Text("text"), bytes([n]), at)
        for n, (room, at) in enumerate(says)
    ]
    assert met == [False, False, False, True]
    assert not rule.counts(memory, "ana", WORLD, Text("text"), b"later", 13_500)


def test_what_memory_keeps_tells_neither_who_nor_what() -> None:
    memory = Memory()
    memory.count(("same", "ana's id", "readmynewbook"), b"once", 0, 1_000)
    (key,) = memory._done
    assert len(key) == 16
    assert key not in Memory()._done
    other = Memory()
    other.count(("same", "ana's id", "readmynewbook"), b"once", 0, 1_000)
    assert key not in other._done


# -- in a house ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    async with open_house(folder, redis_url) as house:
        await house.doctor("mara", **CAST["moira"])
        house.passes["mara"] = await house.token("mara")
        yield house


@pytest.fixture
async def mara(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """A moderator who speaks nowhere; no rule of hers is left."""
    async with house.http(house.passes["mara"]) as http:
        yield http
        for each in (await http.get("/api/rules")).json()["rules"]:
            assert (await http.delete(f"/api/rules/{each['id']}")).status_code == 204
    house.lounge.limits._windows.clear(CHANGES, await id_of_mara(house))


async def id_of_mara(house: House) -> str:
    id = await house.lounge.doctors.id_of(await house.doctor("mara"))
    assert id
    return id


def rule(test: dict[str, Any], **terms: Any) -> dict[str, Any]:
    traits = {"name": "No adverts", "action": "block", "reason": "advertising"}
    return {**traits, "words": "Please do not advertise here.", "test": test, **terms}


async def made(http: httpx2.AsyncClient, test: dict[str, Any], **terms: Any) -> dict[str, Any]:
    answer = await http.post("/api/rules", json=rule(test, **terms))
    assert answer.status_code == 201, answer.text
    line: dict[str, Any] = answer.json()
    return line


ADVERT = {"kind": "pattern", "pattern": "minerva"}


async def blocked(guest: Guest, text: str, room: str = WORLD) -> str:
    refused = await guest.refused("say", room=room, text=text, cid=new_cid())
    return str(refused["code"])


async def test_what_is_blocked_is_told_in_the_rules_words_and_kept_nowhere(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ana = await house.guest("ana", WORLD)
    await made(mara, ADVERT)
    refused = await ana.refused("say", room=WORLD, text="Try Minerva!", cid=new_cid())
    assert refused["code"] == "blocked"
    assert "Please do not advertise here." in refused["message"]
    said = await ana.say(WORLD, "Try ibuprofen")
    edit = {"room": WORLD, "seq": said["seq"], "cid": new_cid(), "text": "Try minerva"}
    assert (await ana.refused("edit", **edit))["code"] == "blocked"
    found = (await ana.ask("search", q="minerva"))["hits"]
    assert found == []


async def test_a_rule_holds_in_its_rooms_and_for_who_is_not_exempt(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ana, denis = await house.guest("ana", WORLD, CARDIOLOGY), await house.guest("denis", CARDIOLOGY)
    await made(mara, ADVERT, rooms=[CARDIOLOGY], exempt=["generalist"])
    await ana.say(WORLD, "We like minerva elsewhere")
    assert await blocked(ana, "We like minerva here", CARDIOLOGY) == "blocked"
    await denis.say(CARDIOLOGY, "We like minerva, as generalists")


async def test_the_patterns_of_all_rules_together_are_bounded_too(
    house: House, mara: httpx2.AsyncClient
) -> None:
    def large(n: int) -> dict[str, Any]:
        return {"kind": "pattern", "pattern": f"z{n}" + "q" * 130}

    fit = LARGEST_TOGETHER // looked(Pattern("z0" + "q" * 130)).size
    lines = [await made(mara, large(n)) for n in range(fit)]
    small = await made(mara, {"kind": "mentions", "most": 50})
    more = await mara.post("/api/rules", json=rule(large(fit)))
    change = {"version": small["version"], "rule": rule(large(fit))}
    changed = await mara.put(f"/api/rules/{small['id']}", json=change)
    for refused in (more, changed):
        assert refused.status_code == 400, refused.text
        assert "together" in refused.json()["error"]["message"]
    change = {"version": lines[0]["version"], "rule": rule(large(fit))}
    assert (await mara.put(f"/api/rules/{lines[0]['id']}", json=change)).status_code == 200


async def test_dry_runs_have_a_limit(house: House, mara: httpx2.AsyncClient) -> None:
    id = await id_of_mara(house)
    house.lounge.limits.spend(REHEARSALS, id, REHEARSALS.amount)
    answer = await mara.post("/api/rules/dry-run", json={"rule": rule(ADVERT)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
    house.lounge.limits._windows.clear(REHEARSALS, id)


async def test_staff_is_never_asked(house: House, mara: httpx2.AsyncClient) -> None:
    await house.doctor("otto", **{**CAST["moira"], "roles": ["registrar"]})
    await made(mara, ADVERT)
    for name in ("mara", "otto"):
        guest = await house.guest(name, "specialty/urology")
        await guest.say("specialty/urology", "We like minerva")


async def test_nobody_asks_what_two_say_to_each_other(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ana, ben = await house.guest("ana", WORLD), await house.guest("ben", WORLD)
    said = await ben.say(WORLD, "Who has a moment?")
    talk = (await ana.ask("talk", room=WORLD, seq=said["seq"], cid=new_cid()))["talk"]
    await ben.ask("talk_answer", talk=talk, accept=True, cid=new_cid())
    await made(mara, ADVERT)
    await ana.join(talk)
    await ana.say(talk, "Is minerva any good?")


async def test_a_warning_in_a_case_is_never_looked_at(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ana, ben = await house.guest("ana"), await house.guest("ben")
    asked = {"question": "And now?", "specialties": ["cardiology"], "cid": new_cid()}
    case = (await ana.ask("consult", **asked))["consult"]
    await made(mara, ADVERT)
    await ben.join(case)
    await ben.say(case, "Stop the minerva at once", sort="warning")
    await ana.join(case)
    assert await blocked(ana, "She takes minerva", case) == "blocked"


async def test_questions_opinions_decisions_and_outcomes_in_a_case_are_looked_at(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ana, ben = await house.guest("ana"), await house.guest("ben")
    asked = {"question": "And then?", "specialties": ["cardiology"], "cid": new_cid()}
    case = (await ana.ask("consult", **asked))["consult"]
    await made(mara, ADVERT)
    for guest in (ana, ben):
        await guest.join(case)
    words = {"room": case, "text": "Why no minerva?"}
    assert (await ben.refused("say", **words, sort="question", cid=new_cid()))["code"] == "blocked"
    opinion = {"room": case, "ranked": ["Gout"], "why": "Minerva helped."}
    assert (await ben.refused("opine", **opinion, cid=new_cid()))["code"] == "blocked"
    done: dict[str, Any] = {"room": case, "did": "Gave minerva.", "helped": []}
    assert (await ana.refused("decide", **done, cid=new_cid()))["code"] == "blocked"
    assert (await house.lounge.consults.must_find(case)).state == "open"
    await ana.ask("decide", **{**done, "did": "Gave nothing."}, cid=new_cid())
    told = {"room": case, "text": "Minerva it was."}
    assert (await ana.refused("outcome", **told, cid=new_cid()))["code"] == "blocked"


async def test_polls_and_cases_are_looked_at_too_and_do_not_wait(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ben = await house.guest("ben", WORLD)
    await made(mara, ADVERT, action="hold", rooms=[WORLD, "specialty/neurology"])
    poll = {"room": WORLD, "question": "Which one?", "choices": ["We like minerva", "None"]}
    assert (await ben.refused("poll", cid=new_cid(), **poll))["code"] == "blocked"
    case = {"question": "We like minerva?", "cid": new_cid()}
    asked = await ben.refused("consult", specialties=["neurology"], **case)
    assert asked["code"] == "blocked"
    await ben.ask("consult", specialties=["cardiology"], **case)  # where no rule looks at it


async def test_an_alert_is_posted_and_reported_by_the_house(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ana = await house.guest("ana", WORLD)
    await made(mara, ADVERT, action="alert", name="Look at minerva")
    said = await ana.say(WORLD, "We like minerva")
    reports = (await mara.get("/api/reports")).json()["reports"]
    (report,) = [each for each in reports if each["seq"] == said["seq"]]
    assert (report["kind"], report["note"]) == ("other", "Look at minerva")
    assert "evidence" not in report


async def test_repetition_across_rooms_and_a_flood_are_blocked(
    house: House, mara: httpx2.AsyncClient
) -> None:
    ben = await house.guest("ben", WORLD, CARDIOLOGY)
    await made(mara, {"kind": "repetition", "times": 2, "minutes": 5})
    cid = new_cid()
    await ben.say(WORLD, "Come to my lecture on Monday", cid=cid)
    await ben.say(WORLD, "Come to my lecture on Monday", cid=cid)  # sent again, it is the same
    assert await blocked(ben, "Come to my lecture, on Monday!", CARDIOLOGY) == "blocked"
    await made(mara, {"kind": "flood", "says": 3, "seconds": 600}, rooms=[CARDIOLOGY])
    await ben.say(CARDIOLOGY, "One")
    await ben.say(CARDIOLOGY, "Two")
    assert await blocked(ben, "Three", CARDIOLOGY) == "blocked"


async def test_a_rule_made_by_another_process_holds_at_the_next_poll(
    house: House, mara: httpx2.AsyncClient
) -> None:
    other = Ruling(house.lounge.database, house.lounge.rooms, house.lounge.conversation.guarding)
    line = await made(mara, ADVERT)
    await other.refresh()
    assert [each.id for each in other.kept] == [line["id"]]
    async with house.lounge.database.writing() as connection:
        await rules.drop(connection, line["id"])
    await until(lambda: not house.lounge.moderating.ruling.kept)


async def test_of_two_moderators_who_change_a_rule_the_second_is_told(
    house: House, mara: httpx2.AsyncClient
) -> None:
    line = await made(mara, ADVERT)
    changed = {"version": line["version"], "rule": rule({"kind": "mentions", "most": 3})}
    first = await mara.put(f"/api/rules/{line['id']}", json=changed)
    assert (first.status_code, first.json()["version"]) == (200, 2)
    assert (await mara.put(f"/api/rules/{line['id']}", json=changed)).status_code == 403
    assert (await mara.put("/api/rules/none", json=changed)).status_code == 404


@pytest.mark.parametrize(
    "terms",
    [
        {"test": {"kind": "pattern", "pattern": "("}},
        {"test": {"kind": "nonsense"}},
        {"rooms": ["no/such-room"]},
        {"words": " "},
        {"words": "Ask me at 416-555-0199"},
        {"exempt": ["chief"]},
    ],
    ids=("pattern", "kind", "room", "no-words", "a-number", "grade"),
)
async def test_a_rule_that_makes_no_sense_is_refused(
    house: House, mara: httpx2.AsyncClient, terms: dict[str, Any]
) -> None:
    answer = await mara.post("/api/rules", json={**rule(ADVERT), **terms})
    assert answer.status_code in (400, 403), answer.text
    assert (await mara.get("/api/rules")).json()["rules"] == []


async def test_rules_are_the_moderators_for_all_rooms(house: House) -> None:
    await house.doctor("carla", **{**CAST["moira"], "roles": [f"moderator:{CARDIOLOGY}"]})
    for name in ("ana", "carla"):
        async with house.http(await house.token(name)) as http:
            assert (await http.get("/api/rules")).status_code == 403
            assert (await http.post("/api/rules", json=rule(ADVERT))).status_code == 403
            dry = await http.post("/api/rules/dry-run", json={"rule": rule(ADVERT)})
            assert dry.status_code == 403


# -- newcomers -----------------------------------------------------------------------------------


async def test_a_new_account_says_five_things_in_each_room_and_posts_no_links(house: House) -> None:
    posting = house.lounge.conversation.posting
    assert posting is not None
    was, posting._newcomers = posting._newcomers, Newcomers(24, house.lounge.limits)
    try:
        new = await house.guest("newly-come", WORLD, CARDIOLOGY)
        linked = await new.refused("say", room=WORLD, text="See www.book.com", cid=new_cid())
        assert (linked["code"], "24" in linked["message"]) == ("blocked", True)
        for n in range(5):
            said = await new.say(WORLD, f"Good morning, {n}")
        slower = await new.refused("say", room=WORLD, text="And again", cid=new_cid())
        assert (slower["code"], "24" in slower["message"]) == ("rate_limited", True)
        await new.say(CARDIOLOGY, "In another room there is room")
        edit = {"room": WORLD, "seq": said["seq"], "cid": new_cid(), "text": "https://book.com"}
        assert (await new.refused("edit", **edit))["code"] == "blocked"
        posting._newcomers = Newcomers(24, house.lounge.limits, clock=lambda: 2 * 10**15)
        await new.say(WORLD, "A day later: www.book.com")
    finally:
        posting._newcomers = was


# -- dry runs ------------------------------------------------------------------------------------


async def dry(http: httpx2.AsyncClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    """All answers of one run."""
    answers: list[dict[str, Any]] = []
    while not answers or "cursor" in answers[-1]:
        on = {"cursor": answers[-1]["cursor"]} if answers else {}
        answer = await http.post("/api/rules/dry-run", json={"rule": body, **on})
        assert answer.status_code == 200, answer.text
        answers.append(answer.json())
    return answers


async def test_a_dry_run_says_what_would_have_been_met_and_keeps_no_rule(
    house: House, mara: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = "specialty/neurology"
    ana = await house.guest("ana", room)
    seqs = [(await ana.say(room, f"Zebrafish number {n}"))["seq"] for n in range(3)]
    await ana.say(room, "Nothing of the kind")
    await ana.ask("redact", room=room, seq=seqs[0], cid=new_cid())
    body = rule({"kind": "pattern", "pattern": "zebrafish"})
    (whole,) = await dry(mara, body)
    assert whole["rooms"] == [{"room": room, "count": 2}]
    assert [each["seq"] for each in whole["samples"]] == seqs[1:]
    assert whole["samples"][0]["text"] == "Zebrafish number 1"
    assert whole["done"] == whole["of"] >= whole["seen"]
    monkeypatch.setattr(rehearsal, "STRETCH", 10)
    parts = await dry(mara, body)
    assert len(parts) > 1
    assert sum(each["met"] for each in parts) == 2
    assert sum(each["seen"] for each in parts) == whole["seen"]
    assert [each["done"] for each in parts] == sorted(each["done"] for each in parts)
    flood = {"kind": "flood", "says": 3, "seconds": 600}
    met = sum(each["met"] for each in await dry(mara, rule(flood, rooms=[room])))
    assert met == 1  # of the three that are left, counted over stretches
    assert (await mara.get("/api/rules")).json()["rules"] == []


async def test_a_dry_run_reads_texts_as_they_were_last_edited(
    house: House, mara: httpx2.AsyncClient
) -> None:
    room = "specialty/urology"
    ana = await house.guest("ana", room)
    seqs = [(await ana.say(room, text))["seq"] for text in ("A wallabitis", "A gout")]
    for seq, text in zip(seqs, ("A cold", "A wallabitis, then"), strict=True):
        await ana.ask("edit", room=room, seq=seq, cid=new_cid(), text=text)
    (whole,) = await dry(mara, rule({"kind": "pattern", "pattern": "wallabitis"}))
    assert [(each["seq"], each["text"]) for each in whole["samples"]] == [
        (seqs[1], "A wallabitis, then")
    ]


async def test_dry_runs_and_changes_of_rules_are_in_the_audit(
    house: House, mara: httpx2.AsyncClient
) -> None:
    async with house.lounge.database.reading() as connection:
        before = (await audit.head(connection, "lounge")).seq
    line = await made(mara, ADVERT)
    await dry(mara, rule(ADVERT))
    await mara.delete(f"/api/rules/{line['id']}")
    async with house.lounge.database.reading() as connection:
        rows = [each async for each in audit._rows(connection, audit._CHAINS["lounge"])][before:]
    assert [each.act for each in rows] == ["rule.made", "read.rules.dry_run", "rule.dropped"]
    assert not any("minerva" in each.detail for each in rows)
