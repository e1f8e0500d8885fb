"""On call in a browser: ask now from a corridor; a page that the right doctor accepts while it is watched."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from lounge.clock import now_ms
from lounge.demo import CAST
from lounge.doctors import new_id
from lounge.notices import note
from lounge.oncall.policy import EVERYONE, Policy, Step
from lounge.oncall.roles import Night, body_of
from lounge.oncall.rota import Layer, Rota, Rule
from storage import due, identities, roles
from storage.roles import RoleRow
from tests.browser.conftest import Opens
from tests.browser.test_everyone import LOOKS, PHONE, STILL, flawless
from tests.browser.window import Window
from tests.support import House, letters

WORLD = "/rooms/world"
NUMBER = "+1 807 555 0142"
ALWAYS = "00:00"
EMAILS = {each.name.split()[0].lower(): each.email for each in CAST}


async def a_role(
    house: House, *layers: tuple[str, str], night_until: str = ALWAYS, everyone: bool = False
) -> str:
    """A role with a service of its own, always covered: layers as (name, who of the cast has it)."""
    service = f"Thunder Bay Regional {letters()}"
    now = now_ms()
    async with house.lounge.identity_database.writing() as connection:
        ids = await identities.ids_by_email(connection, [EMAILS[who] for _, who in layers])
        on = [
            Layer(name, (Rule(((ids[EMAILS[who]],),), date(2026, 1, 1), ALWAYS),))
            for name, who in layers
        ]
        steps = tuple(Step((name,), 120) for name, _ in layers)
        if everyone:
            steps = (Step((EVERYONE,), 120, everyone=True),)
        body = body_of(Rota(tuple(on)), Policy(steps), Night(ALWAYS, night_until))
        row = RoleRow(
            new_id(), service, "Neurology", "neurology", "UTC", NUMBER, None, None, body, version=1
        )
        await roles.add(connection, row)
        for doctor_id in set(ids.values()):
            await roles.put_member(connection, row.id, doctor_id, now)
    return service


async def runs_out(house: House, window: Window) -> None:
    """The step that the page in sight is at runs out now."""
    room = window.page.url.partition("/rooms/")[2]
    async with house.lounge.database.reading() as connection:
        waiting = await due.waiting(connection, room)
    for each in waiting:
        if each.kind == "page.step":
            await house.lounge.oncall.dues.handle[each.kind](each)


async def pages(window: Window, service: str, text: str, *, formal: bool = False) -> None:
    """Send a page by the form; she then stands in its room."""
    page = window.page
    await window.goes("/page")
    await page.locator(".page-role", has_text=service).get_by_role("radio").check()
    await page.get_by_role("radio", name="Now").check()
    await page.get_by_label("Your page, in one line").fill(text)
    if formal:
        await page.get_by_label("I agree that we exchange names").check()
    await expect(page.locator(".case-foot")).to_contain_text(
        f"In an emergency call first: {NUMBER}"
    )
    await page.get_by_role("button", name="Send the page").click()
    await page.wait_for_url(re.compile("/rooms/page/"))
    await window.is_live()


async def is_told_much_else(house: House, who: str) -> None:
    """More than her page is sent of her own log as it opens."""
    async with house.lounge.identity_database.writing() as connection:
        ids = await identities.ids_by_email(connection, [EMAILS[who]])
        for _ in range(60):
            await note(connection, house.lounge.keys, ids[EMAILS[who]], {"notice": "data_taken"})


def alert(window: Window, text: str) -> Locator:
    return window.page.locator("page-alert", has_text=text)


def card(window: Window) -> Locator:
    return window.page.locator("page-card")


def sentence() -> str:
    return f"Thrombolysis after apixaban? {letters()}"


async def test_one_sentence_goes_from_one_phone_to_another_and_on_into_a_case(
    opens: Opens,
) -> None:
    ana, ben = await opens("ana", **PHONE), await opens("ben", WORLD, **PHONE)
    await ana.page.get_by_role("button", name="Turn on Available now").tap()
    await ana.page.get_by_role("button", name="1 hr").tap()
    await expect(ana.page.locator("call-panel")).to_contain_text("On until")
    text = sentence()
    await ben.page.locator(".room-head").get_by_role("button", name="Ask now").tap()
    await ben.page.get_by_label("Your question, in one sentence").fill(text)
    await ben.page.get_by_label("Whom").select_option(label="Cardiology")
    await ben.page.locator("dialog").get_by_role("button", name="Ask", exact=True).tap()
    await ben.page.wait_for_url(re.compile("/rooms/page/"))
    await expect(card(ben)).to_contain_text("whoever is free in Cardiology")
    await expect(alert(ana, text)).to_contain_text("neither of you learns the other’s name")
    await expect(ben.page.locator("message-composer")).to_be_hidden()
    await expect(card(ben).locator(".page-times li.reached").last).to_contain_text("Seen")
    await expect(card(ben).locator(".page-times li", has_text="Accepted")).to_contain_text(
        "not yet"
    )
    await alert(ana, text).get_by_role("button", name="Accept", exact=True).tap()
    await ana.page.wait_for_url(ben.page.url)
    await expect(card(ben)).to_contain_text("Accepted: somebody answers you here.")
    await expect(ben.page.locator("page-bar")).to_contain_text("Informal, peer opinion.")
    await ana.is_live()
    await ana.writes("Not within 48 hours of the last dose.")
    await ana.page.get_by_role("button", name="Send").tap()
    await ben.sees("Not within 48 hours of the last dose.")
    await expect(card(ben)).to_contain_text("Answered.")
    for window in (ana, ben):
        assert await window.page.evaluate("document.documentElement.scrollWidth") <= 360
    await ben.page.get_by_role("button", name="Widen into a case").tap()
    await ben.page.wait_for_url(re.compile("/rooms/consult/"))
    await expect(ben.page.locator("consult-case")).to_contain_text(text)
    await ana.page.get_by_role("link", name="To the case").tap()
    await ana.page.wait_for_url(ben.page.url)


async def test_a_page_is_watched_until_the_second_accepts_it_formally(
    opens: Opens, house: House
) -> None:
    service = await a_role(house, ("primary", "denis"), ("secondary", "chiara"))
    ana = await opens("ana")
    denis, chiara = (
        await opens("denis", "/consults", **PHONE, **STILL),
        await opens("chiara", WORLD),
    )
    for window in (denis, chiara):
        await window.page.locator(".ask-now:visible").wait_for()
    text = sentence()
    await pages(ana, service, text, formal=True)
    await expect(card(ana)).to_contain_text(f"In an emergency call first: {NUMBER}")
    await expect(card(ana)).to_contain_text("Seen; not accepted yet.")
    await expect(card(ana)).to_contain_text("Alerted now: the doctor on call.")
    await expect(alert(chiara, text)).to_have_count(0)
    await flawless(denis)
    await alert(denis, text).get_by_role("button", name="Refuser").tap()
    await alert(denis, text).get_by_role("button", name="Auprès d’un patient").tap()
    await expect(alert(denis, text)).to_have_count(0)
    # Nobody else of the first step is left: the second is not kept waiting for its end.
    await expect(alert(chiara, text)).to_contain_text("You are the second on call.")
    await expect(alert(chiara, text)).to_contain_text(
        "they read your verified name, service and number, and you read theirs. Nobody else does."
    )
    # By keys alone: P goes to the page, Enter accepts it.
    await chiara.page.locator("room-view h2").focus()
    await chiara.page.keyboard.press("p")
    await chiara.page.keyboard.press("Enter")
    await chiara.page.wait_for_url(ana.page.url)
    await expect(card(ana)).to_contain_text("Accepted by the second on call")
    await expect(ana.page.locator("page-bar")).to_contain_text("Formal.")
    await expect(ana.page.locator("page-bar")).to_contain_text(re.compile("The other is Chiara"))
    await expect(chiara.page.locator("page-bar")).to_contain_text(re.compile("The other is Ana"))
    await chiara.says("Call me, I am ten minutes away.")
    await ana.sees("Call me, I am ten minutes away.")
    await ana.page.get_by_role("button", name="Close", exact=True).click()
    await expect(chiara.page.locator("page-bar")).to_contain_text("Closed.")
    await expect(chiara.page.locator("message-composer")).to_be_hidden()
    await is_told_much_else(house, "chiara")
    await chiara.page.reload()
    await expect(chiara.page.locator("page-bar")).to_contain_text(re.compile("The other is Ana"))


@pytest.mark.long
async def test_where_everyone_must_acknowledge_the_others_do_and_stay_where_they_are(
    opens: Opens, house: House
) -> None:
    service = await a_role(house, ("primary", "ben"), ("secondary", "chiara"), everyone=True)
    ben, chiara, ana = await opens("ben", WORLD), await opens("chiara", WORLD), await opens("ana")
    for window in (ben, chiara):
        await window.page.locator(".ask-now:visible").wait_for()
    text = sentence()
    await pages(ana, service, text)
    await alert(chiara, text).wait_for()
    await alert(ben, text).get_by_role("button", name="Accept", exact=True).click()
    await ben.page.wait_for_url(ana.page.url)
    told = alert(chiara, text)
    await expect(told).to_contain_text("Accepted by the doctor on call. Please acknowledge")
    await expect(told.get_by_role("button")).to_have_text(["Acknowledge"])
    await chiara.page.reload()
    await told.get_by_role("button", name="Acknowledge").click()
    await expect(told).to_have_count(0)
    await expect(card(ana)).to_contain_text("2 of 2 have acknowledged.")
    assert chiara.page.url.endswith(WORLD)


@pytest.mark.long
async def test_a_question_that_finds_nobody_says_so_at_once(opens: Opens) -> None:
    ana = await opens("ana", WORLD)
    await ana.page.locator(".room-head").get_by_role("button", name="Ask now").click()
    await ana.page.get_by_label("Your question, in one sentence").fill(sentence())
    await ana.page.get_by_label("Whom").select_option(label="Nephrology")
    await ana.page.locator("dialog").get_by_role("button", name="Ask", exact=True).click()
    await expect(card(ana)).to_contain_text("Nobody of Nephrology is available now.")
    await expect(card(ana).get_by_role("link", name="Open a case")).to_be_visible()
    await flawless(ana)


@pytest.mark.long
async def test_the_form_says_that_nothing_was_loaded_or_since_when_it_is_known(
    opens: Opens, house: House
) -> None:
    service = await a_role(house, ("primary", "ben"))
    ana = await opens("ana", WORLD)
    page = ana.page
    told = await page.evaluate("fetch('/api/roles').then((answer) => answer.json())")
    await page.route("**/api/roles", lambda route: route.abort("internetdisconnected"))
    await ana.goes("/page")
    await expect(page.locator(".page-form")).to_contain_text("Who is on call could not be loaded.")
    await page.unroute("**/api/roles")
    kept = {**told, "kept": "2026-01-01T08:00:00Z"}
    await page.route("**/api/roles", lambda route: route.fulfill(json=kept))
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator(".page-form .kept")).to_contain_text("This is how it was known on")
    role = page.locator(".page-role", has_text=service)
    await expect(role).to_contain_text("how busy, and whether reachable, is not known")
    await flawless(ana)
    await page.unroute("**/api/roles")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator(".page-form .kept")).to_have_count(0)
    await expect(role).not_to_contain_text("not known")


@pytest.mark.long
@pytest.mark.parametrize("look", LOOKS)
async def test_a_page_that_nobody_accepts_ends_with_the_number_and_every_screen_is_flawless(
    opens: Opens, house: House, look: dict[str, Any]
) -> None:
    service = await a_role(house, ("primary", "moira"))
    moira = await opens("moira", WORLD, **look)
    ana = await opens("ana", **STILL)
    await moira.page.locator(".ask-now:visible").wait_for()
    text = sentence()
    await ana.goes("/page")
    await ana.page.locator(".page-role", has_text=service).wait_for()
    await flawless(ana)
    await pages(ana, service, text)
    await alert(moira, text).wait_for()
    await flawless(moira)
    assert (
        await moira.page.evaluate("document.documentElement.scrollWidth")
        <= (moira.page.viewport_size or {"width": 0})["width"]
    )
    await moira.page.locator(".room-head .ask-now:visible").click()
    await expect(moira.page.locator("dialog page-alert", has_text=text)).to_be_visible()
    await flawless(moira)
    await moira.page.keyboard.press("Escape")
    await runs_out(house, ana)
    await expect(card(ana)).to_contain_text("Nobody has accepted. Call now.")
    await expect(card(ana).locator(".big-number")).to_have_attribute("href", "tel:+18075550142")
    await flawless(ana)
    await expect(moira.page.locator("page-alert.over")).to_have_count(1)


@pytest.mark.long
async def test_a_page_is_read_out_once_and_goes_where_it_was_withdrawn(
    opens: Opens, house: House
) -> None:
    service = await a_role(house, ("primary", "ben"))
    ben, ana = await opens("ben", WORLD), await opens("ana")
    await ben.page.locator(".ask-now:visible").wait_for()
    heard = """() => { window.heard = []; new MutationObserver((news) => news.forEach(({ addedNodes }) =>
      addedNodes.forEach((node) => window.heard.push(node.textContent))))
      .observe(document.querySelector('page-alerts [role=alert]'), { childList: true }); }"""
    await ben.page.evaluate(heard)
    text = sentence()
    await pages(ana, service, text)
    await alert(ben, text).wait_for()
    assert await ben.page.evaluate("document.activeElement.closest('page-alerts')") is None
    await ana.goes(WORLD)
    await expect(ana.page.locator(".own-pages")).to_contain_text("Seen; not accepted yet.")
    await ana.page.locator(".own-pages a").click()
    await ana.page.get_by_role("button", name="Withdraw").click()
    await expect(ben.page.locator("page-alert.over")).to_contain_text("Withdrawn by whoever asked.")
    said = [each for each in await ben.page.evaluate("window.heard") if text in each]
    assert said == [f"Page, Now, for Neurology, {service}: {text}"]


@pytest.mark.long
async def test_what_is_routine_waits_for_the_morning_unless_there_is_a_reason(
    opens: Opens, house: House
) -> None:
    service = await a_role(house, ("primary", "chiara"), night_until="23:59")
    ana = await opens("ana", "/page")
    page, text = ana.page, sentence()
    await page.locator(".page-role", has_text=service).get_by_role("radio").check()
    await page.get_by_role("button", name="Send the page").click()
    await expect(page.locator(".case-foot .trouble")).to_have_text("Choose how soon.")
    await page.get_by_role("radio", name="Routine").check()
    await page.get_by_label("Your page, in one line").fill(f"{text} jeanne@example.org")
    await page.get_by_role("button", name="Send the page").click()
    await expect(page.locator(".page-form .verdict:visible")).to_contain_text("Held, not sent.")
    await page.reload()
    await page.get_by_label("Your page, in one line").fill(text)
    await page.get_by_role("button", name="Send the page").click()
    await expect(card(ana)).to_contain_text("Not sent yet: it waits until")
    await page.get_by_role("button", name="Withdraw").click()
    await expect(page.locator("page-bar")).to_contain_text("Withdrawn.")
    await ana.goes("/page")
    await page.locator(".page-role", has_text=service).get_by_role("radio").check()
    await page.get_by_role("radio", name="Routine").check()
    await page.get_by_label("Your page, in one line").fill(text)
    await page.get_by_label("Why it cannot wait").fill("The bed is free until six.")
    await page.get_by_role("button", name="Send the page").click()
    await expect(card(ana)).to_contain_text("Sent at once because: The bed is free until six.")
