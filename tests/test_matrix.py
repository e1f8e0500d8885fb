"""Who may do what: every role, standing, kind of room and act, each tried over the wire.

The cells are generated from what there is (tests/matrix.py). What is right is written down here by hand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lounge.doctors import ROLES
from tests.matrix import ACTIONS, DOORS, OF_NO_ROOM, ROOMS, RULES, STANDINGS, Cell, Place, tried
from tests.support import House, open_house
from web import wire

EVERYWHERE = list(ROOMS)
HARDEST = ["world", "house of some", "house of moderators", "own talk", "others' talk"]
TRIED: dict[tuple[str, str], list[str]] = {
    ("doctor", "open"): EVERYWHERE,
    ("moderator", "open"): [
        kind for kind in ROOMS if kind not in ("specialty", "country", "own page")
    ],
    **{(role, "open"): HARDEST for role in ("officer", "registrar")},
    ("doctor", "muted"): ["world", "own talk", "own page", "consult", "me"],
    ("doctor", "not accepted"): ["world", "own talk", "me"],
    ("doctor", "suspended"): ["world", "own talk", "me"],
    **{("doctor", s): ["world"] for s in ("applied", "checking", "refused", "expired")},
    **{(role, "suspended"): ["world"] for role in ("moderator", "registrar")},
}
"""Whom each kind of room is tried with: standings that close all rooms alike need not be tried in each."""

# -- the table, by hand --------------------------------------------------------------------------

CLOSED = {"not accepted", "applied", "checking", "refused", "expired", "suspended"}
"""Standings in which no room opens."""
OPEN_TO = {
    **dict.fromkeys(("world", "specialty", "country", "house", "me"), ROLES),
    **dict.fromkeys(("own talk", "own page", "consult"), ROLES),
    "house of some": ("doctor",),  # hers is the only country that its rule names
    "house of moderators": ("moderator",),
    "others' talk": (),
    "others' page": (),
    "nowhere": (),
}
HIDDEN = {"others' talk", "others' page", "nowhere"}
"""What there is not, or may not be known to be."""
FROM_OUTSIDE = {"join", "history", "search"}
SILENCED = {"say", "react", "edit own", "edit another's", "reveal", "talk", "poll", "vote"}
"""What nobody does who is muted."""
OF_A_CONSULT = (
    *("looking", "opinions", "opine", "unopine", "merge", "unseal"),
    *("decide", "outcome", "receipt"),
)
"""What only consults have."""
IN_A_ROOM = {
    **dict.fromkeys(ACTIONS, "ok"),
    **dict.fromkeys(OF_A_CONSULT, "invalid"),
    "edit another's": "forbidden",
    "redact another's": "forbidden",  # unless by a moderator
    "close another's poll": "forbidden",
    "talk_answer": "not_found",  # a room is no talk
    **dict.fromkeys(("seen", "writing", "talk_end"), "invalid"),  # only talks have these
    "ack": "invalid",  # only consults have it
}
IN_OWN_TALK = {
    **dict.fromkeys(ACTIONS, "ok"),
    **dict.fromkeys(OF_A_CONSULT, "invalid"),
    "edit another's": "forbidden",
    "redact another's": "forbidden",  # by nobody: moderators read only what is reported
    "talk": "invalid",
    "ack": "invalid",
    "retire": "forbidden",
    "poll": "invalid",  # of two, a vote is no secret
    **dict.fromkeys(("vote", "tally", "close another's poll"), "not_found"),
}
IN_OWN_PAGE = {  # she has asked, and the host has accepted
    **IN_OWN_TALK,
    **dict.fromkeys(("seen", "writing", "talk_end"), "invalid"),  # only talks have these
    "talk_answer": "not_found",
}
OF_NO_PAGE = {"page nobody": "not_found", "ask no specialty": "invalid"}
"""A role and a specialty that there are not."""
ABOUT_PAGES = {"page_answer", "page_mark", "page_end"}
"""Of whoever was alerted, or asked, wherever she is: to all others there is no such page."""
IN_A_CONSULT = {  # somebody else's, still open
    **IN_A_ROOM,
    **dict.fromkeys(("looking", "opinions", "opine", "unopine"), "ok"),
    **dict.fromkeys(("say", "merge", "unseal", "decide", "outcome"), "forbidden"),
    "ack": "not_found",  # nothing was changed
    "poll": "forbidden",  # it would show what the ballots hold back
    **dict.fromkeys(("vote", "tally", "close another's poll"), "not_found"),
    "receipt": "forbidden",  # of what the author of the case said
}
MUTED_IN_A_CONSULT = {
    **dict.fromkeys(("opine", "decide", "outcome"), "muted"),
    "unopine": "not_found",
}
IN_ME = {
    **dict.fromkeys(ACTIONS, "forbidden"),  # nobody writes there
    **dict.fromkeys(("join", "history", "read", "leave"), "ok"),
    "search": "not_found",
    "talk_answer": "not_found",
}
BEHIND = {
    **dict.fromkeys(("list reports", "list sanctions", "read the board"), "moderator"),
    **dict.fromkeys(("close a report", "lift a sanction"), "moderator"),
    **dict.fromkeys(("claim a report", "claim an appeal", "list appeals"), "moderator"),
    **dict.fromkeys(("list waived texts", "see whether on duty"), "moderator"),
    **dict.fromkeys(("read what is hidden",), "moderator"),
    **dict.fromkeys(("list rules", "drop a rule"), "moderator"),
    **dict.fromkeys(("list texts that wait", "claim a text that waits"), "moderator"),
    **dict.fromkeys(("list applications", "see an application", "decide on one"), "registrar"),
}
"""Whose each door is; the others are everybody's own."""
NOT_THERE = {
    *("close a report", "lift a sanction", "see an application", "decide on one"),
    *("claim a report", "claim an appeal"),
    *("drop a rule", "claim a text that waits", "read what is hidden"),
}
"""Doors that are tried with the id of nothing."""


