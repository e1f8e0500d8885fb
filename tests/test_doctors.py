"""Doctors: how they sign in, what they have open, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Literal

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, text

from lounge.demo import populate
from lounge.doctors import (
    CODE_MS,
    IDLE_MS,
    MOST_TOKENS,
    SESSION_MS,
    Doctors,
    Unrecognised,
    Visit,
    digest_of,
)
from lounge.errors import Code, Refusal
from lounge.knocks import PER_ACCOUNT, PER_ADDRESS, WINDOW_MS
from lounge.passwords import Passwords
from storage.identity_schema import attempt, doctor, session, token
from tests.stores import (
    QUICK,
    START,
    Clock,
    Stores,
    add_ana,
    doctor_by,
)

EMAIL, PASSWORD = "ana@clinic.test", "correct horse"
MINUTE = 60_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def doctors(stores: Stores, clock: Clock) -> AsyncIterator[Doctors]:
    doctors = stores.doctors(clock)
    yield doctors
    doctors.close()


@pytest.fixture
async def ana(doctors: Doctors) -> None:
    """Ana, with her password set."""
    code = await add_ana(doctors)
    await doctors.set_password(EMAIL, code, PASSWORD, address="192.0.2.1")


async def enter(doctors: Doctors, **other: str) -> tuple[Visit, str]:
    known = {"email": EMAIL, "password": PASSWORD, "label": "Firefox", "address": "192.0.2.1"}
    return await doctors.sign_in(**{**known, **other})


async def refused(doctors: Doctors, **other: str) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        await enter(doctors, **other)
    return refusal.value


@pytest.mark.usefixtures("ana")
async def test_ana_signs_in_and_is_known_by_her_cookie(doctors: Doctors) -> None:
    visit, secret = await enter(doctors, email="  Ana@Clinic.test ")
    assert await doctors.by_session(secret) == visit
    assert (visit.doctor.specialty, visit.doctor.country) == ("cardiology", "CA")
    assert visit.doctor.verified
    assert visit.token is None
    assert await doctors.by_token(secret) is None


@pytest.mark.usefixtures("ana")
async def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(doctors: Doctors) -> None:
    wrong = await refused(doctors, password="battery staple")
    unknown = await refused(doctors, email="nobody@clinic.test")
    assert isinstance(wrong, Unrecognised)
    assert (wrong.code, wrong.key, wrong.values) == (unknown.code, unknown.key, unknown.values)


async def test_unknown_emails_and_unset_passwords_cost_a_comparison_too(stores: Stores) -> None:
    compared: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            compared.append(str(hash))
            return super().verify(hash, password)

    hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    doctors = Doctors(
        stores.identity,
        stores.lounge,
        stores.keys,
        stores.settings,
        passwords=Passwords(hasher),
        clock=Clock(),
    )
    await add_ana(doctors)
    await refused(doctors)
    await refused(doctors, email="nobody@clinic.test")
    doctors.close()
    assert len(compared) == 2


@pytest.mark.usefixtures("ana")
async def test_the_store_keeps_neither_password_nor_cookie_nor_token(
    stores: Stores, doctors: Doctors
) -> None:
    visit, secret = await enter(doctors)
    _, bearer = await doctors.add_token(visit.doctor.id, "script")
    async with stores.identity.reading() as connection:
        hashed = (await connection.execute(select(doctor.c.password))).scalar_one()
        kept = (await connection.execute(select(session.c.secret))).scalar_one()
        kept_token = (await connection.execute(select(token.c.secret))).scalar_one()
    assert hashed.startswith("$argon2id$")
    assert PASSWORD not in hashed
    assert (kept, kept_token) == (digest_of(secret), digest_of(bearer))


@pytest.mark.usefixtures("ana")
async def test_signing_in_again_ends_the_session_of_the_older_cookie(
    stores: Stores, doctors: Doctors
) -> None:
    _, first = await enter(doctors)
    before = await stores.epoch()
    _, second = await enter(doctors, replacing=first)
    assert await doctors.by_session(first) is None
    assert await doctors.by_session(second) is not None
    assert await stores.epoch() > before


@pytest.mark.usefixtures("ana")
async def test_an_idle_session_ends_and_a_used_one_goes_on(doctors: Doctors, clock: Clock) -> None:
    _, used = await enter(doctors)
    visit, idle = await enter(doctors)
    clock.now += IDLE_MS - MINUTE
    assert await doctors.by_session(used)
    clock.now += MINUTE
    assert await doctors.by_session(used)
    assert await doctors.by_session(idle) is None
    assert await doctors.still_open([visit]) == {}


@pytest.mark.usefixtures("ana")
async def test_no_session_outlives_twelve_hours(doctors: Doctors, clock: Clock) -> None:
    visit, secret = await enter(doctors)
    for _ in range(SESSION_MS // MINUTE // 60 - 1):
        clock.now += 60 * MINUTE
        await doctors.touch([visit])
    assert await doctors.by_session(secret)
    clock.now += 60 * MINUTE
    assert await doctors.by_session(secret) is None


@pytest.mark.usefixtures("ana")
async def test_the_last_use_is_written_at_most_once_a_minute(
    doctors: Doctors, clock: Clock
) -> None:
    visit, secret = await enter(doctors)
    begun = clock.now
    seen = []
    for _ in range(3):
        clock.now += MINUTE // 2
        await doctors.by_session(secret)
        seen += [each.seen - begun for each in await doctors.sessions(visit.doctor.id)]
    assert seen == [0, MINUTE, MINUTE]


@pytest.mark.usefixtures("ana")
async def test_ana_sees_her_sessions_and_ends_one(stores: Stores, doctors: Doctors) -> None:
    visit, _ = await enter(doctors, label="Firefox on Linux")
    other, secret = await enter(doctors, label="Safari on iOS")
    labels = {each.label for each in await doctors.sessions(visit.doctor.id)}
    assert labels == {"Firefox on Linux", "Safari on iOS"}
    assert other.session
    before = await stores.epoch()
    await doctors.end_session(visit.doctor.id, other.session)
    assert await doctors.by_session(secret) is None
    assert await doctors.still_open([visit, other]) == {visit: visit}
    assert await stores.epoch() > before


@pytest.mark.usefixtures("ana")
async def test_ending_a_session_again_raises_the_epoch_again(
    stores: Stores, doctors: Doctors
) -> None:
    """The first time may have been cut off between the two stores."""
    visit, _ = await enter(doctors)
    await doctors.sign_out(visit)
    before = await stores.epoch()
    await doctors.sign_out(visit)
    assert await stores.epoch() > before


@pytest.mark.usefixtures("ana")
async def test_nobody_ends_what_is_somebody_elses(doctors: Doctors) -> None:
    visit, secret = await enter(doctors)
    token_id, bearer = await doctors.add_token(visit.doctor.id, "script")
    await add_ana(doctors, email="ben@clinic.test", name="Ben", country="US")
    ben = await doctors.id_of("ben@clinic.test")
    assert ben
    assert visit.session
    for attempted in (doctors.end_session(ben, visit.session), doctors.end_token(ben, token_id)):
        with pytest.raises(Refusal) as refusal:
            await attempted
        assert refusal.value.code is Code.NOT_FOUND
    assert await doctors.by_session(secret)
    assert await doctors.by_token(bearer)


@pytest.mark.usefixtures("ana")
async def test_a_bearer_token_opens_until_it_is_ended(stores: Stores, doctors: Doctors) -> None:
    owner = (await enter(doctors))[0].doctor
    token_id, secret = await doctors.add_token(owner.id, "replay script")
    visit = await doctors.by_token(secret)
    assert visit == Visit(owner, None, token_id)
    assert [each.label for each in await doctors.tokens(owner.id)] == ["replay script"]
    before = await stores.epoch()
    await doctors.end_token(owner.id, token_id)
    assert await doctors.by_token(secret) is None
    assert await doctors.still_open([visit]) == {}
    assert await doctors.tokens(owner.id) == []
    assert await stores.epoch() > before


async def test_two_hundred_who_connect_at_once_cost_a_handful_of_reads(
    stores: Stores, doctors: Doctors
) -> None:
    secrets = await populate(stores.identity, 200, now=START)
    found = await asyncio.gather(*(doctors.by_token(each) for each in (*secrets, "nonsense")))
    assert len({visit.doctor.id for visit in found if visit}) == 200
    assert found[-1] is None
    assert doctors._tokens.loads <= 2


@pytest.mark.usefixtures("ana")
async def test_a_read_for_many_judges_each_cookie_by_itself(doctors: Doctors, clock: Clock) -> None:
    _, idle = await enter(doctors)
    clock.now += IDLE_MS
    ended, gone = await enter(doctors)
    kept, good = await enter(doctors)
    await doctors.sign_out(ended)
    found = await asyncio.gather(*(doctors.by_session(each) for each in (idle, gone, good, "?")))
    assert found == [None, None, kept, None]
    assert doctors._sessions.loads == 1


@pytest.mark.usefixtures("ana")
async def test_what_ended_a_moment_ago_is_not_answered_from_an_earlier_read(
    doctors: Doctors,
) -> None:
    visit, secret = await enter(doctors)
    early = asyncio.create_task(doctors.by_session(secret))
    await asyncio.sleep(0)  # it has asked
    await doctors.sign_out(visit)
    assert await doctors.by_session(secret) is None
    await early


@pytest.mark.usefixtures("ana")
async def test_tokens_have_a_limit(doctors: Doctors) -> None:
    owner = (await enter(doctors))[0].doctor
    for _ in range(MOST_TOKENS):
        await doctors.add_token(owner.id, "one more")
    with pytest.raises(Refusal) as refusal:
        await doctors.add_token(owner.id, "one too many")
    assert refusal.value.key == "token.too_many"


@pytest.mark.usefixtures("ana")
async def test_a_new_password_ends_every_session_and_token(
    stores: Stores, doctors: Doctors
) -> None:
    _, secret = await enter(doctors)
    ana = await doctor_by(stores, EMAIL)
    _, bearer = await doctors.add_token(ana.id, "made by whoever got in")
    code = await doctors.new_code(ana.id)
    before = await stores.epoch()
    await doctors.set_password(EMAIL, code, "quite another", address="192.0.2.1")
    assert await doctors.by_session(secret) is None
    assert await doctors.by_token(bearer) is None
    assert await stores.epoch() > before
    await refused(doctors)
    assert await enter(doctors, password="quite another")


@pytest.mark.parametrize("fault", ["wrong code", "other doctor", "used", "too old"])
async def test_a_code_sets_one_password_once(doctors: Doctors, clock: Clock, fault: str) -> None:
    code = await add_ana(doctors)
    await add_ana(doctors, email="ben@clinic.test")
    email = "ben@clinic.test" if fault == "other doctor" else EMAIL
    if fault == "used":
        await doctors.set_password(EMAIL, code, PASSWORD, address="")
    if fault == "too old":
        clock.now += CODE_MS
    given = "nonsense" if fault == "wrong code" else code
    with pytest.raises(Refusal) as refusal:
        await doctors.set_password(email, given, "quite another", address="")
    assert refusal.value.key == "password.code"


async def test_a_short_password_is_refused_and_its_code_stays_good(doctors: Doctors) -> None:
    code = await add_ana(doctors)
    with pytest.raises(Refusal) as refusal:
        await doctors.set_password(EMAIL, code, "123456789", address="")
    assert refusal.value.key == "password.length"
    await doctors.set_password(EMAIL, code, PASSWORD, address="")
    assert await enter(doctors)


@pytest.mark.usefixtures("ana")
async def test_too_many_wrong_tries_close_the_account_for_a_while(
    doctors: Doctors, clock: Clock
) -> None:
    for n in range(PER_ACCOUNT):
        await refused(doctors, password="guess", address=f"198.51.100.{n}")
    refusal = await refused(doctors, address="198.51.100.99")
    assert refusal.code is Code.RATE_LIMITED
    assert refusal.retry_after
    assert 0 < refusal.retry_after <= WINDOW_MS / 1000
    clock.now += int(refusal.retry_after * 1000)
    assert await enter(doctors, address="198.51.100.99")


@pytest.mark.usefixtures("ana")
async def test_too_many_wrong_tries_close_the_door_to_an_address(
    stores: Stores, doctors: Doctors
) -> None:
    for n in range(PER_ADDRESS):
        await refused(doctors, email=f"doctor{n}@clinic.test", address="2001:db8::1")
    assert (await refused(doctors, address="2001:db8::2")).code is Code.RATE_LIMITED
    assert await enter(doctors, address="192.0.2.7")
    async with stores.identity.reading() as connection:
        keys = (await connection.execute(select(attempt.c.key))).scalars().all()
    assert keys
    assert not any(b"clinic" in key or b"2001" in key for key in keys)


@pytest.mark.usefixtures("ana")
async def test_good_sign_ins_never_close_a_door(doctors: Doctors) -> None:
    for _ in range(PER_ACCOUNT + 2):
        assert await enter(doctors)


async def test_a_bench_lifts_the_limits(stores: Stores) -> None:
    bench = replace(stores, settings=replace(stores.settings, bench=True)).doctors()
    for _ in range(PER_ACCOUNT + 2):
        assert isinstance(await refused(bench), Unrecognised)
    bench.close()


@pytest.mark.usefixtures("ana")
async def test_a_password_is_hashed_anew_when_the_parameters_change(
    stores: Stores, doctors: Doctors
) -> None:
    async def hashed() -> str:
        async with stores.identity.reading() as connection:
            return str((await connection.execute(select(doctor.c.password))).scalar_one())

    stronger = Doctors(
        stores.identity,
        stores.lounge,
        stores.keys,
        stores.settings,
        passwords=Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)),
        clock=Clock(),
    )
    await enter(stronger)
    assert "t=2" in await hashed()
    assert await enter(stronger)
    stronger.close()


@pytest.mark.usefixtures("ana")
async def test_a_change_of_the_doctor_shows_in_her_visits(stores: Stores, doctors: Doctors) -> None:
    visit, _ = await enter(doctors)
    before = await stores.epoch()
    await doctors.set_language(visit.doctor.id, "fr")
    await doctors.set_verified(visit.doctor.id, False)
    assert await stores.epoch() == before + 2
    now = (await doctors.still_open([visit]))[visit]
    assert (now.doctor.language, now.doctor.verified) == ("fr", False)
    assert now.doctor.missing == ("verification",)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("country", "XX"),
        ("country", "ca"),
        ("specialty", "alchemy"),
        ("grade", "wizard"),
        ("language", "de"),
        ("roles", ["owner"]),
        ("email", "not an address"),
        ("name", " "),
    ],
)
async def test_adding_refuses_what_the_house_does_not_know(
    doctors: Doctors, attribute: str, value: Any
) -> None:
    with pytest.raises(Refusal) as refusal:
        await add_ana(doctors, **{attribute: value})
    assert refusal.value.code is Code.INVALID
    assert refusal.value.key == f"doctor.{attribute.removesuffix('s')}"


async def test_one_email_is_one_doctor(doctors: Doctors) -> None:
    await add_ana(doctors)
    with pytest.raises(Refusal) as refusal:
        await add_ana(doctors, email="ANA@clinic.test")
    assert refusal.value.key == "doctor.known"


async def test_the_crowd_counts_verified_doctors_only(stores: Stores, doctors: Doctors) -> None:
    await add_ana(doctors)
    await add_ana(doctors, email="a2@clinic.test")
    await add_ana(doctors, email="dan@clinic.test", verified=False)
    (crowd,) = await doctors.crowd()
    assert (crowd.specialty, crowd.country, crowd.count) == ("cardiology", "CA", 2)
    assert (await doctor_by(stores, "dan@clinic.test")).id not in await doctors.verified_ids()
    assert len(await doctors.verified_ids()) == 2


@pytest.mark.usefixtures("ana")
async def test_the_password_that_was_replaced_meanwhile_opens_nothing(
    stores: Stores, doctors: Doctors
) -> None:
    replaced = asyncio.Event()

    class Slow(Passwords):
        async def compare(self, password: str, hashed: str | None):  # type: ignore[no-untyped-def]
            verdict = await super().compare(password, hashed)
            async with stores.identity.writing() as connection:
                await connection.execute(text("UPDATE doctor SET password = 'another'"))
            replaced.set()
            return verdict

    slow = Doctors(
        stores.identity,
        stores.lounge,
        stores.keys,
        stores.settings,
        passwords=Slow(QUICK),
        clock=Clock(),
    )
    assert isinstance(await refused(slow), Unrecognised)
    assert replaced.is_set()
    slow.close()


async def test_more_hashing_than_the_bound_allows_is_refused_as_busy() -> None:
    passwords = Passwords(QUICK)
    asked = [asyncio.ensure_future(passwords.compare("guess", None)) for _ in range(100)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    busy = [each for each in answers if isinstance(each, Refusal)]
    assert 0 < len(busy) < 100
    assert {each.code for each in busy} == {Code.BUSY}
    assert all(each.retry_after for each in busy)
    passwords.close()
