"""The parts that know no page, run by themselves in the browser."""

from __future__ import annotations

import random
from typing import Any

from playwright.async_api import Page

from tests.browser.conftest import Opens
from web.version import VERSION

Event = dict[str, Any]
TAKES_PAGES = """async ([module, pages, head]) => {
  const { Timeline } = await import(module);
  const timeline = new Timeline();
  timeline.head = head;
  for (const page of pages) timeline.add(page);
  return timeline.between(1, Infinity).map(({ seq, kind, text, reactions, role }) => (
    { seq, kind, text, reactions: reactions && Object.keys(reactions).length ? reactions : undefined, role }
  ));
}"""


async def part(opens: Opens) -> Page:
    """A page from which parts can be imported."""
    window = await opens()
    await window.goes()
    return window.page


def module(name: str) -> str:
    return f"/static/{VERSION}/parts/{name}.js"


def log(chance: random.Random, length: int) -> list[Event]:
    """A room's log as it happened: says, and what was done to them."""
    events: list[Event] = []
    for seq in range(1, length + 1):
        says = [event["seq"] for event in events if event["kind"] == "say"]
        kinds = ["say", "say", "edit", "react", "redact", "mod.hide"]
        what = chance.choice(kinds) if says else "say"
        event: Event = {"seq": seq, "id": f"e{seq}", "at": "2026-01-01T00:00:00Z", "kind": what}
        if what == "say":
            event |= {"by": {"id": "p"}, "text": f"text {seq}"}
        else:
            event |= {"target": chance.choice(says)}
            event |= {"by": {"role": "author"}} if what == "redact" else {}
            event |= {"by": {"role": "crowd"}, "reason": "other"} if what == "mod.hide" else {}
            event |= {"text": f"edited {seq}"} if what == "edit" else {}
            event |= {"emoji": "👍", "on": True} if what == "react" else {}
        events.append(event)
    return events


def as_of(events: list[Event], head: int, first: int, last: int) -> list[Event]:
    """How the server serves seq first…last when the room's head is `head`."""
    return [_standing(event, events[:head]) for event in events[first - 1 : last]]


def _standing(event: Event, past: list[Event]) -> Event:
    bare = {"seq": event["seq"], "id": event["id"], "at": event["at"], "kind": "tombstone"}
    subject = event["target"] if event["kind"] == "edit" else event["seq"]
    if any(act["kind"] == "redact" and act["target"] == subject for act in past):
        return bare
    if any(act["kind"] == "mod.hide" and act["target"] == subject for act in past):
        hidden = {"hidden": {"role": "crowd", "reason": "other"}}
        return bare | (hidden if event["kind"] == "say" else {})
    acts = [act for act in past if act.get("target") == event["seq"]]
    if event["kind"] != "say" or not acts:
        return event
    edits = [act["text"] for act in acts if act["kind"] == "edit"]
    liked = sum(act["kind"] == "react" for act in acts)
    state = {"text": edits[-1] if edits else event["text"], "as_of": len(past)}
    return event | state | ({"reactions": {"👍": liked}} if liked else {})


async def test_a_timeline_is_the_same_in_whatever_order_its_pages_come(opens: Opens) -> None:
    page = await part(opens)
    for seed in range(40):
        chance = random.Random(seed)
        events = log(chance, 40)
        joined = chance.randint(10, 30)
        in_order = [as_of(events, joined, 1, joined), *([event] for event in events[joined:])]
        woven = weave(chance, events, joined)
        expected = await page.evaluate(TAKES_PAGES, [module("timeline"), in_order, 40])
        found = await page.evaluate(TAKES_PAGES, [module("timeline"), woven, 40])
        assert _named(found) == _named(expected), seed


def weave(chance: random.Random, events: list[Event], joined: int) -> list[list[Event]]:
    """The past in two pieces, each fetched at any moment while what is newer comes in live."""
    live = [[event] for event in events[joined:]]
    cut = chance.randint(1, joined - 1)
    woven = list(live)
    for first, last in ((1, cut), (cut + 1, joined)):
        at = chance.randint(0, len(woven))
        heard = sum(page in live for page in woven[:at])
        woven.insert(at, as_of(events, joined + heard, first, last))
    return woven


def _named(entries: list[Event]) -> list[tuple[Any, ...]]:
    return [(e["seq"], e["kind"], e.get("text"), str(e.get("reactions"))) for e in entries]


async def test_spans_count_code_points_and_lose_no_character(opens: Opens) -> None:
    page = await part(opens)
    script = """async ([module, text, spans]) => {
      const { pieces } = await import(module);
      return pieces(text, spans).map(({ text, span }) => [text, !!span]);
    }"""
    text = "👩‍⚕️ call 514 555 0199 now"
    start = len("👩‍⚕️ call ")
    span = {"start": start, "end": start + 12}
    found = await page.evaluate(script, [module("spans"), text, [span, {"start": 0, "end": 1}]])
    assert "".join(part for part, _ in found) == text
    assert [part for part, marked in found if marked] == ["👩", "514 555 0199"]


async def test_addresses_and_places_are_each_others_inverse(opens: Opens) -> None:
    page = await part(opens)
    script = """async (module) => {
      const { addressOf, placeOf } = await import(module);
      const room = { name: 'room', room: 'specialty/cardiology', seq: 41 };
      const places = [{ name: 'home' }, { name: 'search' }, room];
      return places.map((place) => {
        const back = placeOf(new URL(addressOf(place), 'http://lounge'));
        return JSON.stringify({ ...back }) === JSON.stringify(place);
      });
    }"""
    assert await page.evaluate(script, module("router")) == [True, True, True]


async def test_a_room_that_misses_a_seq_joins_again_from_where_it_stood(opens: Opens) -> None:
    page = await part(opens)
    script = """async (module) => {
      const { Room } = await import(module);
      const asked = [];
      const answers = [{ from: 1, oldest: 1, you: [] }, { from: 3, oldest: 1, you: [] }];
      const request = async (op, fields) => { asked.push(fields); return answers.shift(); };
      const room = new Room('world', request);
      const event = (seq) => ({ op: 'event', seq, id: `e${seq}`, kind: 'say', text: `${seq}` });
      await room.join();
      for (const seq of [1, 2, 4]) room.receive(event(seq));
      await room.ready();
      for (const seq of [3, 4, 5]) room.receive(event(seq));
      return [asked, room.timeline.between(1, Infinity).map(({ seq }) => seq)];
    }"""
    asked, seqs = await page.evaluate(script, module("room"))
    assert asked == [{"room": "world"}, {"room": "world", "since": 2, "last": "e2"}]
    assert seqs == [1, 2, 3, 4, 5]


async def test_an_answer_that_a_newer_question_has_overtaken_is_not_shown(opens: Opens) -> None:
    page = await part(opens)
    script = """async (module) => {
      const { Look } = await import(module);
      const [asked, shown, trouble] = [[], [], document.createElement('p')];
      const ask = () => new Promise((answers, fails) => asked.push({ answers, fails }));
      const look = new Look(trouble, ask, (found) => shown.push(found));
      const looks = [look.again(), look.again(), look.again()];
      asked[1].answers('overtaken');
      asked[2].answers('the newest');
      asked[0].fails(new Error('overtaken as well'));
      await Promise.all(looks);
      return [shown, trouble.textContent];
    }"""
    kept_list = f"/static/{VERSION}/elements/kept-list.js"
    assert await page.evaluate(script, kept_list) == [["the newest"], ""]
