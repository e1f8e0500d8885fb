"""AsyncAPI and OpenAPI, made from the types that the code itself reads and writes with."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, get_args

import msgspec

from lounge import events
from lounge.errors import Code
from lounge.oncall.gateway import GatewayNews
from lounge.oncall.keeping import Kept, NewRole
from lounge.told import Told
from web import wire
from web.version import VERSION

SCHEMAS = "#/components/schemas/"
COMMANDS: tuple[type, ...] = tuple(wire.COMMANDS.values())
SERVER_FRAMES: tuple[type, ...] = (
    *get_args(wire.Reply),
    *get_args(wire.Announcement),
    *get_args(events.Event),
)


@cache
def asyncapi_json() -> bytes:
    return msgspec.json.encode(asyncapi())


@cache
def openapi_json() -> bytes:
    return msgspec.json.encode(openapi())


@cache
def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0 of `/ws`: what a client may send, and every frame that the server sends."""
    types = [*COMMANDS, *SERVER_FRAMES]
    messages = {
        shape.__name__: {
            "payload": {"$ref": SCHEMAS + shape.__name__},
            "summary": _first_line(shape),
        }
        for shape in types
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Lounge wire", "version": VERSION, "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/json",
        "channels": {
            "ws": {
                "address": "/ws",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": {
            "command": _operation("receive", COMMANDS),
            "frame": _operation("send", SERVER_FRAMES),
        },
        "components": {"messages": messages, "schemas": _components(types)},
    }


@cache
def openapi() -> dict[str, Any]:
    """OpenAPI 3.1 of the HTTP routes."""
    from web import (
        accounts,
        api,
        applications,
        board,
        consults,
        factors,
        moderating,
        oidc,
        oncall,
        paging,
        passkeys,
        personas,
        reach,
        registrar,
        reports,
        rules,
        sanctions,
        streams,
    )  # the routes' types; imported late, api serves what is made here

    rows: list[tuple[str, str, str, type | None, type | None, int]] = [
        ("post", "/api/session", "Sign in.", accounts.SignIn, accounts.Self, 200),
        ("get", "/api/session", "Who am I to the lounge?", None, accounts.Self, 200),
        ("patch", "/api/session", "Choose a language.", accounts.Language, accounts.Self, 200),
        ("delete", "/api/session", "Sign out.", None, None, 204),
        ("post", "/api/password", "Spend a one-time code.", accounts.NewPassword, None, 204),
        ("post", "/api/session/second", "The second step.", factors.Second, accounts.Self, 200),
        ("post", "/api/session/passkey/options", "Ask for a passkey.", None, None, 200),
        ("post", "/api/session/passkey", "Sign in.", passkeys.ByPasskey, accounts.Self, 200),
        ("post", "/api/session/proof", "Ask for my passkey.", None, None, 200),
        ("post", "/api/session/unlock", "Unlock my session.", factors.Shown, None, 204),
        ("post", "/api/session/fresh", "Show again who I am.", factors.Shown, None, 204),
        ("post", "/api/session/active", "I am still at this computer.", None, None, 204),
        ("post", "/api/session/lock", "Lock my session now.", None, None, 204),
        ("get", "/api/passkeys", "My passkeys.", None, passkeys.PasskeyList, 200),
        ("post", "/api/passkeys/options", "Begin one.", passkeys.PasskeyName, None, 200),
        ("post", "/api/passkeys", "Add one.", passkeys.NewPasskey, None, 204),
        ("delete", "/api/passkeys/{id}", "Remove one of them.", None, None, 204),
        ("get", "/api/factors", "What else proves me.", None, factors.Factors, 200),
        ("post", "/api/totp", "Begin codes by an app.", None, factors.TotpOffer, 200),
        ("post", "/api/totp/confirm", "Turn them on.", factors.TotpCode, None, 204),
        ("delete", "/api/totp", "Turn them off.", None, None, 204),
        ("post", "/api/recovery-codes", "Ten new ones.", None, factors.CodesShown, 201),
        ("post", "/api/recovery", "A letter with a code.", factors.Forgotten, None, 202),
        ("get", "/api/own-data", "All that is held of me.", None, None, 200),
        ("post", "/api/leaving", "Leave for good.", None, None, 204),
        ("get", "/api/sessions", "My open sessions.", None, accounts.SessionList, 200),
        ("delete", "/api/sessions/{id}", "End one of them.", None, None, 204),
        ("post", "/api/applications", "Apply.", applications.NewApplication, None, 202),
        (
            *("post", "/api/applications/confirm", "Type the letter's code."),
            *(applications.Confirmation, accounts.Self, 200),
        ),
        ("get", "/api/application", "How I stand.", None, applications.Application, 200),
        (
            *("patch", "/api/application", "Correct it."),
            *(applications.Amendment, applications.Application, 200),
        ),
        (
            *("post", "/api/application/examine", "Ask all sources."),
            *(None, applications.Application, 200),
        ),
        ("put", "/api/application/documents/{name}", "Hand in a document.", None, None, 204),
        ("delete", "/api/application/documents/{name}", "Take it back.", None, None, 204),
        (
            *("post", "/api/application/accept", "Accept the screens."),
            *(applications.Acceptance, None, 204),
        ),
        ("get", "/api/house", "Who runs this lounge.", None, applications.House, 200),
        ("post", "/api/vouchers", "Vouch for a colleague.", applications.Voucher, None, 202),
        (
            *("get", "/api/registrar/applications", "Who waits."),
            *(None, registrar.ApplicationList, 200),
        ),
        (
            *("get", "/api/registrar/applications/{id}", "One of them."),
            *(None, registrar.ApplicationSheet, 200),
        ),
        (
            *("post", "/api/registrar/applications/{id}", "Decide."),
            *(registrar.Verdict, None, 204),
        ),
        (
            *("get", "/api/registrar/applications/{id}/documents/{name}", "Read a document."),
            *(None, None, 200),
        ),
        ("get", "/api/tokens", "My bearer tokens.", None, accounts.TokenList, 200),
        ("post", "/api/tokens", "Make one.", accounts.NewToken, accounts.TokenShown, 201),
        ("delete", "/api/tokens/{id}", "End one of them.", None, None, 204),
        ("get", "/api/oidc", "Other houses' sign-in.", None, oidc.ProviderList, 200),
        ("get", "/api/oidc/{provider}/start", "Go there.", None, None, 303),
        ("get", "/api/oidc/{provider}/return", "Come back.", None, None, 303),
        ("get", "/api/demo", "The demonstration's cast.", None, accounts.CastList, 200),
        ("post", "/api/demo", "Sign in as one of them.", accounts.Choice, accounts.Self, 200),
        ("get", "/api/rooms", "All rooms that I may enter.", None, api.RoomList, 200),
        ("put", "/api/rooms/{room}/pin", "Keep a room in my list.", api.Pin, None, 204),
        ("get", "/api/rooms/{room}/events", "A page of a room's past.", None, api.Events, 200),
        (
            *("get", "/api/rooms/{room}/personas/{id}", "A persona's page."),
            *(None, personas.PersonaPage, 200),
        ),
        ("get", "/api/screen-name", "My screen name.", None, personas.OwnScreenName, 200),
        (
            *("patch", "/api/screen-name", "Choose one."),
            *(personas.ScreenName, personas.OwnScreenName, 200),
        ),
        ("get", "/api/face", "My usual face.", None, personas.UsualFace, 200),
        ("put", "/api/face", "Choose it.", personas.UsualFace, personas.UsualFace, 200),
        ("get", "/api/roles", "Roles on call.", None, oncall.RoleList, 200),
        ("post", "/api/roles", "Make one.", NewRole, oncall.RoleMade, 201),
        ("get", "/api/roles/{id}", "One of them.", None, oncall.RoleSheet, 200),
        ("put", "/api/roles/{id}", "Change it.", Kept, None, 204),
        ("post", "/api/roles/{id}/members", "Who is on it.", oncall.MemberAct, None, 204),
        (
            *("post", "/api/roles/{id}/changes", "Where its rota does not hold."),
            *(oncall.NewChange, oncall.ChangeMade, 201),
        ),
        (
            *("post", "/api/roles/{id}/changes/{change}", "Answer, or withdraw."),
            *(oncall.ChangeAnswer, None, 204),
        ),
        ("post", "/api/rota/feed", "A password for my calendar.", None, oncall.FeedMade, 201),
        ("get", "/api/rota.ics", "My shifts as iCalendar.", None, None, 200),
        ("get", "/api/reach", "How I am reached.", None, reach.ReachList, 200),
        ("get", "/api/reach/push-key", "What to subscribe with.", None, reach.PushKey, 200),
        ("post", "/api/reach", "One way more.", reach.NewReach, reach.ReachLine, 201),
        ("delete", "/api/reach/{id}", "Remove it.", None, None, 204),
        ("post", "/api/reach/{id}/test", "Send a test alert.", None, None, 204),
        (
            *("post", "/api/reach/{id}/confirm", "The test alert arrived."),
            *(reach.ReachCode, reach.ReachLine, 200),
        ),
        (
            "post",
            "/api/gateway",
            "A gateway tells of an alert.",
            GatewayNews,
            reach.GatewayTold,
            200,
        ),
        ("get", "/api/available", "Until when I am.", None, paging.Availability, 200),
        (
            *("put", "/api/available", "Be available from now on."),
            *(paging.NewAvailability, paging.Availability, 200),
        ),
        ("delete", "/api/available", "No longer.", None, None, 204),
        ("post", "/api/page", "Answer a page.", paging.PageAct, paging.PageDone, 200),
        (
            *("get", "/api/roles/{id}/record", "What became of a role's pages."),
            *(None, paging.RoleRecord, 200),
        ),
        ("get", "/api/roles/{id}/record.csv", "The same as a table.", None, None, 200),
        ("get", "/api/told", "What I wish to be told by e-mail.", None, Told, 200),
        ("put", "/api/told", "Choose it.", Told, Told, 200),
        ("get", "/api/consults/{id}/summary", "A case as plain text.", None, None, 200),
        ("get", "/api/consults/{id}/receipts/{seq}", "A signed receipt.", None, None, 200),
        ("get", "/api/receipts/key", "What receipts are checked with.", None, None, 200),
        ("get", "/api/consults", "Which cases wait.", None, consults.BoardList, 200),
        (
            *("get", "/api/consults/figures", "How long cases wait for a first opinion."),
            *(None, consults.Figures, 200),
        ),
        ("post", "/api/search", "Find what was said.", api.Query, api.HitList, 200),
        ("get", "/api/reports", "Open reports, for moderators.", None, reports.ReportList, 200),
        ("post", "/api/reports/{id}/claim", "Take one on.", None, reports.ClaimAnswer, 200),
        ("post", "/api/reports/{id}/release", "Leave it to others.", None, None, 204),
        ("get", "/api/reports/{id}/notes", "What was noted.", None, reports.NoteList, 200),
        ("post", "/api/reports/{id}/notes", "Note something.", reports.NewNote, None, 204),
        ("get", "/api/reports/{id}/context", "Around it.", None, reports.ContextEvents, 200),
        ("post", "/api/reports/{id}/close", "Close a report.", reports.Closing, None, 204),
        ("get", "/api/appeals", "Open appeals, for moderators.", None, reports.AppealList, 200),
        ("post", "/api/appeals/{id}/claim", "Take one on.", None, reports.AppealClaim, 200),
        ("post", "/api/appeals/{id}/release", "Leave it to others.", None, None, 204),
        ("post", "/api/appeals/{id}/close", "Decide it.", reports.AppealClosing, None, 204),
        ("get", "/api/waived", "Said to be no patient.", None, reports.WaivedList, 200),
        ("get", "/api/duty", "Whether I am on duty.", None, reports.DutyAnswer, 200),
        ("put", "/api/duty", "Be on duty.", reports.OnDuty, reports.DutyAnswer, 200),
        ("delete", "/api/duty", "Be on duty no longer.", None, None, 204),
        ("get", "/api/board", "Rooms, for moderators.", None, board.BoardRooms, 200),
        (
            *("post", "/api/rooms/{room}/moderate", "Act as a moderator."),
            *(moderating.Moderation, moderating.Moderated, 200),
        ),
        (
            *("get", "/api/rooms/{room}/hidden/{seq}", "What a hidden entry says, for moderators."),
            *(None, moderating.HiddenEntry, 200),
        ),
        ("get", "/api/rules", "Rules before posting.", None, rules.RuleList, 200),
        ("post", "/api/rules", "Make one.", rules.NewRule, rules.RuleLine, 201),
        ("put", "/api/rules/{id}", "Change one.", rules.ChangedRule, rules.RuleLine, 200),
        ("delete", "/api/rules/{id}", "Take one away.", None, None, 204),
        (
            *("post", "/api/rules/dry-run", "What one would have done in the last week."),
            *(rules.DryRun, rules.DryRunPart, 200),
        ),
        ("get", "/api/waiting", "Texts that rules hold.", None, rules.WaitingList, 200),
        ("post", "/api/waiting/{id}/claim", "Read one.", None, rules.WaitingText, 200),
        ("post", "/api/waiting/{id}/release", "Leave it to others.", None, None, 204),
        ("post", "/api/waiting/{id}/close", "Post it, or not.", rules.Judged, None, 204),
        ("get", "/api/sanctions", "Sanctions in force.", None, sanctions.SanctionList, 200),
        ("delete", "/api/sanctions/{id}", "Lift one of them.", None, None, 204),
        ("post", "/api/commands", "One command; its answer as on the wire.", None, None, 200),
        ("post", "/api/stream", "Follow rooms as an event stream.", streams.Following, None, 200),
        ("get", "/healthz", "The process answers.", None, None, 200),
        ("get", "/readyz", "The lounge can take messages.", None, api.Health, 200),
        ("get", "/metrics", "Prometheus text.", None, None, 200),
        ("get", "/words/{language}.json", "The catalogue.", None, None, 200),
        ("get", "/worker.js", "The service worker.", None, None, 200),
        ("get", "/away", "What it shows while the server is away.", None, None, 200),
        ("get", "/api/openapi.json", "This document.", None, None, 200),
        ("get", "/api/asyncapi.json", "The wire's document.", None, None, 200),
    ]
    bodies = [t for row in rows for t in row[3:5] if t is not None]
    schemas = _components([*bodies, *get_args(events.Event)])
    schemas["Refused"] = _REFUSED
    paths: dict[str, Any] = {}
    for method, path, summary, body, reply, status in rows:
        paths.setdefault(path, {})[method] = _route(path, summary, body, reply, status)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lounge", "version": VERSION, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "lounge_session"},
            },
        },
    }


