"""Everybody, in every standing, tries everything in every kind of room over the wire, and what each answers.

Made of what the product knows: its roles, its standings, the kinds of rooms, its commands. What is right is
not looked up there: it stands in tests/test_matrix.py, written by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lounge.doctors import ROLES
from storage import applications
from tests.oncall import role
from tests.support import Guest, House, Refused, new_cid

STANDINGS = (
    *("open", "muted", "not accepted"),
    *("applied", "checking", "refused", "expired", "suspended"),
)
ROOMS = {
    "world": "world",
    "specialty": "specialty/cardiology",
    "country": "country/us",
    "house": "house/coffee",
    "house of some": "house/canada",
    "house of moderators": "house/moderators",
    "me": "me",
    "own talk": "",
    "others' talk": "",
    "own page": "",
    "others' page": "",
    "consult": "",
    "nowhere": "specialty/astrology",
}
RULES = """
[[room]]
id = "house/coffee"
title = {en = "Coffee", fr = "Café"}

[[room]]
id = "house/canada"
title = {en = "Canada", fr = "Canada"}
rule = 'country == "CA"'

[[room]]
id = "house/moderators"
title = {en = "Moderators", fr = "Modération"}
rule = '"moderator" in roles'
"""
TRAITS: Mapping[str, dict[str, Any]] = {
    "doctor": {"country": "CA"},
    "moderator": {"country": "GB", "roles": ["moderator"]},
    "officer": {"country": "GB", "roles": ["officer"]},
    "registrar": {"country": "US", "roles": ["registrar"]},
}
assert set(TRAITS) == set(ROLES)


@dataclass(frozen=True, slots=True)
class Cell:
    """Somebody of that role, standing so, in a room of that kind, does that."""

    role: str
    standing: str
    kind: str
    action: str


@dataclass(slots=True)
class Place:
    """A room, and entries there: of the host, and of whoever is tried."""

    room: str
    others: int = 1
    own: int = 1
    persona: str = "A" * 22
    poll: int = 1


@dataclass(slots=True)
class Somebody:
    """Whoever is tried: her name in the house, and where she has been while all was well."""

    name: str
    places: dict[str, Place] = field(default_factory=dict)


def _changing(place: Place, seq: int, **more: Any) -> dict[str, Any]:
    return {"room": place.room, "seq": seq, "cid": new_cid(), **more}


def _case() -> dict[str, Any]:
    asked = {"question": "Lyse or wait?", "specialties": ["neurology"]}
    return {**asked, "cid": new_cid()}


def _paged(role_id: str) -> dict[str, Any]:
    asked = {"role": role_id, "urgency": "now", "text": "Lyse or wait?", "override": "It is now."}
    return {**asked, "cid": new_cid()}


# The order matters: first what leaves things as they are, last what takes words or places away.
ACTIONS: Mapping[str, Callable[[Place], tuple[str, dict[str, Any]]]] = {
    "join": lambda at: ("join", {"room": at.room}),
    "history": lambda at: ("history", {"room": at.room, "after": 0}),
    "search": lambda at: ("search", {"q": "evening", "room": at.room}),
    "read": lambda at: ("read", {"room": at.room, "seq": 1}),
    "preview": lambda at: ("preview", {"room": at.room}),
    "face": lambda at: ("face", {"room": at.room, "as": "anonymous"}),
    "ignore": lambda at: ("ignore", {"room": at.room, "persona": at.persona, "on": True}),
    "say": lambda at: ("say", {"room": at.room, "cid": new_cid(), "text": "Good evening."}),
    "react": lambda at: ("react", _changing(at, at.others, emoji="👍", on=True)),
    "report": lambda at: ("report", _changing(at, at.others, kind="other")),
    "ack": lambda at: ("ack", {"room": at.room, "seq": at.others}),
    "edit own": lambda at: ("edit", _changing(at, at.own, text="Good morning.")),
    "edit another's": lambda at: ("edit", _changing(at, at.others, text="Good morning.")),
    "reveal": lambda at: ("reveal", _changing(at, at.others)),
    "talk": lambda at: ("talk", _changing(at, at.others)),
    "seen": lambda at: ("seen", {"room": at.room, "seq": 1}),
    "writing": lambda at: ("writing", {"room": at.room, "on": True}),
    "opinions": lambda at: ("opinions", {"room": at.room}),
    "opine": lambda at: ("opine", {"room": at.room, "ranked": ["Angina"], "cid": new_cid()}),
    "unopine": lambda at: ("unopine", {"room": at.room, "cid": new_cid()}),
    "merge": lambda at: (
        "merge",
        {"room": at.room, "into": "Angina", "labels": ["angina"], "cid": new_cid()},
    ),
    "unseal": lambda at: ("unseal", {"room": at.room, "cid": new_cid()}),
    "decide": lambda at: ("decide", {"room": at.room, "did": "Waited.", "cid": new_cid()}),
    "outcome": lambda at: ("outcome", {"room": at.room, "text": "Well.", "cid": new_cid()}),
    "receipt": lambda at: ("receipt", _changing(at, at.others)),
    "poll": lambda at: (
        "poll",
        {"room": at.room, "question": "Which?", "choices": ["This", "That"], "cid": new_cid()},
    ),
    "vote": lambda at: ("vote", _changing(at, at.poll, choices=[0])),
    "tally": lambda at: ("tally", {"room": at.room, "seq": at.poll}),
    "close another's poll": lambda at: ("poll_close", _changing(at, at.poll)),
    "redact another's": lambda at: ("redact", _changing(at, at.others, reason="Not for here.")),
    "moderate": lambda at: ("moderate", _changing(at, at.others, act="pin")),
    "appeal": lambda at: ("appeal", _changing(at, at.others, text="I meant it otherwise.")),
    "redact own": lambda at: ("redact", _changing(at, at.own)),
    "retire": lambda at: ("retire", {"room": at.room, "as": "anonymous", "cid": new_cid()}),
    "talk_answer": lambda at: (
        "talk_answer",
        {"talk": at.room, "accept": True, "cid": new_cid()},
    ),
    "talk_end": lambda at: ("talk_end", {"room": at.room, "cid": new_cid()}),
    "page_answer": lambda at: (
        "page_answer",
        {"room": at.room, "accept": True, "cid": new_cid()},
    ),
    "page_mark": lambda at: ("page_mark", {"room": at.room, "mark": "seen"}),
    "page_end": lambda at: ("page_end", {"room": at.room, "cid": new_cid()}),
    "page nobody": lambda at: ("page", _paged("nobody")),
    "ask no specialty": lambda at: (
        "ask_now",
        {"specialty": "astrology", "text": "Who is free?", "cid": new_cid()},
    ),
    "looking": lambda at: ("looking", {"room": at.room, "on": True}),
    "consult": lambda at: ("consult", _case()),
    "leave": lambda at: ("leave", {"room": at.room}),
    "signals": lambda at: ("signals", {"on": True}),
    "examine": lambda at: ("examine", {"text": "Stable."}),
    "board": lambda at: ("board", {"on": True}),
    "ping": lambda at: ("ping", {}),
}
OF_NO_ROOM = ("page nobody", "ask no specialty", "consult", "signals", "examine", "board", "ping")
DOORS: Mapping[str, tuple[str, str, dict[str, Any] | None]] = {
    "list reports": ("GET", "/api/reports", None),
    "claim a report": ("POST", "/api/reports/none/claim", None),
    "list appeals": ("GET", "/api/appeals", None),
    "claim an appeal": ("POST", "/api/appeals/none/claim", None),
    "list waived texts": ("GET", "/api/waived", None),
    "see whether on duty": ("GET", "/api/duty", None),
    "close a report": ("POST", "/api/reports/none/close", {"outcome": "dismissed"}),
    "read the board": ("GET", "/api/board", None),
    "list sanctions": ("GET", "/api/sanctions", None),
    "lift a sanction": ("DELETE", "/api/sanctions/none", None),
    "read what is hidden": ("GET", "/api/rooms/specialty/urology/hidden/1", None),
    "list rules": ("GET", "/api/rules", None),
    "drop a rule": ("DELETE", "/api/rules/none", None),
    "list texts that wait": ("GET", "/api/waiting", None),
    "claim a text that waits": ("POST", "/api/waiting/none/claim", None),
    "list applications": ("GET", "/api/registrar/applications", None),
    "see an application": ("GET", "/api/registrar/applications/none", None),
    "decide on one": (
        "POST",
        "/api/registrar/applications/none",
        {"verdict": "verified", "reason": "sources_agree", "version": "x"},
    ),
    "own rooms": ("GET", "/api/rooms", None),
    "own sessions": ("GET", "/api/sessions", None),
    "own application": ("GET", "/api/application", None),
}
"""What is behind HTTP and of no room."""


async def tried(
    house: House, host: Guest, role: str, standing: str, kinds: list[str]
) -> AsyncIterator[tuple[Cell, str]]:
    """Every cell of one role and standing, and `ok` or the code that it is refused with."""
    somebody = await _prepared(house, host, role, standing, kinds)
    await _put(house, somebody, standing)
    guest = await house.guest(somebody.name)
    for kind in kinds:
        for action, command in ACTIONS.items():
            if action in OF_NO_ROOM and kind != "world":
                continue
            op, fields = command(somebody.places[kind])
            try:
                await guest.ask(op, **fields)
            except Refused as refused:
                yield Cell(role, standing, kind, action), refused.code
            else:
                yield Cell(role, standing, kind, action), "ok"
    async with house.http(house.passes[somebody.name]) as http:
        for action, (method, path, body) in DOORS.items():
            answer = await http.request(method, path, json=body)
            code = "ok" if answer.is_success else answer.json()["error"]["code"]
            yield Cell(role, standing, "http", action), code


async def _prepared(
    house: House, host: Guest, role: str, standing: str, kinds: list[str]
) -> Somebody:
    """While all is well she has been wherever she may, and said something there."""
    somebody = Somebody(f"{role}-{standing}".replace(" ", "-"))
    await house.doctor(somebody.name, **TRAITS[role])
    guest = await house.guest(somebody.name)
    for kind in kinds:
        room = ROOMS[kind] or await _opened(host, guest, house, kind)
        somebody.places[kind] = await _place(host, guest, room)
    await guest.socket.close()
    return somebody


async def _place(host: Guest, guest: Guest, room: str) -> Place:
    place = Place(room)
    try:
        await host.join(room)
        place.others = (await host.say(room, "Good evening, all."))["seq"]
        event = await host.hears("event", room=room, seq=place.others)
        place.persona = event["by"]["id"]
        await guest.join(room)
        blind = {"sort": "question"} if room.startswith("consult/") else {}  # else it is sealed
        answer = await guest.say(room, "Good evening to you.", reply_to=place.others, **blind)
        place.own = answer["seq"]
        question = {"question": "Which?", "choices": ["This", "That"], "cid": new_cid()}
        place.poll = (await host.ask("poll", room=room, **question))["seq"]
    except Refused:
        pass
    return place


async def _opened(host: Guest, guest: Guest, house: House, kind: str) -> str:
    """A room that is nobody's before: of the host's case, or of two."""
    if kind == "consult":
        room: str = (await host.ask("consult", **_case()))["consult"]
        return room
    if kind.endswith("page"):
        return await _page(host, guest if kind == "own page" else None, house)
    return await _talk(host, guest if kind == "own talk" else None, house)


async def _talk(host: Guest, guest: Guest | None, house: House) -> str:
    """A talk between the host and her, or between the host and somebody else."""
    other = guest or await house.guest("chiara")
    await other.join("world")
    await host.join("world")
    said = await other.say("world", "Who has a moment?")
    talk: str = (await host.ask("talk", room="world", seq=said["seq"], cid=new_cid()))["talk"]
    await other.ask("talk_answer", talk=talk, accept=True, cid=new_cid())
    return talk


async def _page(host: Guest, guest: Guest | None, house: House) -> str:
    """A page of hers that the host has accepted, or one of somebody else's."""
    other = guest or await house.guest("chiara")
    on_call = await role(house, {"primary": ["host"]})
    room: str = (await other.ask("page", **_paged(on_call)))["room"]
    await host.ask("page_answer", room=room, accept=True, cid=new_cid())
    return room


async def _put(house: House, somebody: Somebody, standing: str) -> None:
    """From now on she stands so."""
    lounge = house.lounge
    doctor_id = await lounge.doctors.id_of(house.doctors[somebody.name])
    assert doctor_id
    if standing == "open":
        return
    if standing == "muted":
        own = somebody.places["world"].own
        await house.moderate("mute", "world", own, minutes=60, everywhere=True)
        return
    async with lounge.doctors._revoking() as connection:
        if standing == "not accepted":
            await applications.amend(connection, doctor_id, accepted_texts=None)
        else:
            await applications.set_state(connection, doctor_id, standing, None, now=1)
