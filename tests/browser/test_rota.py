"""On call in a browser: one's shifts, the keeper's rota with its gaps, changes of it, how one is reached."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Locator, Page, expect

from lounge.oncall.keeping import NewRole
from tests.browser.conftest import Opens
from tests.browser.test_everyone import PHONE_LOOK, WIDE_LOOK, flawless
from tests.browser.window import Window
from tests.support import House
from web.version import VERSION

ASKS = """async ([method, path, body]) => {
  const headers = { 'content-type': 'application/json' };
  const told = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  return told.status === 204 ? {} : told.json();
}"""
LENGTHS = """async ([module, at, zone]) => {
  const { days } = await import(module);
  const starts = days(Date.parse(at), 3, zone);
  return starts.slice(1).map((each, n) => (each - starts[n]) / 3_600_000);
}"""
CHANGES = [
    ("America/Toronto", "2026-03-07T17:00Z", [24, 23, 24]),
    ("America/Toronto", "2026-10-31T16:00Z", [24, 25, 24]),
    ("Australia/Lord_Howe", "2026-10-03T05:00Z", [24, 23.5, 24]),
    ("Australia/Lord_Howe", "2026-04-04T05:00Z", [24, 24.5, 24]),
    ("America/Sao_Paulo", "2018-11-03T12:00Z", [24, 23, 24]),  # whose midnight was skipped
    ("Africa/Cairo", "2026-04-23T12:00Z", [24, 23, 24]),  # likewise, east of Greenwich
    ("Asia/Kolkata", "2026-05-05T20:00Z", [24, 24, 24]),
]
TORONTO = ZoneInfo("America/Toronto")
FIRST_PART = {"from": "2026-01-05", "at": "08:00", "until": "20:00"}


async def asks(page: Page, method: str, path: str, body: Any = None) -> Any:
    """Over HTTP, as whoever is signed in on that page."""
    return await page.evaluate(ASKS, [method, path, body])


async def kept_by_chiara(
    house: House, opens: Opens, service: str, *members: str, **look: Any
) -> tuple[Window, str]:
    """A role that she keeps and is on herself, before it has any rule; `members` of the cast agreed."""
    new = NewRole(
        service=service,
        name="Neurologist on call",
        specialty="neurology",
        zone="America/Toronto",
        number="+1 807 343 8500",
        keeper="chiara@demo.invalid",
    )
    role = await house.lounge.oncall.keeping.add(new, by="operator")
    window = await opens("chiara", "/oncall", **look)
    for each in ("chiara", *members):
        email = {"email": f"{each}@demo.invalid"}
        await asks(window.page, "POST", f"/api/roles/{role}/members", email)
    for each in members:
        other = await opens(each)
        await asks(other.page, "POST", f"/api/roles/{role}/members", {"agrees": True})
    return window, role


async def has_rules(page: Page, role: str, *rules: dict[str, Any]) -> None:
    """Give it a first layer, in which Chiara alone has these rules."""
    sheet = await asks(page, "GET", f"/api/roles/{role}")
    turns = [{"doctors": [[sheet["you"]]], **rule} for rule in rules]
    rota = {"layers": [{"name": "primary", "rules": turns}]}
    await asks(page, "PUT", f"/api/roles/{role}", {"version": sheet["version"], "rota": rota})


async def looks_at(window: Window, role: str, service: str) -> None:
    await window.goes("/")
    await window.goes(f"/oncall#role={role}")
    await expect(window.page.locator(".role-top h3")).to_have_text(service)


async def unfolds(page: Page, title: str) -> Locator:
    """Open one of the parts of a role's sheet."""
    summary = page.locator("oncall-board summary", has_text=re.compile(f"^{re.escape(title)}"))
    await summary.click()
    return summary.locator("..")


async def says_yes(page: Page, label: str) -> None:
    await page.get_by_role("dialog").get_by_role("button", name=label, exact=True).click()


async def test_a_keeper_writes_an_empty_rota_and_sees_its_gaps_drawn(
    house: House, opens: Opens
) -> None:
    window, role = await kept_by_chiara(house, opens, "Neurology, Kenora")
    page = window.page
    await looks_at(window, role, "Neurology, Kenora")
    await expect(page.get_by_text("This rota has no rules yet")).to_be_visible()
    await page.get_by_role("button", name="Add a layer").click()
    await page.get_by_role("button", name="Add as next").click()
    await page.get_by_label("Ends at").fill("20:00")
    await page.get_by_role("button", name="Save").first.click()
    picture = page.locator("svg.rota")
    await expect(picture.locator(".shift.own")).not_to_have_count(0)
    await expect(picture.locator(".gap")).not_to_have_count(0)
    await expect(page.locator(".rota-troubles li").first).to_contain_text("Primary · nobody")
    await page.get_by_role("button", name="Four weeks").click()
    await expect(picture.locator(".day")).to_have_count(28)


