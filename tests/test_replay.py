"""Replay: how texts are cut, and a speaker that says everything once on a bad line."""

from __future__ import annotations

import http
import json
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from web.replay import ReplayFault, Unreachable, cut, replay, texts_of
from web.speaker import Speaker


class Tower:
    """The least that a lounge is to a speaker, with faults to order."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.by: list[str] = []
        self.open = True

    def told(self, op: str) -> list[dict[str, Any]]:
        return [each for each in self.commands if each["op"] == op]

    async def doorkeeper(self, connection: ServerConnection, request: Request) -> Response | None:
        if not self.open:
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "")
        self.by.append(request.headers["authorization"])
        assert request.path == "/ws"
        assert "origin" not in request.headers
        return None

    async def __call__(self, connection: ServerConnection) -> None:
        await connection.send('{"op":"welcome"}')
        async for frame in connection:
            command = json.loads(frame)
            self.commands.append(command)
            fault = self.faults.pop(0) if command["op"] == "say" and self.faults else None
            if fault == "hangs up":
                await connection.close(4012)
                return
            await connection.send('{"op":"event","room":"world","seq":1}')
            answer = {"op": "ok"} if fault is None else {"op": "error", "code": fault}
            await connection.send(
                json.dumps({**answer, "ref": command["ref"], "retry_after": 0.001})
            )


@pytest.fixture
def tower() -> Tower:
    return Tower()


@pytest.fixture
async def server(tower: Tower) -> AsyncIterator[Server]:
    async with serve(tower, "127.0.0.1", 0, process_request=tower.doorkeeper) as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    host, port = next(iter(server.sockets)).getsockname()[:2]
    return f"http://{host}:{port}"


@given(st.text(alphabet="ab .!\n", max_size=300), st.integers(40, 80))
def test_cutting_loses_white_space_only_and_keeps_to_the_length(text: str, longest: int) -> None:
    pieces = cut(text, longest)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= longest and piece == piece.strip() for piece in pieces)


def test_texts_are_cut_at_sentence_ends() -> None:
    text = "One is short. Two is short as well. « Trois ! » Four ends here?"
    assert cut(text, 40) == [
        "One is short. Two is short as well.",
        "« Trois ! » Four ends here?",
    ]
    assert cut(text, 100) == [text]


def test_a_sentence_too_long_is_cut_between_words_and_a_word_anywhere() -> None:
    assert cut("aaaa bbbb cccc", 10) == ["aaaa bbbb", "cccc"]
    assert cut("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]


@pytest.mark.parametrize("fault", ["rate_limited", "busy", "storage", "slow_mode", "hangs up"])
async def test_a_piece_is_said_again_with_the_same_client_id(
    tower: Tower, url: str, fault: str
) -> None:
    tower.faults = [fault]
    speaker = Speaker(url, "secret")
    assert await speaker.say("world", "Hello.") is None
    await speaker.close()
    first, again = tower.told("say")
    assert first["cid"] == again["cid"]
    assert len(first["cid"]) >= 16
    assert speaker.reconnects == (fault == "hangs up")
    assert len(tower.told("join")) == 1 + speaker.reconnects


async def test_a_room_that_was_left_is_joined_again(tower: Tower, url: str) -> None:
    tower.faults = ["not_joined"]
    speaker = Speaker(url, "secret")
    assert await speaker.say("world", "Hello.") is None
    await speaker.close()
    assert [each["op"] for each in tower.commands] == ["join", "say", "join", "say"]


async def test_a_refusal_is_not_tried_again(tower: Tower, url: str) -> None:
    tower.faults = ["held_privacy"]
    speaker = Speaker(url, "secret")
    assert await speaker.say("world", "Hello.") == "held_privacy"
    await speaker.close()
    assert len(tower.told("say")) == 1


async def test_a_refused_token_is_said_at_once(tower: Tower, url: str) -> None:
    tower.open = False
    with pytest.raises(Unreachable, match="401"):
        await Speaker(url, "secret").say("world", "Hello.")


async def test_a_conversation_takes_turns(tower: Tower, url: str) -> None:
    texts = ["One. " * 20, "Two. " * 20, "Three. " * 20]
    quiet = Console(file=StringIO())
    done = await replay(texts, ["a", "b"], ["x", "y", "z"], split=50, url=url, console=quiet)
    said = [(each["room"], each["text"]) for each in tower.told("say")]
    in_a = [text for room, text in said if room == "a"]
    assert in_a == cut(texts[0], 50) + cut(texts[2], 50)
    assert [text for room, text in said if room == "b"] == cut(texts[1], 50)
    assert sorted(set(tower.by)) == ["Bearer x", "Bearer y", "Bearer z"]
    assert (done.texts, done.said, done.refused) == (3, len(said), [])


async def test_a_refused_piece_is_counted_without_its_words(tower: Tower, url: str) -> None:
    tower.faults = ["held_privacy"]
    quiet = Console(file=StringIO())
    done = await replay(["Secret."], ["world"], ["x"], split=50, url=url, console=quiet)
    assert done.refused == ["world: text 1, piece 1: held_privacy"]
    assert "Secret" not in done.summary()


@pytest.mark.parametrize("line", ["{", "[]", '{"text": 1}', "{}"])
def test_a_row_without_text_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text('{"text": "fine"}\n\n' + line)
    with pytest.raises(ReplayFault, match="line 3"):
        texts_of(file)
