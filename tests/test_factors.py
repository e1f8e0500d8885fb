"""What proves a doctor besides her password, over HTTP: passkeys, codes, locks, and proving it anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec
import pyotp
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from lounge.accounts import Accounts
from lounge.doctors import DAY_MS, IDLE_MS, LASTING, OWN, SHARED_IDLE_MS, Doctors
from lounge.errors import Refusal
from lounge.knocks import PER_ACCOUNT
from lounge.mail import Mail
from lounge.notices import Notices
from lounge.passkeys import CHALLENGE_MS
from lounge.proofs import FRESH_MS
from lounge.settings import Settings
from lounge.words import say
from storage.database import Database
from storage.factors import MOST_CHALLENGES
from storage.identity_schema import challenge, identity_audit, mail
from tests.authenticator import Authenticator
from tests.stores import Clock, Stores, add_ana, open_stores, wipe
from tests.support import http_client
from web import accounts as accounts_web
from web import api, factors, leaving, passkeys

SITE = "http://localhost:8000"
EMAIL, PASSWORD = "ana@clinic.test", "correct horse"
AS_ANA = {"email": EMAIL, "password": PASSWORD}
MINUTE = 60_000
OWN_DEVICE, SHARED_DEVICE = {**AS_ANA, "shared": False}, {**AS_ANA, "shared": True}


@dataclass
class House:
    """What the account's routes need of the lounge, and the time in it."""

    settings: Settings
    doctors: Doctors
    identity_database: Database
    accounts: Accounts
    clock: Clock
    stores: Stores

    def browser(self) -> httpx2.AsyncClient:
        """One without cookies yet."""
        app = Starlette(
            routes=[
                *accounts_web.routes,
                *passkeys.routes,
                *factors.routes,
                *leaving.routes,
            ],
            exception_handlers={Refusal: api.refused},
        )

        async def stated(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = {"lounge": self}
            await app(scope, receive, send)

        transport = httpx2.ASGITransport(app=stated)
        return http_client(transport=transport, base_url=SITE, headers={"origin": SITE})

    async def told(self) -> list[object]:
        """The notices in Ana's own log."""
        ana = await self.doctors.id_of(EMAIL)
        assert ana
        page = await Notices(self.identity_database, self.stores.keys).page(ana)
        return [each.notice["notice"] for each in page]

    async def letters(self) -> list[Mail]:
        """What waits to be sent to her by e-mail."""
        async with self.identity_database.reading() as connection:
            rows = (await connection.execute(select(mail.c.id, mail.c.sealed))).all()
        opened = [self.stores.keys.identity.unseal("mail", sealed, id) for id, sealed in rows]
        return [msgspec.json.decode(each, type=Mail) for each in opened]

    async def audited(self) -> list[str]:
        async with self.identity_database.reading() as connection:
            acts = select(identity_audit.c.act).order_by(identity_audit.c.seq)
            return list((await connection.execute(acts)).scalars())


@pytest.fixture(scope="module")
async def kept(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path_factory.mktemp("stores")) as stores:
        yield stores


@pytest.fixture
async def house(kept: Stores) -> AsyncIterator[House]:
    """The same stores, emptied, with Ana in them."""
    await wipe(kept)
    clock = Clock()
    doctors = kept.doctors(clock)
    code = await add_ana(doctors)
    await doctors.set_password(EMAIL, code, PASSWORD, address="")
    accounts = kept.accounts(doctors, clock)
    yield House(kept.settings, doctors, kept.identity, accounts, clock, kept)
    doctors.close()


@pytest.fixture
async def ana(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """Ana's browser on her own device, signed in."""
    async with house.browser() as ana:
        assert (await ana.post("/api/session", json=OWN_DEVICE)).status_code == 200
        yield ana


async def add_passkey(ana: httpx2.AsyncClient, device: Authenticator) -> httpx2.Response:
    options = (await ana.post("/api/passkeys/options", json={"label": "phone"})).json()
    made = device.create(options)
    return await ana.post("/api/passkeys", json={"label": "phone", "credential": made})


async def enter(browser: httpx2.AsyncClient, device: Authenticator) -> httpx2.Response:
    options = (await browser.post("/api/session/passkey/options")).json()
    body = {"credential": device.get(options), "shared": False}
    return await browser.post("/api/session/passkey", json=body)


async def turn_on_codes(ana: httpx2.AsyncClient, clock: Clock) -> pyotp.TOTP:
    totp = pyotp.TOTP((await ana.post("/api/totp")).json()["secret"])
    confirmed = await ana.post("/api/totp/confirm", json={"code": code_of(totp, clock)})
    assert confirmed.status_code == 204
    clock.now += MINUTE
    return totp


def code_of(totp: pyotp.TOTP, clock: Clock) -> str:
    return totp.at(clock.now // 1000)


def error(answer: httpx2.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()["error"]
    return body


# -- passkeys ------------------------------------------------------------------------------------


async def test_ana_adds_a_passkey_and_signs_in_with_it_alone(
    house: House, ana: httpx2.AsyncClient
) -> None:
    device = Authenticator(SITE)
    options = await ana.post("/api/passkeys/options", json={"label": "phone"})
    assert EMAIL not in options.text
    assert options.json()["authenticatorSelection"]["userVerification"] == "required"
    assert options.json()["authenticatorSelection"]["residentKey"] == "required"
    assert (await add_passkey(ana, device)).status_code == 204
    async with house.browser() as other:
        assert (await enter(other, device)).status_code == 200
        assert (await other.get("/api/session")).json()["verified"]
        (line,) = (await other.get("/api/passkeys")).json()["passkeys"]
        assert (line["label"], line["stopped"]) == ("phone", False)
        assert (await other.delete(f"/api/passkeys/{line['id']}")).status_code == 204
        assert error(await enter(other, device))["code"] == "forbidden"
    acts = ["passkey_added", "device_new", "passkey_removed"]
    assert (await house.told())[-3:] == (await house.audited())[-3:] == acts


async def test_she_leaves_only_so_many_challenges_unanswered(
    house: House, ana: httpx2.AsyncClient
) -> None:
    await add_passkey(ana, Authenticator(SITE))
    for _ in range(2 * MOST_CHALLENGES):
        house.clock.now += 1
        assert (await ana.post("/api/session/proof")).status_code == 200
    async with house.identity_database.reading() as connection:
        posed = select(func.count()).select_from(challenge)
        assert (await connection.execute(posed)).scalar_one() == MOST_CHALLENGES


async def test_a_challenge_is_answered_once_in_time_and_only_by_whom_it_was_posed_for(
    house: House, ana: httpx2.AsyncClient
) -> None:
    device = Authenticator(SITE)
    await add_passkey(ana, device)
    async with house.browser() as other:
        options = (await other.post("/api/session/passkey/options")).json()
        answer = {"credential": device.get(options)}
        assert (await other.post("/api/session/passkey", json=answer)).status_code == 200
        assert (await other.post("/api/session/passkey", json=answer)).status_code == 403
        spoiled = (await other.post("/api/session/passkey/options")).json()
        device.verifies = False
        unverified = {"credential": device.get(spoiled)}
        assert (await other.post("/api/session/passkey", json=unverified)).status_code == 403
        device.verifies = True
        mended = {"credential": device.get(spoiled)}
        assert (await other.post("/api/session/passkey", json=mended)).status_code == 403
        late = (await other.post("/api/session/passkey/options")).json()
        house.clock.now += CHALLENGE_MS
        body = {"credential": device.get(late)}
        assert (await other.post("/api/session/passkey", json=body)).status_code == 403
        for_entering = (await other.post("/api/session/passkey/options")).json()
        body = {"passkey": device.get(for_entering)}
        assert (await ana.post("/api/session/fresh", json=body)).status_code == 403


@pytest.mark.parametrize("wrong", ["unverified", "elsewhere", "garbled", "nobody"])
async def test_what_is_not_her_verified_passkey_here_opens_nothing(
    house: House, ana: httpx2.AsyncClient, wrong: str
) -> None:
    device = Authenticator(SITE)
    await add_passkey(ana, device)
    device.verifies = wrong != "unverified"
    device.origin = "http://localhost:8001" if wrong == "elsewhere" else SITE
    async with house.browser() as other:
        options = (await other.post("/api/session/passkey/options")).json()
        credential = device.get(options)
        if wrong == "garbled":
            credential["response"]["signature"] = "AAAA"
        if wrong == "nobody":
            credential["rawId"] = credential["id"] = "AAAA"
        answer = await other.post("/api/session/passkey", json={"credential": credential})
        assert error(answer)["code"] == "forbidden"
        assert (await other.get("/api/session")).status_code == 401
    device.verifies = False
    assert error(await add_passkey(ana, device))["code"] == "forbidden"


async def test_a_passkey_that_counts_back_is_stopped_and_its_owner_told(
    house: House, ana: httpx2.AsyncClient
) -> None:
    device = Authenticator(SITE)
    await add_passkey(ana, device)
    async with house.browser() as other:
        for _ in range(3):
            assert (await enter(other, device)).status_code == 200
        device.held[0].count = 1  # a copy that was made after the first use
        assert (await enter(other, device)).status_code == 403
        device.held[0].count = 9  # and now the original may not either
        assert (await enter(other, device)).status_code == 403
    assert (await house.told())[-1] == "passkey_stopped"
    assert (await ana.get("/api/passkeys")).json()["passkeys"][0]["stopped"]


@pytest.mark.parametrize("junk", [{}, {"response": 1}, {"rawId": 1, "response": {}}])
async def test_junk_in_place_of_a_passkey_is_refused_as_such(
    house: House, ana: httpx2.AsyncClient, junk: dict[str, Any]
) -> None:
    added = await ana.post("/api/passkeys", json={"label": "x", "credential": junk})
    entered = await ana.post("/api/session/passkey", json={"credential": junk})
    assert (added.status_code, entered.status_code) == (403, 403)


# -- told by e-mail ------------------------------------------------------------------------------


async def test_what_changes_how_her_account_is_opened_is_told_by_mail_without_a_key_to_it(
    house: House, ana: httpx2.AsyncClient
) -> None:
    device = Authenticator(SITE)
    await add_passkey(ana, device)
    async with house.browser() as other:
        await enter(other, device)
        await enter(other, device)  # where she has just been nothing is new
    await ana.post("/api/recovery-codes")
    await turn_on_codes(ana, house.clock)
    await ana.delete("/api/totp")
    letters = [each.text.partition("\n\n") for each in await house.letters()]
    acts = ["password_set", "passkey_added", "device_new", "recovery_codes_made"]
    acts += ["totp_on", "totp_off"]
    assert sorted(what for what, _, _ in letters) == sorted(say(f"notice.{a}", "en") for a in acts)
    assert len({rest for _, _, rest in letters}) == 1
    assert "://" not in letters[0][2]


async def test_of_shared_computers_she_is_told_once_a_day(
    house: House, ana: httpx2.AsyncClient
) -> None:
    house.clock.now += DAY_MS - house.clock.now % DAY_MS
    for hours in (0, 1, 23, 1):
        house.clock.now += hours * 60 * MINUTE
        async with house.browser() as ward:
            assert (await ward.post("/api/session", json=SHARED_DEVICE)).status_code == 200
    assert (await house.told()).count("device_new") == 2


# -- the second step -----------------------------------------------------------------------------


async def test_with_codes_on_a_password_is_only_the_first_step(
    house: House, ana: httpx2.AsyncClient
) -> None:
    totp = await turn_on_codes(ana, house.clock)
    async with house.browser() as other:
        halted = await other.post("/api/session", json=AS_ANA)
        assert (halted.status_code, error(halted)["asks"]) == (403, ["totp", "recovery"])
        assert (await other.get("/api/session")).status_code == 401
        assert (await other.post("/api/session/second", json={"totp": "000000"})).status_code == 403
        code = code_of(totp, house.clock)
        assert (await other.post("/api/session/second", json={"totp": code})).status_code == 200
        assert (await other.get("/api/session")).status_code == 200
        await other.delete("/api/session")
        await other.post("/api/session", json=AS_ANA)
        again = await other.post("/api/session/second", json={"totp": code})
        assert error(again)["code"] == "forbidden"
    assert "totp_on" in await house.told()


async def test_a_recovery_code_stands_in_once_however_it_is_typed(
    house: House, ana: httpx2.AsyncClient
) -> None:
    await turn_on_codes(ana, house.clock)
    codes = (await ana.post("/api/recovery-codes")).json()["codes"]
    assert len(set(codes)) == 10
    typed = codes[0].upper().replace("-", " ")
    async with house.browser() as other:
        await other.post("/api/session", json=AS_ANA)
        entered = await other.post("/api/session/second", json={"recovery": typed})
        assert entered.status_code == 200
        await other.post("/api/session", json=AS_ANA)
        again = await other.post("/api/session/second", json={"recovery": codes[0]})
        assert again.status_code == 403
    assert (await ana.get("/api/factors")).json() == {"totp": True, "recovery_codes": 9}


async def test_second_steps_are_limited_and_end(house: House, ana: httpx2.AsyncClient) -> None:
    totp = await turn_on_codes(ana, house.clock)
    async with house.browser() as other:
        await other.post("/api/session", json=AS_ANA)
        for _ in range(PER_ACCOUNT):
            await other.post("/api/session/second", json={"totp": "000000"})
        good = {"totp": code_of(totp, house.clock)}
        assert (await other.post("/api/session/second", json=good)).status_code == 429
        house.clock.now += 11 * MINUTE
        good = {"totp": code_of(totp, house.clock)}
        assert (await other.post("/api/session/second", json=good)).status_code == 401


# -- whose computer it is ------------------------------------------------------------------------


async def test_a_session_of_her_own_device_is_nothing_without_its_other_cookie(
    house: House, ana: httpx2.AsyncClient
) -> None:
    stolen = {"cookie": f"lounge_session={ana.cookies['lounge_session']}"}
    async with house.browser() as thief:
        assert (await thief.get("/api/session", headers=stolen)).status_code == 401
    assert (await ana.get("/api/session")).status_code == 200


async def test_her_own_device_locks_after_two_hours_and_outlives_a_night(
    house: House, ana: httpx2.AsyncClient
) -> None:
    device = Authenticator(SITE)
    await add_passkey(ana, device)
    house.clock.now += 14 * 60 * MINUTE
    locked = await ana.get("/api/session")
    assert (locked.status_code, error(locked)["asks"]) == (401, ["passkey", "password"])
    assert (await ana.get("/api/tokens")).status_code == 401
    options = (await ana.post("/api/session/proof")).json()
    body = {"passkey": device.get(options)}
    assert (await ana.post("/api/session/unlock", json=body)).status_code == 204
    assert (await ana.get("/api/session")).status_code == 200
    house.clock.now += LASTING[OWN]
    assert "asks" not in error(await ana.get("/api/session"))


async def test_a_shared_computer_locks_ten_minutes_after_her_last_act(house: House) -> None:
    async with house.browser() as ward:
        entered = await ward.post("/api/session", json=SHARED_DEVICE)
        assert entered.json()["shared"] is True
        assert "max-age" not in entered.headers["set-cookie"].lower()
        house.clock.now += SHARED_IDLE_MS - 1
        assert (await ward.post("/api/session/active")).status_code == 204
        house.clock.now += SHARED_IDLE_MS - 1
        visit = await house.doctors.by_session(ward.cookies["lounge_session"])
        assert visit
        await house.doctors.touch([visit])  # as an open page does
        house.clock.now += 1
        assert await house.doctors.still_open([visit]) == {}
        assert error(await ward.get("/api/session"))["asks"] == ["password"]
        wrong = await ward.post("/api/session/unlock", json={"password": "not hers"})
        assert wrong.status_code == 403
        unlocked = await ward.post("/api/session/unlock", json={"password": PASSWORD})
        assert unlocked.status_code == 204
        house.clock.now += SHARED_IDLE_MS
        left = await ward.delete("/api/session")  # whoever comes next
        assert '"storage"' in left.headers["clear-site-data"]
        assert "asks" not in error(await ward.get("/api/session"))


async def test_who_says_nothing_of_the_computer_is_signed_out_after_two_hours(house: House) -> None:
    async with house.browser() as plain:
        await plain.post("/api/session", json=AS_ANA)
        house.clock.now += IDLE_MS
        assert "asks" not in error(await plain.get("/api/session"))


# -- once more -----------------------------------------------------------------------------------

GUARDED: list[tuple[str, str, Any]] = [
    ("POST", "/api/passkeys/options", {"label": "x"}),
    ("POST", "/api/passkeys", {"label": "x", "credential": {}}),
    ("DELETE", "/api/passkeys/x", None),
    ("POST", "/api/totp", None),
    ("POST", "/api/totp/confirm", {"code": "000000"}),
    ("DELETE", "/api/totp", None),
    ("POST", "/api/recovery-codes", None),
    ("POST", "/api/tokens", {"label": "x"}),
    ("GET", "/api/own-data", None),
    ("POST", "/api/leaving", None),
]


async def test_what_an_account_rests_on_is_changed_only_within_five_minutes_of_a_proof(
    house: House, ana: httpx2.AsyncClient
) -> None:
    made = await ana.post("/api/tokens", json={"label": "program"})
    bearer = {"authorization": f"Bearer {made.json()['token']}"}
    house.clock.now += FRESH_MS
    for method, path, body in GUARDED:
        stale = await ana.request(method, path, json=body)
        assert (stale.status_code, error(stale)["asks"]) == (403, ["password"]), path
        program = await ana.request(method, path, json=body, headers=bearer)
        assert program.status_code == 403, path
    assert (await ana.post("/api/session/fresh", json={"password": "not"})).status_code == 403
    assert (await ana.post("/api/session/fresh", json={"password": PASSWORD})).status_code == 204
    assert (await ana.post("/api/recovery-codes")).status_code == 201


ASKED = [
    "passkey/options",
    "passkey",
    "proof",
    "unlock",
    "fresh",
    "second",
    "active",
    "lock",
]


async def test_no_page_from_elsewhere_does_any_of_this_by_her_cookie(
    house: House, ana: httpx2.AsyncClient
) -> None:
    changes = [each for each in GUARDED if each[0] != "GET"]
    changes += [("POST", f"/api/session/{path}", {}) for path in ASKED]
    foreign = {"origin": "http://evil.test"}
    for method, path, body in changes:
        answer = await ana.request(method, path, json=body, headers=foreign)
        assert error(answer)["message"] == say("session.origin", "en"), path


async def test_with_codes_on_a_password_alone_proves_nothing(
    house: House, ana: httpx2.AsyncClient
) -> None:
    totp = await turn_on_codes(ana, house.clock)
    alone = await ana.post("/api/session/fresh", json={"password": PASSWORD})
    assert alone.status_code == 403
    both = {"password": PASSWORD, "totp": code_of(totp, house.clock)}
    assert (await ana.post("/api/session/fresh", json=both)).status_code == 204
    assert (await ana.delete("/api/totp")).status_code == 204
    async with house.browser() as other:
        assert (await other.post("/api/session", json=AS_ANA)).status_code == 200
