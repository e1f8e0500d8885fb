"""From an application to a doctor who stands, and back; on both databases where their SQL differs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from lounge import policy
from lounge.credentials.claims import Claim, Finding
from lounge.credentials.newcomers import Form
from lounge.credentials.presets import DAY_MS
from lounge.credentials.reviews import REFUSALS, version_of
from lounge.credentials.roll import NOT_LISTED
from lounge.doctors import Doctor
from lounge.errors import Refusal
from lounge.notices import Notices
from storage import applications, audit
from storage.identity_schema import application, doctor, identity_audit
from tests.credentials import ANA, Desk, credential, desk_of, institution, register, replace_form
from tests.stores import Stores, doctor_by, open_stores, wipe

BEN: dict[str, Any] = {"email": "ben@heart.example", "name": "Ben"}
PDF = b"%PDF-1.7 made up"


@pytest.fixture(scope="module")
async def sqlite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path_factory.mktemp("joining")) as stores:
        yield stores


@pytest.fixture
async def desk(sqlite: Stores) -> AsyncIterator[Desk]:
    await wipe(sqlite)
    desk = desk_of(sqlite)
    yield desk
    desk.doctors.close()


@pytest.fixture
async def either(stores: Stores) -> AsyncIterator[Desk]:
    desk = desk_of(stores)
    yield desk
    desk.doctors.close()


async def verified(desk: Desk, **changes: Any) -> str:
    """Somebody for whom a register and an institution speak."""
    desk.sources["a"].finding, desk.sources["b"].finding = register(), institution()
    return await desk.apply(**changes)


def says(desk: Desk, a: Any = None, b: Any = None) -> None:
    desk.sources["a"].finding, desk.sources["b"].finding = a, b


# -- applying ------------------------------------------------------------------------------------


async def test_two_sources_that_agree_open_the_rooms_once_the_screens_are_accepted(
    either: Desk,
) -> None:
    ana = await verified(either)
    assert await either.state(ana) == ("verified", None)
    known = await doctor_by(either.stores, ANA.email)
    with pytest.raises(Refusal, match="forbidden") as refusal:
        policy.require_open(known)
    assert refusal.value.key == "refusal.not_accepted"
    assert known.missing == ("acceptance",)
    await either.applications.accept(ana, 1)
    policy.require_open(await doctor_by(either.stores, ANA.email))


@pytest.mark.parametrize(
    ("a", "b", "state", "reason"),
    [
        (institution(), None, "checking", "one_source"),
        (register(), None, "checking", "public_only"),
        (register("disagrees", "register_name"), institution(), "checking", "sources_disagree"),
        (register("disagrees", "licence_expired"), institution(), "expired", "licence_expired"),
        (
            register("disagrees", "licence_suspended"),
            credential(),
            "suspended",
            "licence_suspended",
        ),
    ],
)
async def test_less_than_that_opens_nothing_and_says_why(
    desk: Desk, a: Any, b: Any, state: str, reason: str
) -> None:
    says(desk, a, b)
    ana = await desk.apply()
    assert await desk.state(ana) == (state, reason)
    known = await doctor_by(desk.stores, ANA.email)
    assert (known.verified, known.state, known.reason) == (False, state, reason)
    with pytest.raises(Refusal):
        policy.require_open(known)


async def test_a_wrong_check_digit_is_refused_before_anybody_is_asked(desk: Desk) -> None:
    with pytest.raises(Refusal) as refusal:
        await desk.apply(licence="1234567890")
    assert refusal.value.key == "standing.licence_check_digit"
    assert await _count(desk, application) == 0


async def test_one_licence_opens_one_account_and_an_unproved_claim_blocks_nobody(
    either: Desk,
) -> None:
    says(either, register())
    squatter = await either.apply(email="squatter@nowhere.example")
    ana = await verified(either)
    ben = await either.apply(**BEN)
    assert await either.state(ana) == ("verified", None)
    assert await either.state(ben) == ("refused", "licence_in_use")
    await either.applications.examine(squatter)
    assert await either.state(squatter) == ("refused", "licence_in_use")


async def test_a_banned_licence_opens_none_however_it_is_typed(desk: Desk) -> None:
    ana = await verified(desk)
    who, _ = await desk.applications.see(ana)
    assert who.licence_mark is not None
    async with desk.stores.identity.writing() as connection:
        await applications.ban(connection, who.licence_mark, "by_house", desk.clock())
        await connection.execute(doctor.delete())
        assert await applications.is_banned(connection, who.licence_mark)
    back = await desk.apply(email="again@heart.example", licence="123-456-7893")
    assert await desk.state(back) == ("refused", "licence_banned")


async def test_a_known_e_mail_gets_the_same_answer_and_another_letter(desk: Desk) -> None:
    await verified(desk)
    rows = await _count(desk, application)
    secret = await desk.joining.newcomers.apply(replace_name("Mallory"), address="")
    await desk.postman.carry()
    assert len(secret) == len(await desk.joining.newcomers.apply(replace_mail(), address=""))
    assert await _count(desk, application) == rows + 2  # the same work for both
    subjects = sorted(letter.subject for letter in desk.letters.sent[-2:])
    assert subjects == ["Lounge: you are verified", "Lounge: you have an account"]
    with pytest.raises(Refusal) as refusal:
        await desk.joining.newcomers.confirm(secret, ANA.email, "AAAA-AAAA", address="")
    assert refusal.value.key == "apply.code"


async def test_a_code_is_good_once_for_a_day_and_only_in_the_browser_that_applied(
    either: Desk,
) -> None:
    mine = await either.joining.newcomers.apply(ANA, address="")
    await either.postman.carry()
    code = either.letters.code(ANA.email)
    theirs = await either.joining.newcomers.apply(replace_name("Mallory"), address="")
    for secret, typed in ((theirs, code), ("", code), (mine, "AAAA-AAAA")):
        with pytest.raises(Refusal, match="forbidden"):
            await either.joining.newcomers.confirm(secret, ANA.email, typed, address="")
    late = desk_of(either.stores)
    late.clock.now += DAY_MS
    with pytest.raises(Refusal, match="forbidden"):
        await late.joining.newcomers.confirm(mine, ANA.email, code, address="")
    late.doctors.close()
    ana = await either.joining.newcomers.confirm(mine, ANA.email, f" {code.lower()} ", address="")
    assert (await either.applications.see(ana))[0].name == "Ana"
    with pytest.raises(Refusal, match="forbidden"):
        await either.joining.newcomers.confirm(mine, ANA.email, code, address="")


async def test_guessing_codes_is_slowed_down(desk: Desk) -> None:
    secret = await desk.joining.newcomers.apply(ANA, address="")
    for _ in range(10):
        with pytest.raises(Refusal, match="forbidden"):
            await desk.joining.newcomers.confirm(secret, ANA.email, "AAAA-AAAA", address="")
    with pytest.raises(Refusal, match="rate_limited"):
        await desk.joining.newcomers.confirm(secret, ANA.email, "AAAA-AAAA", address="")


# -- correcting ----------------------------------------------------------------------------------


async def test_what_was_wrong_is_corrected_until_she_is_verified(desk: Desk) -> None:
    says(desk, register("disagrees", "register_name"))
    ana = await desk.apply(name="Anna")
    assert await desk.state(ana) == ("refused", "register_name")
    says(desk, register(), institution())
    await desk.applications.amend(ana, name="Ana", licence="1245319599")
    await desk.applications.examine(ana)
    who, _ = await desk.applications.see(ana)
    assert (who.state, who.name, who.licence) == ("verified", "Ana", "1245319599")
    with pytest.raises(Refusal, match="forbidden"):
        await desk.applications.amend(ana, name="Somebody else")


async def test_vouchers_are_for_the_name_that_was_given(desk: Desk) -> None:
    first, second = await _two_verified(desk)
    says(desk, register())
    chiara = await desk.apply(email="chiara@heart.example", name="Chiara", licence="1003000126")
    for colleague in (first, second):
        await desk.joining.vouchers.vouch(colleague, "chiara@heart.example")
    await desk.applications.amend(chiara, name="Mallory")
    await desk.applications.examine(chiara)
    assert await desk.state(chiara) == ("checking", "public_only")


async def test_nobody_parts_with_a_licence_that_is_no_longer_good(desk: Desk) -> None:
    says(desk, register("disagrees", "licence_expired"), credential())
    ana = await desk.apply()
    assert await desk.state(ana) == ("expired", "licence_expired")
    await desk.applications.amend(ana, licence="")
    says(desk, None, credential())
    await desk.applications.examine(ana)
    assert await desk.state(ana) == ("checking", "registrar_again")
    await desk.doctors.set_verified(ana, True)
    await desk.applications.examine(ana)
    assert await desk.state(ana) == ("verified", None)


async def test_what_a_source_said_of_another_claim_is_not_what_it_says_while_away(
    desk: Desk,
) -> None:
    says(desk, register())
    ana = await desk.apply()
    await desk.applications.amend(ana, licence="1245319599")
    says(desk, register("away", "source_away"), institution())
    await desk.applications.examine(ana)
    assert await desk.state(ana) == ("checking", "source_away")


@pytest.mark.parametrize(
    "email",
    ["x@evil.example,.nhs.example", "x@evil.example(.nhs.example", "x@evil.example;.nhs.example"],
)
async def test_no_address_is_read_as_another_by_a_mail_program(desk: Desk, email: str) -> None:
    with pytest.raises(Refusal) as refusal:
        await desk.joining.newcomers.apply(replace_form(ANA, email=email), address="")
    assert refusal.value.key == "doctor.email"


async def test_no_name_turns_the_writing_round(desk: Desk) -> None:
    with pytest.raises(Refusal) as refusal:
        await desk.joining.newcomers.apply(replace_name("Ana \u202erotaredom"), address="")
    assert refusal.value.key == "doctor.name"


# -- those who speak for her ---------------------------------------------------------------------


async def test_two_verified_colleagues_and_the_register_are_enough(either: Desk) -> None:
    first, second = await _two_verified(either)
    says(either, register())
    await either.apply(email="chiara@heart.example", name="Chiara", licence="1003000126")
    chiara = await doctor_by(either.stores, "chiara@heart.example")
    await either.joining.vouchers.vouch(first, "chiara@heart.example")
    await either.joining.vouchers.vouch(first, "chiara@heart.example")
    await either.joining.vouchers.vouch(chiara.id, "chiara@heart.example")
    await either.applications.recheck_due()
    assert await either.state(chiara.id) == ("checking", "public_only")
    await either.joining.vouchers.vouch(second, "chiara@heart.example")
    await either.applications.recheck_due()
    assert await either.state(chiara.id) == ("verified", None)


async def test_a_doctor_vouches_for_five_in_a_month_whether_or_not_they_have_applied(
    desk: Desk,
) -> None:
    first, second = await _two_verified(desk)
    for email in ("chiara@heart.example", *(f"stranger{n}@heart.example" for n in range(4))):
        await desk.joining.vouchers.vouch(first, email)
    with pytest.raises(Refusal, match="rate_limited"):
        await desk.joining.vouchers.vouch(first, "sixth@heart.example")
    await desk.joining.vouchers.vouch(second, "chiara@heart.example")
    says(desk, register())
    chiara = await desk.apply(email="chiara@heart.example", name="Chiara", licence="1003000126")
    assert await desk.state(chiara) == ("verified", None)
    desk.clock.now += 31 * DAY_MS
    await desk.joining.vouchers.vouch(first, "sixth@heart.example")


async def test_an_address_at_a_listed_institution_counts_once_it_is_confirmed(
    sqlite: Stores, tmp_path: Path
) -> None:
    await wipe(sqlite)
    file = tmp_path / "verification.toml"
    file.write_text('institutions = ["heart.example", ".nhs.example"]\nrecheck_days = 30\n')
    desk = desk_of(sqlite, verification_file=file)
    says(desk, register())
    ana = await desk.apply()
    assert await desk.state(ana) == ("verified", None)
    who, _ = await desk.applications.see(ana)
    assert who.valid_until == desk.clock() + 30 * DAY_MS
    near = await desk.apply(email="ben@notheart.example", licence="1003000126")
    assert await desk.state(near) == ("checking", "public_only")
    below = await desk.apply(email="chiara@leeds.nhs.example", licence="1245319599")
    assert await desk.state(below) == ("verified", None)
    desk.doctors.close()


async def test_a_registrar_reads_documents_and_her_word_is_one_source(desk: Desk) -> None:
    says(desk, register())
    ana = await desk.apply()
    rhea = await _registrar(desk)
    await desk.joining.documents.put(ana, "licence.pdf", "application/pdf", PDF)
    assert [who.id for who in await desk.joining.reviews.waiting(rhea)] == [ana]
    _, _, papers = await desk.joining.reviews.see(rhea, ana)
    assert [paper.name for paper in papers] == ["licence.pdf"]
    media, content = await desk.joining.reviews.read(rhea, ana, "licence.pdf")
    assert (media, content) == ("application/pdf", PDF)
    await _decide(desk, rhea, ana, "verified", "registrar")
    assert await desk.state(ana) == ("verified", None)
    assert await desk.joining.documents.listed(ana) == []


async def test_a_registrar_refuses_with_a_reason_until_something_better_is_there(
    desk: Desk,
) -> None:
    says(desk, register())
    ana = await desk.apply()
    rhea = await _registrar(desk)
    with pytest.raises(Refusal, match="invalid"):
        await _decide(desk, rhea, ana, "refused", "bad mood")
    await _decide(desk, rhea, ana, "refused", REFUSALS[0])
    await desk.applications.examine(ana)
    assert await desk.state(ana) == ("refused", REFUSALS[0])
    says(desk, register(), institution())
    await desk.joining.documents.put(ana, "better.pdf", "application/pdf", PDF)
    await desk.applications.recheck_due()
    assert await desk.state(ana) == ("checking", "registrar_again")
    await desk.applications.amend(ana, grade="generalist")
    await desk.applications.examine(ana)
    assert await desk.state(ana) == ("checking", "registrar_again")
    await _decide(desk, rhea, ana, "verified", "registrar")
    assert await desk.state(ana) == ("verified", None)


async def test_what_changed_since_the_registrar_looked_is_not_what_she_decides(desk: Desk) -> None:
    says(desk, register())
    ana = await desk.apply()
    rhea = await _registrar(desk)
    who, _, papers = await desk.joining.reviews.see(rhea, ana)
    seen = version_of(who, papers)
    await desk.applications.amend(ana, name="Mallory")
    with pytest.raises(Refusal) as refusal:
        await desk.joining.reviews.decide(rhea, ana, "verified", "registrar", version=seen)
    assert refusal.value.key == "application.changed"


async def test_without_a_licence_number_no_two_that_agree_are_enough(desk: Desk) -> None:
    says(desk, None, institution())
    ana = await desk.apply(body=None, licence=None)
    await _decide(desk, await _registrar(desk), ana, "verified", "registrar")
    assert await desk.state(ana) == ("checking", "licence_unproved")


async def test_a_registrar_who_vouches_is_still_one_source(desk: Desk) -> None:
    first, _ = await _two_verified(desk)
    rhea = await _registrar(desk)
    says(desk, register())
    for colleague in (first, rhea.id):
        await desk.joining.vouchers.vouch(colleague, "chiara@heart.example")
    chiara = await desk.apply(email="chiara@heart.example", name="Chiara", licence="1003000126")
    assert await desk.state(chiara) == ("checking", "public_only")


async def test_only_a_registrar_reviews_and_she_is_nothing_else(desk: Desk) -> None:
    says(desk, register())
    ana = await desk.apply()
    rhea = await _registrar(desk)
    for other in (frozenset({"doctor", "moderator"}), frozenset({"doctor", "officer"})):
        with pytest.raises(Refusal, match="forbidden"):
            await desk.joining.reviews.see(replace(rhea, roles=other), ana)
        with pytest.raises(Refusal, match="invalid"):
            await desk.doctors.set_roles(rhea.id, other | {"registrar"})
    with pytest.raises(Refusal, match="invalid"):
        await desk.doctors.add(
            email="r@heart.example",
            name="R",
            country="CA",
            specialty="cardiology",
            roles=["registrar", "moderator"],
        )


@pytest.mark.parametrize(
    ("name", "media", "content"),
    [
        ("page.html", "text/html", b"<html>"),
        ("page.pdf", "application/pdf", b"<html>"),
        ("page.png", "image/png", PDF),
        ("page.jpg", "image/jpeg", b"\x89PNG\r\n\x1a\n"),
        ("../page.pdf", "application/pdf", PDF),
        ("", "application/pdf", PDF),
    ],
)
async def test_only_papers_are_taken(desk: Desk, name: str, media: str, content: bytes) -> None:
    with pytest.raises(Refusal, match="invalid"):
        await desk.joining.documents.put("anybody", name, media, content)


async def test_papers_lie_sealed_and_there_are_five_at_most(desk: Desk) -> None:
    ana = await desk.apply()
    for n in range(5):
        await desk.joining.documents.put(ana, f"{n}.pdf", "application/pdf", PDF)
    await desk.joining.documents.put(ana, "4.pdf", "application/pdf", PDF + b"2")
    with pytest.raises(Refusal, match="invalid"):
        await desk.joining.documents.put(ana, "5.pdf", "application/pdf", PDF)
    async with desk.stores.identity.reading() as connection:
        rows = (await connection.exec_driver_sql("SELECT sealed FROM document")).scalars().all()
    assert not any(b"made up" in bytes(row) for row in rows)
    await desk.joining.documents.drop(ana, "0.pdf")
    with pytest.raises(Refusal, match="not_found"):
        await desk.joining.documents.read(ana, "0.pdf")


# -- standing, and standing no more --------------------------------------------------------------


async def test_a_register_that_turns_closes_the_rooms_tells_her_and_leaves_a_trace(
    either: Desk,
) -> None:
    ana = await verified(either)
    before = await either.stores.epoch()
    says(either, register("disagrees", "licence_suspended"), institution())
    await either.applications.examine(ana)
    assert await either.state(ana) == ("suspended", "licence_suspended")
    assert await either.stores.epoch() > before
    notices = await Notices(either.stores.identity, either.stores.keys).page(ana)
    assert notices[-1].notice["notice"] == "standing_suspended"
    await either.postman.carry()
    assert "your licence is suspended" in "".join(each.text for each in either.letters.sent)
    assert await _acts(either, ana) == ["applied", "standing_verified", "standing_suspended"]
    async with either.stores.identity.reading() as connection:
        assert await audit.verify(connection, "identity") is None


async def test_nothing_is_told_twice(desk: Desk) -> None:
    ana = await verified(desk)
    before = await desk.stores.epoch(), await _acts(desk, ana)
    await desk.applications.examine(ana)
    assert (await desk.stores.epoch(), await _acts(desk, ana)) == before


async def test_a_doctor_is_examined_again_when_her_day_comes(desk: Desk) -> None:
    says(desk, register(valid_until=desk.clock() + DAY_MS), institution())
    ana = await desk.apply()
    says(desk, None, institution())
    await desk.applications.recheck_due()
    assert await desk.state(ana) == ("verified", None)
    desk.clock.now += DAY_MS
    await desk.applications.recheck_due()
    assert await desk.state(ana) == ("checking", "one_source")


async def test_a_source_that_is_away_ends_nothing_and_is_asked_again_soon(desk: Desk) -> None:
    ana = await verified(desk)
    says(desk, register("away", "source_away"), institution())
    await desk.applications.examine(ana)
    assert await desk.state(ana) == ("verified", None)
    says(desk, register("disagrees", "licence_expired"), institution())
    desk.clock.now += 3_600_000
    await desk.applications.recheck_due()
    assert await desk.state(ana) == ("expired", "licence_expired")


async def test_what_a_source_says_against_her_outlives_its_being_away(desk: Desk) -> None:
    says(desk, register("disagrees", "licence_suspended"), credential())
    ana = await desk.apply()
    says(desk, register("away", "source_away"), credential())
    await desk.applications.examine(ana)
    assert await desk.state(ana) == ("suspended", "licence_suspended")


async def test_who_was_refused_while_sources_were_asked_is_refused(desk: Desk) -> None:
    says(desk, register())
    ana, rhea = await desk.apply(), await _registrar(desk)
    slow = Slow(lambda: _decide(desk, rhea, ana, "refused", REFUSALS[0]))
    desk.applications.sources = [*desk.applications.sources, slow]
    await desk.applications.examine(ana)
    assert await desk.state(ana) == ("refused", REFUSALS[0])


async def test_a_list_that_drops_her_and_has_her_again_lifts_no_suspension(desk: Desk) -> None:
    ana = await verified(desk)
    await desk.applications.suspend(ana)
    await desk.applications.suspend(ana, NOT_LISTED)
    assert await desk.state(ana) == ("suspended", "by_house")


async def test_what_the_house_suspends_no_source_lifts(desk: Desk) -> None:
    ana = await verified(desk)
    await desk.applications.suspend(ana)
    await desk.applications.examine(ana)
    assert await desk.state(ana) == ("suspended", "by_house")
    with pytest.raises(Refusal, match="forbidden"):
        await desk.applications.amend(ana, name="Ana")
    assert (await desk.applications.reinstate(ana)).state == "verified"


async def test_whom_the_operator_verified_stays_until_a_source_speaks_against_her(
    desk: Desk,
) -> None:
    await desk.doctors.add(
        email="olga@heart.example",
        name="Olga",
        country="CA",
        specialty="cardiology",
        verified=True,
    )
    olga = (await doctor_by(desk.stores, "olga@heart.example")).id
    for _ in range(2):
        await desk.applications.examine(olga)
        assert await desk.state(olga) == ("verified", None)
    says(desk, register("disagrees", "licence_suspended"))
    await desk.applications.examine(olga)
    assert await desk.state(olga) == ("suspended", "licence_suspended")


async def test_whom_the_operator_verifies_is_examined_at_the_next_look(desk: Desk) -> None:
    ana = await desk.apply()
    await desk.doctors.set_verified(ana, True)
    who, _ = await desk.applications.see(ana)
    assert who.licence_mark is None
    await desk.applications.recheck_due()
    who, _ = await desk.applications.see(ana)
    assert (who.state, who.licence_mark is None) == ("verified", False)


async def test_a_hospital_wants_its_own_word(sqlite: Stores) -> None:
    await wipe(sqlite)
    desk = desk_of(sqlite, verification="hospital")
    ana = await verified(desk)
    assert await desk.state(ana) == ("checking", "credential_needed")
    await _decide(desk, await _registrar(desk), ana, "verified", "registrar")
    assert await desk.state(ana) == ("verified", None)
    desk.doctors.close()


# -- what the tests stand on ---------------------------------------------------------------------


@dataclass(slots=True)
class Slow:
    """A source that agrees once; something happens meanwhile."""

    meanwhile: Callable[[], Awaitable[None]]
    name: str = "slow"
    asked: bool = False

    async def examine(self, claim: Claim) -> Finding | None:
        if self.asked:
            return None
        self.asked = True
        await self.meanwhile()
        return institution()


def replace_name(name: str) -> Form:
    return replace_form(ANA, name=name, password="another horse")


def replace_mail() -> Form:
    return replace_form(ANA, email="new@heart.example")


async def _two_verified(desk: Desk) -> tuple[str, str]:
    ana = await verified(desk)
    return ana, await verified(desk, **BEN, licence="1245319599")


async def _decide(desk: Desk, rhea: Doctor, doctor_id: str, verdict: str, reason: str) -> None:
    who, _, papers = await desk.joining.reviews.see(rhea, doctor_id)
    seen = version_of(who, papers)
    await desk.joining.reviews.decide(rhea, doctor_id, verdict, reason, version=seen)


async def _registrar(desk: Desk) -> Doctor:
    await desk.doctors.add(
        email="rhea@heart.example",
        name="Rhea",
        country="CA",
        specialty="cardiology",
        roles=["registrar"],
        verified=True,
    )
    return await doctor_by(desk.stores, "rhea@heart.example")


async def _count(desk: Desk, table: Any) -> int:
    async with desk.stores.identity.reading() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


async def _acts(desk: Desk, doctor_id: str) -> list[str]:
    async with desk.stores.identity.reading() as connection:
        query = select(identity_audit.c.act).where(identity_audit.c.about == doctor_id)
        return list((await connection.execute(query.order_by(identity_audit.c.seq))).scalars())
