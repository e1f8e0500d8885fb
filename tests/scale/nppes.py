"""NPPES as it is published, made up row by row: its columns, its quotes, nobody in it.

`python -m tests.scale.nppes ROWS` writes to stdout; there is never a file.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping

from stdnum import luhn

HEADS = (
    *("NPI", "Entity Type Code", "Replacement NPI", "Employer Identification Number (EIN)"),
    "Provider Organization Name (Legal Business Name)",
    *("Provider Last Name (Legal Name)", "Provider First Name", "Provider Middle Name"),
    *("Provider Name Prefix Text", "Provider Name Suffix Text", "Provider Credential Text"),
    *("Provider Other Organization Name", "Provider Other Organization Name Type Code"),
    *("Provider Other Last Name", "Provider Other First Name", "Provider Other Middle Name"),
    *("Provider Other Name Prefix Text", "Provider Other Name Suffix Text"),
    *("Provider Other Credential Text", "Provider Other Last Name Type Code"),
    *(
        f"Provider {line}Business {place} Address{part}"
        for place in ("Mailing", "Practice Location")
        for line, part in (
            *(("First Line ", ""), ("Second Line ", "")),
            *(("", " City Name"), ("", " State Name"), ("", " Postal Code")),
            *(("", " Country Code (If outside U.S.)"), ("", " Telephone Number")),
            ("", " Fax Number"),
        )
    ),
    *("Provider Enumeration Date", "Last Update Date", "NPI Deactivation Reason Code"),
    *("NPI Deactivation Date", "NPI Reactivation Date", "Provider Gender Code"),
    *("Authorized Official Last Name", "Authorized Official First Name"),
    *("Authorized Official Middle Name", "Authorized Official Title or Position"),
    "Authorized Official Telephone Number",
    *(
        f"{part}_{n}"
        for n in range(1, 16)
        for part in (
            "Healthcare Provider Taxonomy Code",
            "Provider License Number",
            "Provider License Number State Code",
            "Healthcare Provider Primary Taxonomy Switch",
        )
    ),
    *(
        f"Other Provider Identifier{part}_{n}"
        for n in range(1, 51)
        for part in ("", " Type Code", " State", " Issuer")
    ),
    *("Is Sole Proprietor", "Is Organization Subpart", "Parent Organization LBN"),
    *("Parent Organization TIN", "Authorized Official Name Prefix Text"),
    *("Authorized Official Name Suffix Text", "Authorized Official Credential Text"),
    *(f"Healthcare Provider Taxonomy Group_{n}" for n in range(1, 16)),
    "Certification Date",
)
_PLACE = {head: place for place, head in enumerate(HEADS)}
_FAMILIES = ("SMITH", "GARCIA", "O'BRIEN", "NGUYEN", "DE LA CRUZ", "MUELLER", "OKAFOR", "TREMBLAY")
_GIVEN = ("ANA", "BENJAMIN", "CHIARA", "DENIS", "MOIRA", "OLGA", "OMAR", "DANIEL")
_STEP = 7_368_787  # prime: through all numbers in no order, as NPIs are given out


def line_of(values: Mapping[str, str]) -> str:
    """A row with these values under their heads, the others empty; every field in quotes."""
    fields = [""] * len(HEADS)
    for head, value in values.items():
        fields[_PLACE[head]] = value.replace('"', '""')
    return '"' + '","'.join(fields) + '"\n'


def npi(n: int) -> str:
    """The n-th of a hundred million, each with its check digit."""
    body = f"1{n * _STEP % 100_000_000:08d}"
    return body + luhn.calc_check_digit("80840" + body)


def individual(n: int) -> tuple[str, str, str]:
    """NPI, family and given name of the n-th row."""
    return npi(n), _FAMILIES[n % 8] + _suffix(n // 64), _GIVEN[n // 8 % 8]


def rows(count: int) -> Iterator[str]:
    """So many rows: seven in ten physicians (more than there are: they are the long ones), others,
    organizations, deactivated ones."""
    kinds = [_template(kind) for kind in _KINDS]
    for n in range(count):
        number, family, given = individual(n)
        yield (
            kinds[n % len(kinds)]
            .replace("@NPI", number)
            .replace("@LAST", family)
            .replace("@FIRST", given)
        )


def _template(kind: str) -> str:
    common = {"NPI": "@NPI", "Provider Enumeration Date": "05/23/2005"}
    address = {
        "Provider First Line Business Mailing Address": "1 HOSPITAL DRIVE",
        "Provider Business Mailing Address City Name": "SPRINGFIELD",
        "Provider Business Mailing Address State Name": "NY",
        "Provider Business Mailing Address Postal Code": "100010001",
        "Provider Business Practice Location Address Telephone Number": "2125550100",
        "Last Update Date": "07/08/2020",
    }
    return line_of({**common, **({} if kind == "deactivated" else address), **_KINDS[kind]})


_PERSON = {
    "Entity Type Code": "1",
    "Provider Last Name (Legal Name)": "@LAST",
    "Provider First Name": "@FIRST",
    "Provider Middle Name": "Q",
    "Provider Credential Text": "M.D.",
    "Provider Gender Code": "F",
    "Is Sole Proprietor": "N",
}
_KINDS: dict[str, dict[str, str]] = {
    **{
        f"physician {n}": {
            **_PERSON,
            "Healthcare Provider Taxonomy Code_1": "207RC0000X",
            "Provider License Number_1": "123456",
            "Provider License Number State Code_1": "NY",
            "Healthcare Provider Primary Taxonomy Switch_1": "Y",
        }
        for n in range(7)
    },
    "nurse": {**_PERSON, "Healthcare Provider Taxonomy Code_1": "163W00000X"},
    "organization": {
        "Entity Type Code": "2",
        "Provider Organization Name (Legal Business Name)": "@LAST HOSPITAL",
        "Healthcare Provider Taxonomy Code_1": "282N00000X",
    },
    "deactivated": {"NPI Deactivation Date": "03/14/2019"},
}


def _suffix(n: int) -> str:
    """Letters that make a name one of thousands."""
    letters = ""
    while n:
        n, digit = divmod(n, 26)
        letters += chr(65 + digit)
    return letters


def head() -> str:
    return '"' + '","'.join(HEADS) + '"\n'


def main() -> None:
    """To stdout; one row in a million is broken, at random."""
    count = int(sys.argv[1])
    chance = random.Random(4)
    write = sys.stdout.write
    write(head())
    for line in rows(count):
        write(line if chance.random() > 1e-6 else line[:40] + "\n")


if __name__ == "__main__":
    main()