def _route(
    path: str, summary: str, body: type | None, reply: type | None, status: int
) -> dict[str, Any]:
    route: dict[str, Any] = {
        "summary": summary,
        "responses": {
            str(status): {"description": summary, **(_content(reply) if reply else {})},
            "default": {"description": "Refused.", **_json(SCHEMAS + "Refused")},
        },
    }
    if body is not None:
        route["requestBody"] = {"required": True, **_content(body)}
    names = [part[1:-1] for part in path.replace(".json", "").split("/") if part.startswith("{")]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]
    if path.endswith("/events"):
        parameters += [
            {"name": name, "in": "query", "schema": {"type": "integer", "minimum": 0}}
            for name in ("before", "after", "around", "limit")
        ]
    if parameters:
        route["parameters"] = parameters
    return route


def _content(shape: type) -> dict[str, Any]:
    return _json(SCHEMAS + shape.__name__)


def _json(reference: str) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"$ref": reference}}}}


def _components(types: Iterable[type]) -> dict[str, Any]:
    _, found = msgspec.json.schema_components(types, ref_template=SCHEMAS + "{name}")
    any_event = [{"$ref": SCHEMAS + shape.__name__} for shape in get_args(events.Event)]
    for name in ("Past", "Events"):
        if name in found:
            found[name]["properties"]["events"]["items"] = {"oneOf": any_event}
    return dict(sorted(found.items()))


def _operation(action: str, shapes: Iterable[type]) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/ws/messages/{shape.__name__}"} for shape in shapes]
    return {"action": action, "channel": {"$ref": "#/channels/ws"}, "messages": messages}


def _first_line(shape: type) -> str:
    return (shape.__doc__ or "").strip().splitlines()[0]


_REFUSED = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"enum": [code.value for code in Code]},
                "message": {"type": "string"},
                "retry_after": {"type": "number"},
                "asks": {"type": "array", "items": {"type": "string"}},
            },
        }
    },
}
