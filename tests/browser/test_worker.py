"""The service worker: alerts on a closed page, the rota without a network, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Opens
from tests.browser.test_account import signs_in, with_password
from tests.browser.window import PATIENCE_MS, Window, options
from tests.support import House, new_cid, open_house
from web import pages

ROOM = "page/AAAAAAAAAAAAAAAAAAAAAA"
SHOWN = """navigator.serviceWorker.ready
  .then((here) => here.getNotifications())
  .then((all) => all.map(({ title, body, tag, silent, actions }) => (
    { title, body, tag, silent, actions: actions.map(({ action }) => action) })))"""
SHELLS = """caches.keys()
  .then((names) => names.filter((name) => name.startsWith('lounge.shell@')))"""
SPOILS = """async (name) => {
  const shell = await caches.open(name);
  const kept = [...(await shell.keys()), '/rooms/world'];
  for (const each of kept) await shell.put(each, new Response('old'));
}"""
OWN = "caches.open('lounge.of.rota').then((own) => own.keys())"
KEPT = "caches.keys().then((names) => names.sort())"
# A press that a script makes has no `waitUntil` of its own.
PRESSES = """async (action) => {
  const [notification] = await self.registration.getNotifications();
  const event = new NotificationEvent('notificationclick', { notification, action });
  let done;
  event.waitUntil = (promise) => { done = promise; };
  self.dispatchEvent(event);
  await done;
}"""

# As with every window closed: where the browser would be led is kept.
LEADS = """() => {
  self.clients.matchAll = async () => [];
  self.clients.openWindow = async (path) => { self.led = path; };
}"""


async def with_worker(opens: Opens, name: str, path: str = "/rooms/world", **other: Any) -> Window:
    """A window whose service worker has taken it over, and may show notifications."""
    traits = {"service_workers": "allow", "permissions": ["notifications"], **other}
    window = await opens(name, path, **traits)
    await is_installed(window.page)
    return window


async def is_installed(page: Page) -> None:
    await holds(page, "navigator.serviceWorker.controller?.state === 'activated'")


async def holds(page: Page, condition: str) -> None:
    """Wait for it, as often as the page itself would look: our policy lets no test compile a script there."""
    looks = f"""async () => {{
      for (let left = 300; left; left -= 1) {{
        if (await ({condition})) return true;
        await new Promise((done) => setTimeout(done, 50));
      }}
      return false;
    }}"""
    assert await page.evaluate(looks), condition


async def pushes(window: Window, **message: Any) -> dict[str, Any]:
    """Hand this to the browser as a push service would; returns the notification that is shown.

    The DevTools protocol does not say whether a message met a worker that runs: it may be handed over again.
    """
    devtools = await window.context.new_cdp_session(window.page)
    known: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def heard(told: dict[str, Any]) -> None:
        for each in told["registrations"]:
            if not known.done() and each["scopeURL"].startswith(window.url):
                known.set_result(each["registrationId"])

    devtools.on("ServiceWorker.workerRegistrationUpdated", heard)
    await devtools.send("ServiceWorker.enable")
    registration = await asyncio.wait_for(known, PATIENCE_MS / 1000)
    delivery = {"origin": window.url, "registrationId": registration, "data": json.dumps(message)}
    wanted = {"title": message["title"], "tag": message["room"]}
    for _ in range(3):
        await devtools.send("ServiceWorker.deliverPushMessage", delivery)
        if shown := await found(window, **wanted):
            return shown
    raise AssertionError(await window.page.evaluate(SHOWN))


async def found(window: Window, **wanted: Any) -> dict[str, Any] | None:
    """The one notification that is shown, once it is like this; None if it never was."""
    looks = f"""async (wanted) => {{
      for (let left = 100; left; left -= 1) {{
        const [one, other] = await {SHOWN};
        if (one && !other && Object.keys(wanted).every((name) => one[name] === wanted[name])) return one;
        await new Promise((done) => setTimeout(done, 50));
      }}
      return null;
    }}"""
    shown: dict[str, Any] | None = await window.page.evaluate(looks, wanted)
    return shown


async def presses(window: Window, action: str) -> None:
    """Press a button of the notification that is shown."""
    await window.context.service_workers[0].evaluate(PRESSES, action)


async def kept(page: Page) -> list[str]:
    names: list[str] = await page.evaluate(KEPT)
    return [name for name in names if name.startswith("lounge.of.")]


@pytest.mark.long
async def test_a_page_is_shown_with_both_answers_and_gives_way_when_it_is_over(
    opens: Opens,
) -> None:
    window = await with_worker(opens, "ana")
    said = {"title": "You are being paged", "accept": "Accept", "decline": "Decline"}
    shown = await pushes(window, kind="page", room=ROOM, urgency="now", body="Now.", **said)
    assert (shown["body"], shown["actions"]) == ("Now.", ["accept", "decline"])
    over = await pushes(window, kind="over", room=ROOM, title="Taken care of", body="")
    assert (over["silent"], over["actions"]) == (True, [])


async def paged(house: House, **more: Any) -> str:
    """Ben has paged the neurologist: the page's room."""
    asker = await house.guest("ben")
    told = {"role": "demo-neurology", "urgency": "now", "text": "Left hand weak for an hour."}
    room: str = (await asker.ask("page", cid=new_cid(), **told, **more))["room"]
    return room


