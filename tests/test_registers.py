"""Registers: taken row by row, swapped at once, and looked up for what they say of a licence."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lounge.credentials.claims import LICENCE, Claim
from lounge.credentials.folding import as_kept, folded, same_name, same_person
from lounge.credentials.layouts import LayoutFault, layout_of
from lounge.credentials.registers import Registers
from lounge.credentials.rows import Rows
from lounge.credentials.snapshots import Import, ImportFault, Telling
from storage import applications, identities, registers
from storage.database import Database
from tests.scale import nppes
from tests.stores import START, Clock, Stores, add_ana, open_stores
from web.cli import main

PHYSICIAN = {
    "NPI": nppes.npi(1),
    "Entity Type Code": "1",
    "Provider Last Name (Legal Name)": "O'BRIEN",
    "Provider First Name": "ANA",
    "Provider Middle Name": "M",
    "Provider Other Last Name": "GARCÍA",
    "Healthcare Provider Taxonomy Code_1": "207RC0000X",
}
GMC = (
    "GMC Ref No,Surname,Given Name,Other Names,Registration Status\n"
    "1234567,Roy,Chiara,Maria Pia,Registered with Licence\n"
    "2345678,Lee,Ben,,Registered without a licence to practise\n"
    "3456789,Poe,Dan,,Suspended\n"
    "4567890,Fox,Olga,,Not Registered - Erased After Fitness to Practise Panel Hearing\n"
)
MAPPING = """
register = "ca-on.cpso"
delimiter = ";"
date = "%d/%m/%Y"
[columns]
number = "No"
family = "Nom"
given = ["Prénom", "Autres"]
status = "Statut"
until = "Fin"
[status]
"Actif" = "good"
"Radié" = "suspended"
"""


class Told:
    """What an operator would read."""

    def __init__(self) -> None:
        self.broken: list[tuple[int, str]] = []
        self.telling = Telling(lambda *row: self.broken.append(row), _nothing, _nothing)


def _nothing(*_: int) -> None:
    pass


async def take(
    identity: Database, text: str | bytes, layout: str = "nppes", *, smaller: bool = False
) -> list[tuple[int, str]]:
    """Import; returns the broken rows."""
    told = Told()
    stream = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    rows = Rows(stream, layout_of(layout))
    await Import(identity, rows, told.telling, smaller=smaller, clock=Clock()).run()
    return told.broken


async def said(
    identity: Database, body: str, licence: str, name: str = "Ana O’Brien", now: int = START
) -> tuple[str, str] | None:
    """Verdict and reason of the source."""
    claim = Claim("id", "ana@clinic.test", name, "US", None, "x", "specialist", body, licence)
    finding = await Registers(identity, Clock(now)).examine(claim)
    if finding is None:
        return None
    assert (finding.public, finding.strong) == (True, False)
    assert finding.covers == LICENCE
    return finding.verdict, finding.reason


def file_of(*rows: dict[str, str]) -> str:
    return nppes.head() + "".join(nppes.line_of(row) for row in rows)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("Dr. Ana O’Brien", "agrees"),
        ("ana garcia", "agrees"),
        ("O Brien, Ana Maria", "agrees"),
        ("Ana Smith", "disagrees"),
        ("Moira O'Brien", "disagrees"),
        ("A. O'Brien", "disagrees"),
    ],
)
def test_a_name_is_compared_without_case_accents_and_order(name: str, verdict: str) -> None:
    kept = as_kept(("O'BRIEN", "ANA M"), ("García", "ANA"))
    assert kept
    assert same_person(name, kept) is (verdict == "agrees")


def test_a_claimed_name_says_no_more_than_the_one_that_a_house_tells() -> None:
    assert same_name("Dr Ana Do", "Ana-Maria DO")
    assert not same_name("Ana", "Ana Roy")
    assert not same_name("Ana Roy John Smith", "Ana Roy")  # nor somebody else besides
    assert not same_name("Ana Roy", "Ana Lee")
    assert folded("Søren Ångström-Łuk") == ["soren", "angstrom", "luk"]


async def test_a_physician_is_found_by_her_number_and_name(stores: Stores) -> None:
    nurse = {**PHYSICIAN, "NPI": nppes.npi(2), "Healthcare Provider Taxonomy Code_1": "163W00000X"}
    resident = {**nurse, "NPI": nppes.npi(3), "Healthcare Provider Taxonomy Code_2": "390200000X"}
    left = {"NPI": nppes.npi(4), "NPI Deactivation Date": "03/14/2019"}
    back = {**PHYSICIAN, **left, "NPI": nppes.npi(5), "NPI Reactivation Date": "03/15/2019"}
    house = {"NPI": nppes.npi(6), "Entity Type Code": "2"}
    assert await said(stores.identity, "us.npi", nppes.npi(1)) is None
    assert await take(stores.identity, file_of(PHYSICIAN, nurse, resident, left, back, house)) == []
    for n, verdict, reason in (
        (1, "agrees", "register_agrees"),
        (2, "disagrees", "register_no_doctor"),
        (3, "unknown", "register_trainee"),
        (4, "disagrees", "licence_expired"),
        (5, "agrees", "register_agrees"),
        (6, "disagrees", "register_no_doctor"),
        (7, "unknown", "register_unknown"),
    ):
        assert await said(stores.identity, "us.npi", nppes.npi(n)) == (verdict, reason), n
    found = await said(stores.identity, "us.npi", nppes.npi(1), name="Ben O'Brien")
    assert found == ("disagrees", "register_name")


async def test_broken_rows_are_told_by_line_and_stop_nothing(stores: Stores) -> None:
    good = [nppes.line_of({**PHYSICIAN, "NPI": nppes.npi(n)}) for n in range(5)]
    unclosed = good[1].replace('"ANA"', '"ANA', 1).replace('"M"', "M", 1)
    lines = [
        nppes.head(),  # 1
        good[0],
        unclosed,  # 3
        good[1],
        good[2][:40] + "\n",  # 5
        nppes.line_of({**PHYSICIAN, "NPI": "1234567890"}),  # 6
        "\n",
        nppes.line_of({**PHYSICIAN, "NPI": nppes.npi(8), "Provider Last Name (Legal Name)": ""}),
        good[2],
        good[3].replace("ANA", "A\0NA"),  # 10
        good[4],
    ]
    broken = await take(stores.identity, "".join(lines))
    assert [line for line, _ in broken] == [3, 5, 6, 8, 10]
    assert "check digit" in dict(broken)[6]
    for n in (0, 1, 2, 4):
        assert await said(stores.identity, "us.npi", nppes.npi(n)) == ("agrees", "register_agrees")


async def test_a_field_may_hold_a_line_break_and_an_old_export_other_letters(
    stores: Stores, tmp_path: Path
) -> None:
    mapping = tmp_path / "ontario.toml"
    mapping.write_text(MAPPING, "utf-8")
    text = (
        "No;Nom;Prénom;Autres;Statut;Fin\n"
        '12345;"O\'Brien";"Ana\nMaria";;Actif;31/12/2027\n'
        "12346;Côté;Denis;;Radié;\n"
        "12347;Roy;Ana;;Inconnu;\n"
        "12348;Roy;Ana;;Actif;2027-12-31\n"
        "x;Roy;Ana;;Actif;\n"
    )
    broken = await take(stores.identity, text.encode("cp1252"), str(mapping))
    assert [line for line, _ in broken] == [5, 6, 7]
    last_day = 1_830_297_599_000  # 2027-12-31T23:59:59Z
    for number, name, now, verdict in (
        ("12345", "Ana O'Brien", last_day, "agrees"),
        ("12345", "Ana O'Brien", last_day + 1000, "disagrees"),
        ("12346", "Denis Cote", START, "disagrees"),
    ):
        found = await said(stores.identity, "ca-on.cpso", number, name, now)
        assert (found or ("",))[0] == verdict, number


async def test_only_a_licence_to_practise_counts_in_the_gmc_export(stores: Stores) -> None:
    assert await take(stores.identity, "\ufeff" + GMC, "gmc") == []
    for number, name, reason in (
        ("1234567", "Chiara Roy", "register_agrees"),
        ("1234567", "Maria Roy", "register_agrees"),
        ("2345678", "Ben Lee", "licence_expired"),
        ("3456789", "Dan Poe", "licence_suspended"),
        ("4567890", "Olga Fox", "licence_suspended"),
    ):
        found = await said(stores.identity, "gb.gmc", number, name)
        assert (found or ("", ""))[1] == reason, number


async def test_a_new_snapshot_takes_the_place_of_the_old_one_at_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lounge.credentials.snapshots.RUN_ROWS", 3)
    monkeypatch.setattr("lounge.credentials.snapshots.PIECE_ROWS", 2)
    monkeypatch.setattr("lounge.credentials.snapshots.BREATH_SECONDS", 0)
    everybody = [{**PHYSICIAN, "NPI": nppes.npi(n)} for n in range(10)]
    await take(stores.identity, file_of(*everybody))
    written = registers.append
    looked: list[tuple[str, str] | None] = []

    async def append(*arguments: object) -> None:
        await written(*arguments)  # type: ignore[arg-type]
        looked.append(await _seen_apart(stores))

    monkeypatch.setattr("storage.registers.append", append)
    renamed = [{**each, "Provider Last Name (Legal Name)": "NEW"} for each in everybody]
    await take(stores.identity, file_of(*renamed, {**renamed[0], "Provider First Name": "OLGA"}))
    assert looked
    assert set(looked) == {("agrees", "register_agrees")}
    assert await said(stores.identity, "us.npi", nppes.npi(9), "Ana New") == (
        "agrees",
        "register_agrees",
    )
    twice = await said(stores.identity, "us.npi", nppes.npi(0), "Olga New")
    assert twice == ("agrees", "register_agrees")  # the later of two rows
    async with stores.identity.reading() as connection:
        current = await registers.current(connection, "us.npi")
        assert current
        assert await registers.cleared(connection, 1, START) is None  # nothing is left of the old


async def _seen_apart(stores: Stores) -> tuple[str, str] | None:
    """By another process, while the import writes."""
    other = Database(stores.identity.url.render_as_string(hide_password=False))
    try:
        return await said(other, "us.npi", nppes.npi(9))
    finally:
        await other.close()


async def test_what_an_import_left_is_cleared_by_the_next(stores: Stores) -> None:
    async with stores.identity.writing() as connection:
        id = await registers.begin(connection, "us.npi", START - 61_000)
        assert id
        rows: list[registers.Row] = [(nppes.npi(n), "x/y", None, None) for n in range(3)]
        await registers.append(connection, id, 0, sorted(rows), START - 61_000)
    await take(stores.identity, file_of(PHYSICIAN))
    async with stores.identity.reading() as connection:
        assert await registers.cleared(connection, 1, START) is None
        current = await registers.current(connection, "us.npi")
    assert current
    assert (current.entries, current.runs) == (1, 1)


async def test_two_imports_of_one_register_do_not_run_at_once(stores: Stores) -> None:
    async with stores.identity.writing() as connection:
        assert await registers.begin(connection, "us.npi", START)
    with pytest.raises(ImportFault, match="another import"):
        await take(stores.identity, file_of(PHYSICIAN))
    assert await take(stores.identity, GMC, "gmc") == []


async def test_half_a_file_puts_nobody_out(stores: Stores) -> None:
    await take(stores.identity, file_of(*({**PHYSICIAN, "NPI": nppes.npi(n)} for n in range(5))))
    with pytest.raises(ImportFault, match="--smaller"):
        await take(stores.identity, file_of(PHYSICIAN, {**PHYSICIAN, "NPI": nppes.npi(2)}))
    with pytest.raises(ImportFault, match="no row"):
        await take(stores.identity, nppes.head(), smaller=True)
    assert await said(stores.identity, "us.npi", nppes.npi(4)) == ("agrees", "register_agrees")
    await take(stores.identity, file_of(PHYSICIAN), smaller=True)
    assert await said(stores.identity, "us.npi", nppes.npi(4)) == ("unknown", "register_unknown")


async def test_a_file_of_another_layout_is_refused_and_changes_nothing(
    stores: Stores, tmp_path: Path
) -> None:
    with pytest.raises(LayoutFault, match="no column 'NPI'"):
        await take(stores.identity, GMC)
    with pytest.raises(LayoutFault, match="no layout"):
        layout_of(str(tmp_path / "none.toml"))
    wrong = tmp_path / "wrong.toml"
    for text, why in (
        ("register = 1", "body's id"),
        ('register = "gb.gmc"\n[columns]\nnumber = "n"', "must name"),
        ('register = "gb.gmc"\ncolor = 1', "does not know color"),
        (MAPPING.replace('"good"', '"fine"'), "a status is one of"),
    ):
        wrong.write_text(text)
        with pytest.raises(LayoutFault, match=why):
            layout_of(str(wrong))


async def test_whom_a_register_licenses_is_examined_again_after_its_import(stores: Stores) -> None:
    doctors = stores.doctors()
    await add_ana(doctors)
    async with stores.identity.writing() as connection:
        found = await identities.by_email(connection, "ana@clinic.test")
        assert found
        ana = found[0].id
        await applications.amend(connection, ana, body="us.npi", licence=nppes.npi(1))
        await applications.ask_anew(connection, ana, START + 1)
    await take(stores.identity, GMC, "gmc")
    async with stores.identity.reading() as connection:
        assert not await applications.any_due(connection, START)
    await take(stores.identity, file_of(PHYSICIAN))
    async with stores.identity.reading() as connection:
        assert await applications.any_due(connection, START)
    doctors.close()


async def test_sign_in_goes_on_beside_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lounge.credentials.snapshots.PIECE_ROWS", 100)
    async with open_stores(tmp_path) as stores:
        other = Database(stores.identity.url.render_as_string(hide_password=False))
        doctors = stores.doctors()
        code = await add_ana(doctors)
        await doctors.set_password("ana@clinic.test", code, "long enough", address="")
        text = nppes.head() + "".join(nppes.rows(2_000))
        importing = asyncio.create_task(take(other, text))
        signed_in = 0
        while not importing.done():
            await doctors.sign_in("ana@clinic.test", "long enough", label="", address="")
            signed_in += 1
            await asyncio.sleep(0)
        assert importing.result() == []
        assert signed_in > 3
        doctors.close()
        await other.close()


def test_the_command_takes_a_pipe_and_tells_broken_rows_by_line(tmp_path: Path) -> None:
    env = {"LOUNGE_DATA": str(tmp_path), "LOUNGE_DEMO": "", "LOUNGE_BENCH": ""}
    command = ["register", "import", "-", "--layout", "gmc"]
    taken = CliRunner().invoke(main, command, input=GMC + "broken\n", env=env)
    assert taken.exit_code == 0, taken.output
    assert taken.stderr == "line 6: 1 columns instead of 5\n"
    assert taken.stdout == (
        "gb.gmc: 4 rows are looked up from now on. 1 broken rows were passed over.\n"
    )
    missing = CliRunner().invoke(main, ["register", "import", "none", "--layout", "gmc"], env=env)
    assert missing.exit_code == 1
    assert missing.stderr == "none cannot be read: No such file or directory\n"
