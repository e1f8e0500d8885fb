"""The house's list: invited, invited again, struck off, as an operator types it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lounge.errors import Refusal
from tests.credentials import Desk, desk_of
from tests.stores import Stores, doctor_by, open_stores
from web.cli import main

HEAD = "email,name,country,specialty,licence,body\n"
ANA = "ana@heart.example,Ana,US,cardiology,1234567893,us.npi\n"
BEN = "ben@heart.example,Ben,US,emergency-medicine,,\n"


@pytest.fixture
async def stores(tmp_path: Path):  # type: ignore[no-untyped-def]
    async with open_stores(tmp_path) as stores:
        yield stores


@pytest.fixture
def desk(stores: Stores) -> Desk:
    return desk_of(stores, verification="hospital")


async def invite(desk: Desk, *lines: str, remove_missing: bool = False) -> tuple[int, int, int]:
    text = HEAD + "".join(lines)
    done = await desk.joining.invitations.invite(
        text.splitlines(keepends=True), remove_missing=remove_missing
    )
    assert done.wrong == []
    return done.added, done.known, done.struck


async def test_a_hospital_invites_and_its_doctors_come_in_with_the_code_of_the_letter(
    desk: Desk,
) -> None:
    assert await invite(desk, ANA, BEN) == (2, 0, 0)
    assert await invite(desk, ANA, BEN) == (0, 2, 0)
    await desk.postman.carry()
    code = next(
        found[0]
        for letter in desk.letters.sent
        if letter.to == "ana@heart.example"
        and (found := re.findall(r"^\S{20,}$", letter.text, re.M))
    )
    await desk.doctors.set_password("ana@heart.example", code, "correct horse", address="")
    visit, _ = await desk.doctors.sign_in(
        "ana@heart.example", "correct horse", label="", address=""
    )
    assert (visit.doctor.verified, visit.doctor.missing) == (True, ("acceptance",))
    desk.doctors.close()


async def test_who_is_taken_off_the_list_is_out_and_who_is_put_back_is_in_again(
    desk: Desk,
) -> None:
    await invite(desk, ANA, BEN)
    assert await invite(desk, ANA) == (0, 1, 0)  # only when it is asked for
    before = await desk.stores.epoch()
    assert await invite(desk, ANA, remove_missing=True) == (0, 1, 1)
    assert await desk.stores.epoch() > before
    ben = await doctor_by(desk.stores, "ben@heart.example")
    assert (ben.verified, ben.state, ben.reason) == (False, "suspended", "not_listed")
    await desk.applications.examine(ben.id)
    assert await desk.state(ben.id) == ("suspended", "not_listed")
    assert await invite(desk, ANA, BEN) == (0, 2, 0)
    assert await desk.state(ben.id) == ("verified", None)
    desk.doctors.close()


async def test_a_wrong_line_is_told_stops_no_other_and_strikes_nobody(desk: Desk) -> None:
    await invite(desk, ANA, BEN)
    lines = [HEAD, "chiara@heart.example,Chiara,XX,neurology,,\n", "\n", ANA]
    lines += ["denis@heart.example,Denis,US,cardiology,1234567890,us.npi\n"]
    done = await desk.joining.invitations.invite(lines, remove_missing=True)
    assert [(line, refusal.key) for line, refusal in done.wrong] == [
        (2, "doctor.country"),
        (5, "standing.licence_check_digit"),
    ]
    assert (done.known, done.struck) == (1, 0)
    with pytest.raises(Refusal) as refusal:
        await desk.joining.invitations.invite(["email,name\n"], remove_missing=True)
    assert refusal.value.key == "invite.columns"
    desk.doctors.close()


async def test_elsewhere_an_invitation_is_one_source_among_others(stores: Stores) -> None:
    desk = desk_of(stores)
    await invite(desk, ANA)
    ana = await doctor_by(stores, "ana@heart.example")
    assert (ana.state, ana.reason) == ("checking", "one_source")
    desk.doctors.close()


def test_the_operator_invites_suspends_and_gives_roles(tmp_path: Path) -> None:
    lounge = _lounge(tmp_path)
    file = tmp_path / "doctors.csv"
    file.write_text("\ufeff" + HEAD + ANA, encoding="utf-8")
    assert "1 invited, 0 known" in lounge("invite", str(file)).stdout
    file.write_text(HEAD + ANA + BEN.replace("US", "XX"), encoding="utf-8")
    told = lounge("invite", str(file), "--remove-missing")
    assert (told.exit_code, "line 3: " in told.stderr) == (1, True)
    assert lounge("doctor", "suspend", "ana@heart.example").stdout == "Suspended.\n"
    lifted = lounge("doctor", "suspend", "ana@heart.example", "--lift")
    assert lifted.stdout == "Now verified.\n"
    assert lounge("doctor", "role", "ana@heart.example", "registrar").exit_code == 0
    both = lounge("doctor", "role", "ana@heart.example", "registrar", "moderator")
    assert "neither a moderator nor an officer" in both.stderr
    assert lounge("doctor", "suspend", "nobody@heart.example").exit_code == 1


def _lounge(folder: Path) -> Callable[..., Result]:
    env = {"LOUNGE_DATA": str(folder), "LOUNGE_DEMO": "", "LOUNGE_BENCH": ""}
    env["LOUNGE_VERIFICATION"] = "hospital"
    return lambda *arguments: CliRunner().invoke(main, arguments, env=env)