@pytest.mark.long
async def test_one_tap_says_that_one_is_on_call_until_a_time(house: House, opens: Opens) -> None:
    window, role = await kept_by_chiara(house, opens, "Neurology, Dryden")
    page = window.page
    await has_rules(page, role, FIRST_PART | {"from": "2199-01-01"})
    await window.goes("/oncall")
    until = page.locator(".until", has_text="Neurology, Dryden")
    await until.get_by_role("button", name="For 4 hours").click()
    await expect(page.get_by_text("It is on the rota.")).to_be_visible()
    own = page.locator(".own-shifts li", has_text="Neurology, Dryden")
    await expect(own).to_contain_text("On call until")
    card = page.locator(".role-card", has_text="Neurology, Dryden")
    await expect(card).to_contain_text("Somebody is on call until")


@pytest.mark.long
async def test_a_shift_is_given_away_once_the_other_agrees(house: House, opens: Opens) -> None:
    window, role = await kept_by_chiara(house, opens, "Neurology, Sioux Lookout", "denis")
    page = window.page
    await has_rules(page, role, FIRST_PART)
    await looks_at(window, role, "Neurology, Sioux Lookout")
    form = await unfolds(page, "Give a shift away")
    await form.get_by_label("To", exact=True).select_option(label="Denis")
    await form.get_by_role("button", name="Ask").click()
    await expect(page.locator(".changes li")).to_contain_text("asked, waits for an answer")
    other = await opens("denis", f"/oncall#role={role}", locale="fr-CA")
    await other.page.get_by_role("button", name="J’accepte").click()
    await expect(other.page.locator(".changes li")).to_contain_text("convenu")
    await expect(other.page.locator("svg.rota .shift.own")).not_to_have_count(0)


@pytest.mark.long
async def test_whoever_is_away_leaves_a_gap_that_can_be_seen(house: House, opens: Opens) -> None:
    window, role = await kept_by_chiara(house, opens, "Neurology, Marathon", **PHONE_LOOK)
    page = window.page
    await has_rules(page, role, {"from": "2026-01-05", "at": "08:00"})
    await looks_at(window, role, "Neurology, Marathon")
    gaps = page.locator(".rota-troubles li")
    await expect(gaps).to_have_count(0)
    form = await unfolds(page, "I am away")
    await form.get_by_role("button", name="I am away").click()
    await expect(gaps).to_have_count(1)
    await expect(gaps).to_contain_text("nobody")
    await flawless(window)


@pytest.mark.long
async def test_a_member_leaves_a_rota_and_the_keeper_hands_it_over_or_closes_it(
    house: House, opens: Opens
) -> None:
    window, role = await kept_by_chiara(house, opens, "Neurology, Atikokan", "denis", "ana")
    page = window.page
    denis = await opens("denis", f"/oncall#role={role}", locale="fr-CA")
    await denis.page.get_by_role("button", name="Quitter ce tableau").click()
    await says_yes(denis.page, "Quitter")
    await expect(denis.page.get_by_text("Vous n’êtes plus à ce tableau.")).to_be_visible()
    await expect(denis.page.locator(".role-card", has_text="Neurology, Atikokan")).to_be_visible()
    await looks_at(window, role, "Neurology, Atikokan")
    await expect(page.get_by_text("Members (2)")).to_be_visible()
    part = await unfolds(page, "Hand over or close")
    await part.get_by_label("E-mail of the member").fill("ana@demo.invalid")
    await part.get_by_role("button", name="Hand over the rota").click()
    await says_yes(page, "Hand over")
    await expect(page.get_by_text("Your colleague keeps this rota now.")).to_be_visible()
    assert (await asks(page, "GET", f"/api/roles/{role}"))["mine"] == "member"
    ana = await opens("ana", f"/oncall#role={role}")
    part = await unfolds(ana.page, "Hand over or close")
    await part.get_by_role("button", name="Close this role").click()
    await ana.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await part.get_by_role("button", name="Close this role").click()
    await says_yes(ana.page, "Close it")
    await expect(ana.page.get_by_text("The role is closed.")).to_be_visible()
    gone = ana.page.locator(".role-card", has_text="Neurology, Atikokan")
    await expect(gone).to_have_count(0)


