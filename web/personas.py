"""A persona's page, one's own screen name and usual face, over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.belongings import ANY_ROOM
from lounge.errors import Code, Refusal
from lounge.events import By, Present
from lounge.limits import CHANGES, READS
from lounge.opening import Lounge
from lounge.persona_page import page_of
from lounge.personas import SCREEN
from lounge.screen_names import LONGEST
from web.accounts import answer, read_body
from web.visitor import require_act, require_visit


class PersonaPage(msgspec.Struct, frozen=True):
    """`helped`: how many of its says here somebody has thanked for, as a band. `retired`: one's own, once."""

    by: By
    helped: Present
    own: bool
    ignored: bool
    retired: bool


class ScreenName(msgspec.Struct, frozen=True):
    name: Annotated[str, Meta(max_length=4 * LONGEST)]


class UsualFace(msgspec.Struct, frozen=True, rename={"face": "as"}):
    """Worn in every room in which no other was chosen. A real name is shown room by room only."""

    face: Literal["anonymous", "screen"]


class OwnScreenName(msgspec.Struct, frozen=True):
    """`name` is left out while there is none."""

    name: str | UnsetType = UNSET


async def see_persona(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    room, id = request.path_params["room"], request.path_params["id"]
    page = await page_of(lounge, visit.doctor, room, id)
    helped = Present(min=page.least, max=UNSET if page.most is None else page.most)
    return answer(PersonaPage(page.by, helped, page.own, page.ignored, page.retired))


async def see_screen_name(request: Request) -> Response:
    visit = await require_visit(request)
    return answer(OwnScreenName(visit.doctor.screen_name or UNSET))


async def choose_screen_name(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_act(request)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    body = await read_body(request, ScreenName)
    name = await lounge.screen_names.choose(visit.doctor, body.name)
    await lounge.door.watch()  # her sockets here know it from now on
    return answer(OwnScreenName(name))


async def see_usual_face(request: Request) -> Response:
    visit = await require_visit(request)
    shelf = await _lounge(request).belongings.of(visit.doctor.id)
    return answer(UsualFace("screen" if shelf.faces.get(ANY_ROOM) == SCREEN else "anonymous"))


async def choose_usual_face(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_act(request)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    body = await read_body(request, UsualFace)
    if body.face == SCREEN and visit.doctor.screen_name is None:
        raise Refusal(Code.FORBIDDEN, "refusal.no_screen_name")
    (await lounge.belongings.of(visit.doctor.id)).wear(ANY_ROOM, body.face)
    return answer(body)


def _lounge(request: Request) -> Lounge:
    lounge: Lounge = request.state.lounge
    return lounge


routes = [
    Route("/api/rooms/{room:path}/personas/{id}", see_persona, methods=["GET"]),
    Route("/api/screen-name", see_screen_name, methods=["GET"]),
    Route("/api/screen-name", choose_screen_name, methods=["PATCH"]),
    Route("/api/face", see_usual_face, methods=["GET"]),
    Route("/api/face", choose_usual_face, methods=["PUT"]),
]