def expected(cell: Cell) -> str:
    """`ok`, or the code that it must be refused with."""
    if cell.kind == "http":
        return _at_a_door(cell)
    if cell.action in ("examine", "ping"):
        return "ok"
    if cell.action == "board":
        return "ok" if cell.role == "moderator" and cell.standing == "open" else "forbidden"
    if cell.action == "moderate":
        return _moderating(cell)
    if cell.action == "appeal":  # from wherever she is, of her own entries only
        return "forbidden" if cell.standing in CLOSED else "not_found"
    if cell.action == "consult":  # it opens a room of its own
        return {"open": "ok", "muted": "muted"}.get(cell.standing, "forbidden")
    if cell.action in OF_NO_PAGE:
        return "forbidden" if cell.standing in CLOSED else OF_NO_PAGE[cell.action]
    if cell.action in ABOUT_PAGES:
        return _about_a_page(cell)
    if cell.action == "signals":  # her own switch: it opens no room
        return "ok" if cell.standing in ("open", "muted", "not accepted") else "forbidden"
    if cell.standing in CLOSED and not (cell.standing == "not accepted" and cell.kind == "me"):
        return "forbidden" if cell.action in {*FROM_OUTSIDE, "talk_answer"} else "not_joined"
    if cell.role not in OPEN_TO[cell.kind]:
        return _outside(cell)
    if cell.kind == "me":
        return _in_me(cell)
    if cell.standing == "muted" and cell.action in SILENCED:
        is_of_two = cell.kind in ("own talk", "own page")
        return "invalid" if is_of_two and cell.action == "talk" else "muted"
    if cell.kind == "own talk":
        return IN_OWN_TALK[cell.action]
    if cell.kind == "own page":
        return IN_OWN_PAGE[cell.action]
    if cell.kind == "consult" and cell.standing == "muted" and cell.action in MUTED_IN_A_CONSULT:
        return MUTED_IN_A_CONSULT[cell.action]
    return (IN_A_CONSULT if cell.kind == "consult" else IN_A_ROOM)[cell.action]


def _moderating(cell: Cell) -> str:
    """It needs no seat, and is of moderators alone; where she speaks herself she keeps out."""
    if cell.role != "moderator" or cell.standing != "open":
        return "forbidden"
    if cell.kind in ("me", *HIDDEN):
        return "not_found"
    return "ok" if cell.role not in OPEN_TO[cell.kind] else "forbidden"


def _about_a_page(cell: Cell) -> str:
    if cell.standing in CLOSED:
        return "forbidden"
    return "ok" if (cell.kind, cell.action) == ("own page", "page_end") else "not_found"


def _outside(cell: Cell) -> str:
    """She is not let in; what she may not know of looks as if it were not there."""
    if cell.action == "talk_answer":
        return "not_found"
    if cell.action in FROM_OUTSIDE:
        return "not_found" if cell.kind in HIDDEN else "forbidden"
    return "not_joined"


def _in_me(cell: Cell) -> str:
    """Her own log also tells her what is missing, when the rooms are closed to her."""
    if cell.standing == "not accepted" and cell.action in ("talk_answer", "search"):
        return "forbidden"
    return IN_ME[cell.action]


def _at_a_door(cell: Cell) -> str:
    if cell.action == "own rooms":
        return "forbidden" if cell.standing in CLOSED else "ok"
    if cell.action not in BEHIND:
        return "ok"
    stands = cell.standing == "open"
    if not stands or cell.role != BEHIND[cell.action]:
        return "forbidden"
    return "not_found" if cell.action in NOT_THERE else "ok"


# -- every cell ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("matrix")
    rules = folder / "rooms.toml"
    rules.write_text(RULES, "utf-8")
    async with open_house(folder, redis_url, bench=True, rooms_file=rules) as house:
        yield house


async def test_every_cell_answers_as_the_table_says(house: House) -> None:
    await house.doctor("host", country="CA", roles=["moderator"])
    host = await house.guest("host")
    seen: dict[Cell, str] = {}
    for (role, standing), kinds in TRIED.items():
        async for cell, code in tried(house, host, role, standing, kinds):
            seen[cell] = code
    wrong = {cell: (code, expected(cell)) for cell, code in seen.items() if code != expected(cell)}
    assert wrong == {}
    assert len(seen) >= 600


def test_the_matrix_leaves_out_no_command_no_role_no_standing_and_no_kind_of_room(
    house: House,
) -> None:
    """Whoever adds one must say here who may."""
    place_less = {command(Place("world"))[0] for command in ACTIONS.values()}
    assert place_less == set(wire.COMMANDS)
    assert {role for role, _ in TRIED} == set(ROLES)
    assert {standing for _, standing in TRIED} == set(STANDINGS)
    kinds = {room.kind for room in house.lounge.rooms.rooms()} | {"me", "talk", "page", "consult"}
    assert kinds == {"world", "specialty", "country", "house", "me", "talk", "page", "consult"}
    assert set(EVERYWHERE) == set(ROOMS) == set(OPEN_TO)
    assert set(OF_NO_ROOM) < set(ACTIONS)
    assert set(BEHIND) < set(DOORS)