@pytest.mark.long
async def test_who_goes_on_call_and_is_reached_by_nothing_stands_before_how_she_is_reached(
    house: House, opens: Opens
) -> None:
    window, role = await kept_by_chiara(house, opens, "Neurology, Red Lake", "moira")
    await has_rules(window.page, role, FIRST_PART | {"from": "2199-01-01"})
    moira = await opens("moira", "/oncall")
    page = moira.page
    for way in (await asks(page, "GET", "/api/reach"))["reaches"]:
        await asks(page, "DELETE", f"/api/reach/{way['id']}")
    until = page.locator(".until", has_text="Neurology, Red Lake")
    await until.get_by_role("button", name="For 4 hours").click()
    await expect(page.locator("#reach h3")).to_be_focused()
    assert page.url.endswith("/account#reach")


@pytest.mark.long
async def test_a_keeper_says_who_must_acknowledge_how_often_it_rings_and_how_many_rounds(
    house: House, opens: Opens
) -> None:
    window, role = await kept_by_chiara(house, opens, "Neurology, Nipigon")
    page = window.page
    await has_rules(page, role, FIRST_PART)
    await looks_at(window, role, "Neurology, Nipigon")
    form = await unfolds(page, "Number, night, escalation")
    await form.get_by_label("Everyone must acknowledge").first.check()
    await form.get_by_label("Repeat every").first.select_option("60")
    await form.get_by_label("Go through the steps").select_option("2")
    for layer in await form.get_by_label("Alert").all():
        await layer.select_option("primary")
    await form.get_by_role("button", name="Save").click()
    await expect(form).not_to_have_attribute("open", "")
    policy = (await asks(page, "GET", f"/api/roles/{role}"))["policy"]
    assert policy["rounds"] == 2
    assert [policy["steps"][0][each] for each in ("everyone", "repeat_s")] == [True, 60]


@pytest.mark.long
async def test_exceptions_are_written_and_told_by_the_clock_of_the_role(
    house: House, opens: Opens
) -> None:
    look = WIDE_LOOK | {"timezone_id": "Asia/Kolkata"}
    window, role = await kept_by_chiara(house, opens, "Neurology, Geraldton", **look)
    page = window.page
    await has_rules(page, role, FIRST_PART)
    await looks_at(window, role, "Neurology, Geraldton")
    starts = datetime.now(TORONTO).replace(hour=8, minute=0) + timedelta(days=7)
    form = await unfolds(page, "I am away")
    for label, at in (("From", starts), ("Until", starts + timedelta(days=1))):
        field = form.get_by_label(f"{label} (time of America/Toronto)")
        await field.fill(f"{at:%Y-%m-%dT%H:%M}")
    await form.get_by_role("button", name="I am away").click()
    await expect(page.locator(".changes li")).to_contain_text("8:00")
    change = (await asks(page, "GET", f"/api/roles/{role}"))["changes"][0]
    assert change["starts"].startswith(f"{starts.astimezone(UTC):%Y-%m-%dT%H:%M}")


@pytest.mark.long
async def test_a_way_counts_once_its_test_alert_was_confirmed(opens: Opens) -> None:
    window = await opens("ben", "/account", **WIDE_LOOK)
    page = window.page
    for way in (await asks(page, "GET", "/api/reach"))["reaches"]:
        await asks(page, "DELETE", f"/api/reach/{way['id']}")
    await window.goes("/account")
    await expect(page.get_by_text("Nothing reaches you now.")).to_be_visible()
    await page.get_by_role("button", name="This page, while it is open").click()
    way = page.locator(".reach-way", has_text="An open page")
    await expect(way).to_contain_text("Not tried out yet")
    await expect(way.get_by_label("Code in the test alert")).not_to_have_value("")
    await flawless(window)
    await way.get_by_role("button", name="It arrived").click()
    await expect(page.get_by_text("You can be reached.")).to_be_visible()
    await expect(way).to_contain_text("It works")


@pytest.mark.long
async def test_a_day_of_the_picture_is_as_long_as_its_clock_says(opens: Opens) -> None:
    window = await opens()
    await window.goes()
    module = f"/static/{VERSION}/elements/oncall-times.js"
    for zone, at, hours in CHANGES:
        assert await window.page.evaluate(LENGTHS, [module, at, zone]) == hours, zone


@pytest.mark.long
@pytest.mark.parametrize("look", [PHONE_LOOK, WIDE_LOOK], ids=["french-phone", "english-wide"])
async def test_axe_finds_nothing_on_the_board_nor_in_any_part_of_a_role(
    opens: Opens, look: dict[str, Any]
) -> None:
    window = await opens("chiara", "/oncall", **look)
    page = window.page
    await page.locator(".role-card").first.wait_for()
    await flawless(window)
    await page.locator(".role-card button").first.click()
    await page.locator(".record summary").first.wait_for()
    for summary in await page.locator("oncall-board details > summary").all():
        if not await summary.evaluate("(one) => one.parentElement.open"):
            await summary.click()
    await page.locator(".record a").wait_for()
    await flawless(window)
