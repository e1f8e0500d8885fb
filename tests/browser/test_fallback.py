"""Where a network blocks WebSockets the same lounge comes another way, by itself, and says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, expect

from lounge.errors import RESTART
from tests.browser.network import Network, network_before
from tests.browser.test_everyone import LOOKS, flawless
from tests.browser.window import Window, options
from tests.support import Guest, House, open_house, until
from web.connection import farewell
from web.version import VERSION

WORLD = "/rooms/world"
CARDIOLOGY = "specialty/cardiology"
STREAM = "Messages come another way"
POLLS = "Messages may be seconds late"
SLOWLY_MS = 40_000
Comes = Callable[..., Awaitable[Window]]


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    async with open_house(folder, redis_url, demo=True) as house:
        yield house


@pytest.fixture
async def network(house: House) -> AsyncIterator[Network]:
    async with network_before(house.port) as network:
        yield network


@pytest.fixture
async def comes(browser: Browser, network: Network) -> AsyncIterator[Comes]:
    """Opens windows in that network: of a doctor in a room, or at the door. A script error fails the test.

    The browser knows from an earlier visit what comes through, unless it is `new` there.
    """
    windows: list[Window] = []

    async def open_window(
        name: str | None = None, path: str = WORLD, *, new: bool = False, **other: Any
    ) -> Window:
        context = await browser.new_context(**options(**other))
        if network.refuses and not new:
            way = "polls" if "stream" in network.refuses else "stream"
            await context.add_init_script(f"localStorage['lounge.of.way'] ??= '\"{way}\"'")
        window = Window(await context.new_page(), network.url)
        windows.append(window)
        if name is None:
            await window.goes()
        else:
            await window.signs_in(name, path)
            await window.page.locator('room-view[data-state="live"]').wait_for(timeout=SLOWLY_MS)
        return window

    yield open_window
    for window in windows:
        await window.context.close()
    # The browser itself complains of what the network did; we must not.
    own = ("WebSocket connection to", "Failed to load resource")
    troubles = [trouble for window in windows for trouble in window.troubles]
    assert [trouble for trouble in troubles if not trouble.startswith(own)] == []


@pytest.fixture(params=["stream", pytest.param("polls", marks=pytest.mark.long)])
def words(request: pytest.FixtureRequest, network: Network) -> str:
    """The network blocks WebSockets, so that streams are used, or both; and so the page says."""
    network.refuses |= {"socket"} if request.param == "stream" else {"socket", "stream"}
    return {"stream": STREAM, "polls": POLLS}[request.param]


by_either = pytest.mark.parametrize("words", ["stream", "polls"], indirect=True)


def status(window: Window) -> Locator:
    return window.page.locator("connection-status").get_by_role("status")


async def sees_once_and_in_order(window: Window, texts: list[str]) -> None:
    """Every one of these stands in the log, once, in the order in which they were said."""
    for text in texts:
        await window.sees(text)
    seqs = await window.seqs()
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    shown = await window.page.locator(".rows .row .text").all_inner_texts()
    assert [text for text in shown if text in texts] == texts


async def all_say(guest: Guest, prefix: str) -> list[str]:
    texts = [f"{prefix} {n}" for n in range(3)]
    for text in texts:
        await guest.say("world", text)
    return texts


@by_either
async def test_a_doctor_reads_and_speaks_and_is_told_of_the_slower_way(
    house: House, comes: Comes, words: str
) -> None:
    ana = await comes("ana", new=True)
    await expect(status(ana)).to_contain_text(words)
    ben = await house.guest("ben", "world")
    heard = await all_say(ben, f"{words} heard")
    for n in range(3):
        await ana.says(f"{words} said {n}")
    await sees_once_and_in_order(ana, [*heard, *(f"{words} said {n}" for n in range(3))])
    told = [event["text"] for event in ben.events["world"] if event["kind"] == "say"]
    assert told[-3:] == [f"{words} said {n}" for n in range(3)]


@pytest.mark.long
@pytest.mark.parametrize(
    "words", ["stream"], indirect=True
)  # polls tell of the list half a minute late
async def test_two_rooms_are_told_apart_and_the_list_hears_of_the_other(
    house: House, network: Network, comes: Comes, words: str
) -> None:
    ana = await comes("ana", f"/rooms/{CARDIOLOGY}")
    ben = await house.guest("ben", "world", CARDIOLOGY)
    texts, _ = await asyncio.gather(
        all_say(ben, f"{words} to the world"), ana.listed("world").click()
    )
    await sees_once_and_in_order(ana, texts)
    await ben.say(CARDIOLOGY, f"{words} among cardiologists")
    await expect(ana.listed(CARDIOLOGY)).to_contain_text("1 unread", timeout=SLOWLY_MS)
    await ana.listed(CARDIOLOGY).click()
    await ana.sees(f"{words} among cardiologists")
    await expect(ana.stored(texts[-1])).to_have_count(0)
    await until(lambda: network.open["stream"] + network.open["poll"] <= 1)


@by_either
@pytest.mark.long
async def test_what_was_missed_while_the_line_was_cut_is_made_up_for(
    house: House, network: Network, comes: Comes, words: str
) -> None:
    ana = await comes("ana")
    ben = await house.guest("ben", "world")
    before = await all_say(ben, f"{words} before the cut")
    await ana.sees(before[-1])
    await network.goes_down()
    await ana.sends(f"{words} written in the dark")
    missed = await all_say(ben, f"{words} in the dark")
    network.comes_back()
    await ana.sees(f"{words} written in the dark")
    await expect(ana.unsent("in the dark")).to_have_count(0)
    after = await all_say(ben, f"{words} after it")
    texts = [*before, *missed, f"{words} written in the dark", *after]
    await sees_once_and_in_order(ana, texts)
    await network.cuts()
    await sees_once_and_in_order(ana, [*texts, *await all_say(ben, f"{words} after another")])


@pytest.mark.long
async def test_a_reload_takes_the_way_that_worked_at_once(
    network: Network, comes: Comes, words: str
) -> None:
    ana = await comes("ana", new=True)
    tried = network.asked["socket"]
    await ana.page.reload()
    await ana.is_live()
    await expect(status(ana)).to_contain_text(words)
    assert network.asked["socket"] == tried


@pytest.mark.long
async def test_once_sockets_come_through_the_page_goes_over_and_says_no_more(
    house: House, network: Network, comes: Comes, words: str
) -> None:
    ana = await comes("ana")
    ben = await house.guest("ben", "world")
    before = await all_say(ben, f"{words} before going over")
    network.refuses.clear()
    await ana.page.evaluate("dispatchEvent(new Event('online'))")
    during = await all_say(ben, f"{words} while going over")
    await until(lambda: network.open["socket"] == 1)
    await expect(status(ana)).to_have_text("")
    await until(lambda: network.open["stream"] + network.open["poll"] == 0)
    after = await all_say(ben, f"{words} after going over")
    await ana.says(f"{words} by socket")
    await sees_once_and_in_order(ana, [*before, *during, *after, f"{words} by socket"])
    await ana.page.reload()
    await ana.is_live()
    await until(lambda: network.open["socket"] == 1)


@pytest.mark.long
async def test_a_farewell_of_the_server_brings_the_page_back(
    house: House, network: Network, comes: Comes, words: str
) -> None:
    ana = await comes("ana")
    await ana.says(f"{words} before the farewell")
    asked = network.asked["stream"] + network.asked["poll"]
    await farewell(RESTART, 0)
    await until(lambda: network.asked["stream"] + network.asked["poll"] > asked)
    await ana.says(f"{words} after the farewell")


@pytest.mark.long
async def test_a_session_that_ended_leads_to_the_door(comes: Comes, words: str) -> None:
    ana = await comes("ana")
    await ana.writes(f"{words} by nobody")
    await ana.context.clear_cookies()
    await ana.page.keyboard.press("Enter")  # if a request of its own has not led there before
    await expect(ana.page.get_by_role("alert")).to_contain_text("You were signed out.")


@pytest.mark.long
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("words", ["polls"], indirect=True)
async def test_axe_finds_nothing_and_the_words_fit(
    comes: Comes, words: str, look: dict[str, Any]
) -> None:
    window = await comes("denis" if look["locale"] == "fr-CA" else "ana", **look)
    await expect(status(window)).to_have_class("status slower")
    await flawless(window)
    width = await window.page.evaluate("document.documentElement.scrollWidth")
    assert width <= look.get("viewport", {"width": 1280})["width"]


async def test_a_proxy_that_holds_streams_back_gets_short_requests_instead(
    house: House, network: Network, comes: Comes
) -> None:
    network.refuses.add("socket")
    network.holds_back.add("stream")
    ana = await comes("ana", new=True)
    await expect(status(ana)).to_contain_text(POLLS)
    ben = await house.guest("ben", "world")
    await sees_once_and_in_order(ana, await all_say(ben, "past a proxy that reads first"))
    await until(lambda: network.open["stream"] == 0)


TAKES_WAYS = """async (module) => {
  const { Ways } = await import(module);
  const kept = new Map();
  const shelf = { get: (key, other = null) => kept.get(key) ?? other, set: (...given) => kept.set(...given) };
  const ways = new Ways(shelf);
  const taken = [];
  const fails = (silent) => { ways.failed(ways.now, silent); taken.push(ways.now); };
  fails();
  ways.worked('socket');
  for (const silent of [false, true, false, false]) fails(silent);
  ways.worked('polls');
  taken.push(`again ${new Ways(shelf).now}`, ways.better.join());
  ways.failed('stream', true);
  for (const silent of [true, false]) fails(silent);
  return taken;
}"""


async def test_a_way_is_given_up_after_two_failures_and_a_stream_that_is_held_back_at_once(
    comes: Comes,
) -> None:
    window = await comes()
    taken = await window.page.evaluate(TAKES_WAYS, f"/static/{VERSION}/parts/ways.js")
    assert taken == [
        *("socket", "socket", "stream", "stream", "polls"),
        *("again polls", "socket,stream", "polls", "socket"),
    ]


RUNS_FOLLOWED = """async (module) => {
  const { Followed, Torn } = await import(module);
  const followed = new Followed();
  const told = [];
  const takes = (frame) => { const news = followed.take(frame); if (news) told.push(news); };
  const event = (room, seq) => ({ op: 'event', room, seq, id: `${room}${seq}`, kind: 'say' });
  followed.heed({ op: 'join', ref: 1, room: 'a' });
  followed.heed({ op: 'join', ref: 2, room: 'b', since: 7, last: 'b7' });
  const first = followed.joins();
  takes({ op: 'ok', ref: 1, from: 3, head: 4, present: { min: 1 } });
  takes(event('a', 3));
  takes({ op: 'ok', ref: 2, from: 8, head: 7, present: { min: 1 } });
  takes({ op: 'live', room: 'b', head: 7 });
  followed.heed({ op: 'join', ref: 3, room: 'c' });
  const second = followed.joins();
  takes({ op: 'ok', ref: 1, from: 4, head: 4, present: { min: 2 } });
  takes(event('a', 4));
  takes({ op: 'live', room: 'a', head: 4 });
  takes({ op: 'ok', ref: 2, from: 8, head: 7, present: { min: 1 } });
  takes({ op: 'live', room: 'b', head: 7 });
  takes({ op: 'ok', ref: 3, from: 1, head: 0, present: { min: 1 } });
  takes({ op: 'live', room: 'c', head: 0 });
  const left = followed.heed({ op: 'leave', ref: 4, room: 'a' });
  takes(event('a', 5));
  const third = followed.joins();
  let torn = false;
  try {
    followed.take({ op: 'ok', ref: 2, from: 2, head: 3, present: { min: 1 } });
  } catch (problem) {
    torn = problem instanceof Torn;
  }
  const names = told.map(({ op, ref, room, seq }) => [op, ref ?? room, ...(seq ? [seq] : [])].join(' '));
  return { first, second, third, left, names, torn };
}"""


async def test_rooms_asked_for_again_go_on_where_they_stood_and_repeat_nothing(
    comes: Comes,
) -> None:
    window = await comes()
    found = await window.page.evaluate(RUNS_FOLLOWED, f"/static/{VERSION}/parts/followed.js")
    assert found["first"] == [
        {"op": "join", "ref": 1, "room": "a"},
        {"op": "join", "ref": 2, "room": "b", "since": 7, "last": "b7"},
    ]
    assert found["second"] == [
        {"op": "join", "ref": 1, "room": "a", "since": 3, "last": "a3"},
        {"op": "join", "ref": 2, "room": "b", "since": 7, "last": "b7"},
        {"op": "join", "ref": 3, "room": "c"},
    ]
    assert found["names"] == [
        *("ok 1", "event a 3", "ok 2", "live b"),
        *("presence a", "event a 4", "live a", "ok 3", "live c"),
    ]
    assert found["left"] == [{"op": "ok", "ref": 4}]
    assert [join["room"] for join in found["third"]] == ["b", "c"]
    assert found["torn"]


ENDS = """async ([module, status, headers, pieces]) => {
  const { Stream } = await import(module);
  const bytes = new TextEncoder().encode(pieces);
  const body = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  window.fetch = async () => new Response(body, { status, headers });
  const frames = [];
  const line = new Stream();
  line.onmessage = ({ data }) => frames.push(JSON.parse(data));
  const code = await new Promise((resolve) => (line.onclose = ({ code }) => resolve(code)));
  return [code, frames];
}"""
HELD = {"op": "bye", "reconnect_in": 7000}
WELCOMED = '{"op": "welcome", "server": "été — 👩‍⚕️"}'
PARTED = {"op": "bye", "reconnect_in": 5, "reason": "revoked", "code": 4503}


@pytest.mark.long
@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "frames"),
    [
        pytest.param(401, {}, "", 4501, [], id="signed-out"),
        pytest.param(429, {"Retry-After": "7"}, "", 4029, [HELD], id="too-often"),
        pytest.param(503, {"Retry-After": "7"}, "", 4012, [HELD], id="not-now"),
        pytest.param(502, {"Retry-After": "7"}, "<html>", 1006, [], id="not-from-us"),
        pytest.param(200, {}, "<html>welcome to this network", 1006, [], id="a-portal"),
        pytest.param(200, {}, ': \n\ndata: {"op":"bye"}\n\n', 4012, [{"op": "bye"}], id="bye"),
        pytest.param(200, {}, f"data: {WELCOMED}\n\n", 1006, [json.loads(WELCOMED)], id="cut"),
        pytest.param(200, {}, f"data: {json.dumps(PARTED)}\n\n", 4503, [PARTED], id="revoked"),
    ],
)
async def test_a_stream_ends_as_a_socket_would(
    comes: Comes, status: int, headers: dict[str, str], body: str, code: int, frames: list[Any]
) -> None:
    window = await comes()
    given = [f"/static/{VERSION}/parts/stream.js", status, headers, body]
    assert await window.page.evaluate(ENDS, given) == [code, frames]


WAITS = """async ([module, answer]) => {
  const { Socket } = await import(module);
  const shelf = { get: (_, otherwise = null) => otherwise, set: () => {} };
  const tried = [];
  let socket;
  await new Promise((resolve) => {
    const open = async () => {
      if (tried.push(performance.now()) === 2) resolve();
      throw new Error('refused');
    };
    socket = new Socket({ url: '', session: async () => answer, shelf, open, random: () => 0.5 });
    socket.start();
  });
  socket.stop();
  return tried[1] - tried[0];
}"""


async def test_a_server_that_asks_for_patience_gets_it_and_some_more(comes: Comes) -> None:
    window = await comes()
    told = {"is": "unknown", "retryAfter": 1}
    gap = await window.page.evaluate(WAITS, [f"/static/{VERSION}/parts/socket.js", told])
    assert gap >= 1000 + 0.5 * 500 - 1