@pytest.mark.long
async def test_a_press_on_a_formal_page_opens_its_alert_with_both_choices(
    house: House, opens: Opens
) -> None:
    window = await with_worker(opens, "chiara")
    room = await paged(house, formal=True)
    said = {"title": "You are being paged", "accept": "Accept", "decline": "Decline"}
    shown = await pushes(window, kind="page", room=room, formal=True, **said)
    assert shown["actions"] == ["decline"]
    await presses(window, "")
    choices = window.page.locator(f'page-alert[data-room="{room}"] .choices:not(.reasons) button')
    await expect(choices.nth(0)).to_be_focused()
    assert await choices.count() == 3  # formally, informally, not at all


@pytest.mark.long
async def test_a_press_with_no_window_open_leads_to_the_alert(house: House, opens: Opens) -> None:
    window = await with_worker(opens, "chiara")
    room = await paged(house)
    await pushes(window, kind="page", room=room, title="You are being paged", accept="Accept")
    worker = window.context.service_workers[0]
    await worker.evaluate(LEADS)
    await presses(window, "")
    await window.goes(await worker.evaluate("self.led"))
    alert = window.page.locator(f'page-alert[data-room="{room}"]')
    await expect(alert.get_by_role("button", name="Accept")).to_be_focused()
    assert "page=" not in window.page.url  # it is wanted once


async def test_a_press_on_accept_accepts_the_page_and_opens_its_room(
    house: House, opens: Opens
) -> None:
    window = await with_worker(opens, "chiara")
    room = await paged(house)
    await pushes(window, kind="page", room=room, title="You are being paged", accept="Accept")
    await presses(window, "accept")
    await expect(window.page).to_have_url(f"{window.url}/rooms/{room}")
    await window.is_live()  # which it is for the two alone


@pytest.mark.long
async def test_an_answer_that_is_refused_is_said_in_words(opens: Opens) -> None:
    window = await with_worker(opens, "ana")
    await pushes(window, kind="page", room=ROOM, title="Paged", accept="Accept")
    await presses(window, "accept")
    refused = await found(window, tag=ROOM, body="Open the lounge to answer.")
    assert refused
    assert refused["title"] not in ("Paged", "Lounge")


async def test_signing_out_leaves_neither_rota_nor_worker_in_the_browser(opens: Opens) -> None:
    window = await with_worker(opens, "ana", "/account")
    await holds(window.page, f"{KEPT}.then((all) => all.includes('lounge.of.rota'))")
    await pushes(window, kind="page", room=ROOM, title="Paged")
    await window.page.get_by_role("button", name="Sign out").click()
    await window.page.locator(".card").first.wait_for()
    assert await kept(window.page) == []
    left = "navigator.serviceWorker.getRegistrations().then((all) => all.length)"
    assert await window.page.evaluate(left) == 0


@pytest.mark.long
async def test_a_session_that_ended_elsewhere_takes_the_rota_with_it(
    house: House, opens: Opens
) -> None:
    window = await with_worker(opens, "ana")
    await holds(window.page, f"{KEPT}.then((all) => all.includes('lounge.of.rota'))")
    await window.context.clear_cookies()
    await window.goes("/rooms/world")
    await window.page.locator(".card").first.wait_for()
    await holds(window.page, f"{KEPT}.then((all) => !all.includes('lounge.of.rota'))")


@pytest.mark.long
async def test_on_a_shared_computer_nothing_is_installed_and_nothing_kept(
    house: House, opens: Opens
) -> None:
    email = await with_password(house, "ben")
    window = await opens(service_workers="allow")
    await window.goes("/rooms/world")
    await signs_in(window, email, whose="Yes, it is shared")
    await window.is_live()
    await window.page.locator("consults-waiting").wait_for()  # where the worker would be fetched
    assert await window.page.evaluate(KEPT) == []
    found = "navigator.serviceWorker.getRegistrations().then((all) => all.length)"
    assert await window.page.evaluate(found) == 0


@pytest.mark.long
async def test_after_an_upgrade_the_worker_that_stayed_serves_nothing_old(
    opens: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = await with_worker(opens, "ana")
    page = window.page
    [old] = await page.evaluate(SHELLS)
    await page.evaluate(SPOILS, old)
    body, _ = pages._worker()
    newer = body.replace(old.removeprefix("lounge.shell@").encode(), b"0.1.0+newer")
    monkeypatch.setattr(pages, "_worker", lambda: (newer, '"newer"'))
    await window.enters("world")  # by the old worker, which asks the network first
    await holds(page, f"{SHELLS}.then((all) => all.join() === 'lounge.shell@0.1.0+newer')")
    await is_installed(page)
    await window.enters("specialty/cardiology")


async def test_with_the_server_stopped_rota_and_numbers_still_show(
    browser: Browser, tmp_path: Path, redis_url: str
) -> None:
    context = await browser.new_context(**options(service_workers="allow"))
    page = await context.new_page()
    async with open_house(tmp_path, redis_url, demo=True) as house:
        window = Window(page, house.url)
        await window.signs_in("ana", "/rooms/world")
        await is_installed(page)
        await holds(page, f"{OWN}.then((all) => all.length > 2)")
        await window.goes("/oncall")
        await page.locator(".role-card").first.wait_for()
    await page.locator(".role-card button").first.click()
    await expect(page.get_by_text("No connection to the lounge.")).to_be_visible()
    await expect(page.locator("svg.rota .shift").first).to_be_visible()
    await page.goto(f"{house.url}/rooms/world")
    await expect(page.get_by_text("The lounge cannot be reached")).to_be_visible()
    await expect(page.get_by_role("link", name="+1").first).to_be_visible()
    await expect(page.locator(".own-shifts li").first).to_be_visible()
    await context.close()
