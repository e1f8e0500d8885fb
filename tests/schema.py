"""Holds frames against the published AsyncAPI document: nothing missing, and nothing it does not list."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from web import schemas, wire

_ANSWERS = {
    "join": "Joined",
    "leave": "Done",
    "say": "Said",
    "edit": "Changed",
    "redact": "Changed",
    "react": "Changed",
    "report": "Done",
    "ack": "Noted",
    "history": "Past",
    "read": "Done",
    "search": "Hits",
    "talk": "Asked",
    "talk_answer": "Done",
    "talk_end": "Changed",
    "opine": "Done",
    "unopine": "Done",
    "opinions": "Views",
    "unseal": "Changed",
    "merge": "Changed",
    "seen": "Noted",
    "writing": "Noted",
    "signals": "Noted",
    "consult": "Consulted",
    "ask_now": "AskedNow",
    "page": "Paged",
    "page_answer": "Done",
    "page_mark": "Noted",
    "page_end": "Changed",
    "looking": "Noted",
    "face": "Faced",
    "preview": "Previewed",
    "retire": "Retired",
    "ignore": "Ignored",
    "reveal": "Done",
    "poll": "Changed",
    "vote": "Votes",
    "tally": "Votes",
    "poll_close": "Changed",
    "decide": "Changed",
    "outcome": "Concluded",
    "receipt": "ReceiptAsked",
    "board": "Boarded",
    "moderate": "Moderated",
    "examine": "Examined",
    "appeal": "Done",
    "ping": "Pong",
}
_EVENTS = {
    "say": "SayEvent",
    "edit": "EditEvent",
    "withdraw": "WithdrawEvent",
    "redact": "RedactEvent",
    "react": "ReactEvent",
    "end": "EndEvent",
    "mod.hide": "ModHideEvent",
    "mod.restore": "ModRestoreEvent",
    "mod.caution": "ModCautionEvent",
    "mod.mode": "ModModeEvent",
    "mod.pin": "ModPinEvent",
    "mod.close": "ModCloseEvent",
    "consult.reveal": "ConsultRevealEvent",
    "consult.merge": "ConsultMergeEvent",
    "poll.open": "PollOpenEvent",
    "poll.count": "PollCountEvent",
    "poll.close": "PollCloseEvent",
    "consult.decided": "ConsultDecidedEvent",
    "consult.outcome": "ConsultOutcomeEvent",
    "tombstone": "TombstoneEvent",
    "notice": "NoticeEvent",
    "consult.open": "ConsultOpenEvent",
    "consult.card": "ConsultCardEvent",
    "consult.update": "ConsultUpdateEvent",
    "page.open": "PageOpenEvent",
    "page.update": "PageUpdateEvent",
    "page.widened": "PageWidenedEvent",
}
_FRAMES = {"seen": "SeenBy", "writing": "WritingBy", "board": "BoardNews"}
"""Those that are not called as their op: a command is."""
_DOCUMENT: dict[str, Any] = copy.deepcopy(schemas.asyncapi())


def check_command(command: dict[str, Any]) -> None:
    """A command of ours is one that the document lists."""
    _validator(wire.COMMANDS[command["op"]].__name__).validate(command)


def check_frame(frame: dict[str, Any], asked: dict[Any, str]) -> None:
    """A frame of the server's is one that the document lists; `asked` knows which op a ref was."""
    _validator(shape_of(frame, asked)).validate(frame)


def shape_of(frame: dict[str, Any], asked: dict[Any, str]) -> str:
    """What the document calls a frame of the server's."""
    op = frame["op"]
    if op == "ok":
        return _ANSWERS[asked[frame["ref"]]]
    if op == "event":
        return _EVENTS[frame["kind"]]
    return _FRAMES.get(op) or str(op).title()


def _validator(name: str) -> Draft202012Validator:
    if name not in _VALIDATORS:
        _VALIDATORS[name] = Draft202012Validator(_whole(name))
    return _VALIDATORS[name]


@cache
def _whole(name: str) -> Any:
    """The schema of that name with others in the place of references: those are looked up slowly."""
    return _inlined(_CLOSED["schemas"][name])


def _inlined(node: Any) -> Any:
    if isinstance(node, dict):
        rest = {key: _inlined(node[key]) for key in node if key != "$ref"}
        if "$ref" not in node:
            return rest
        other = _whole(node["$ref"].removeprefix("#/components/schemas/"))
        return {**rest, "allOf": [other, *rest.get("allOf", ())]} if rest else other
    return [_inlined(each) for each in node] if isinstance(node, list) else node


def _closed(node: Any) -> Any:
    """The same schema, with no room for a field that it does not name."""
    if isinstance(node, dict):
        closed = {key: _closed(value) for key, value in node.items()}
        if "properties" in node and "additionalProperties" not in node:
            closed["additionalProperties"] = False
        return closed
    return [_closed(each) for each in node] if isinstance(node, list) else node


_CLOSED = _closed(_DOCUMENT["components"])
_VALIDATORS: dict[str, Draft202012Validator] = {}
