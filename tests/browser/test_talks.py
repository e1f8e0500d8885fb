"""Talking privately in a browser: asked under a message, answered in one's notices, read by two."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opens
from tests.browser.test_everyone import flawless
from tests.browser.window import Window
from tests.support import letters

WORLD = "/rooms/world"


async def asked(ana: Window, ben: Window) -> str:
    """Ana says something in the world, and Ben asks her to talk about it; she looks at her notices."""
    text = f"Troponin 40 then 42, {letters()}"
    await ana.says(text)
    await ben.chooses(await ben.sees(text), "talk")
    await ben.agrees()
    await ana.listed("me").click()
    return text


async def in_talk(ana: Window, ben: Window) -> None:
    """Both stand in the talk that Ana has accepted."""
    await asked(ana, ben)
    await ana.page.get_by_role("button", name="Accept", exact=True).last.click()
    await ana.page.wait_for_url(re.compile("/rooms/talk/"))
    await ana.is_live()
    await ben.listed(ana.page.url.partition("/rooms/")[2]).click()
    await ben.page.wait_for_url(ana.page.url)
    await ben.is_live()


async def test_two_talk_privately_and_each_knows_what_is_true_just_now(opens: Opens) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    await in_talk(ana, ben)
    for window in (ana, ben):
        await expect(window.page.locator("talk-bar")).to_contain_text(
            "Only the two of you read this. A moderator reads only a message that is reported."
        )
    await ben.says("Between us: I would wait.")
    await ana.sees("Between us: I would wait.")
    line = ben.page.locator("talk-line")
    await expect(line.locator("[aria-hidden]")).to_have_text("Seen")
    await expect(line.locator("[aria-live=polite]")).to_have_text("Seen")
    await ana.field.press_sequentially("And if")
    await expect(line.locator("[aria-hidden]")).to_have_text(re.compile(r"^[\w ]+ is writing…$"))
    await ana.page.get_by_role("button", name="Turn off “seen” and “writing”").click()
    await expect(ana.page.get_by_role("button", name="Turn on “seen”")).to_be_visible()
    await ana.says("And if it rises?")
    await flawless(ana)
    await ana.page.get_by_role("button", name="End this talk").click()
    await ana.agrees()
    await ben.sees("ended this talk")
    await expect(ben.field).to_be_disabled()


@pytest.mark.long
async def test_who_does_not_accept_says_no_more_than_that(opens: Opens) -> None:
    chiara, denis = await opens("chiara", WORLD), await opens("denis", WORLD, locale="fr-CA")
    await denis.is_live()
    await asked(chiara, denis)
    await chiara.page.get_by_role("button", name="Not now").last.click()
    await chiara.sees("You did not accept. They are told no more than that.")
    await denis.goes("/rooms/me")
    await denis.sees("Non accepté")


@pytest.mark.long
async def test_what_nobody_has_answered_is_withdrawn_by_asking_once_more(opens: Opens) -> None:
    denis, ana = await opens("denis", WORLD), await opens("ana", WORLD)
    await ana.is_live()
    text = await asked(denis, ana)
    await ana.chooses(await ana.sees(text), "talk")
    await ana.page.get_by_role("button", name="Ask", exact=True).click()
    await ana.page.get_by_role("button", name="Withdraw", exact=True).click()
    await denis.sees("La demande a été retirée.")


@pytest.mark.long
async def test_a_moderator_hides_what_was_reported_from_a_talk_she_cannot_open(
    opens: Opens,
) -> None:
    ana, ben = await opens("ben", WORLD), await opens("chiara", WORLD)
    await ben.is_live()
    await in_talk(ana, ben)
    text = f"Send me his name {letters()}"
    await ben.says(text)
    row = await ana.sees(text)
    await ana.chooses(row, "report")
    await ana.agrees("harassment")
    moira = await opens("moira", "/moderation#queue")
    card = moira.page.locator(".report", has_text=text)
    await expect(card).to_contain_text("A private talk")
    await expect(card.get_by_role("link")).to_have_count(0)
    await card.get_by_role("button", name="Claim it").click()
    await card.get_by_role("button", name="Act…").click()
    await moira.moderates("hide")
    await expect(ana.page.locator(".rows .row.tombstone")).to_have_count(1)
    await moira.goes(f"/rooms/{ana.page.url.partition('/rooms/')[2]}")
    await expect(moira.page.locator(".refusal")).to_contain_text("There is no such room.")
