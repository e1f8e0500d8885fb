"""Numbers, dates and addresses of nobody, as they are written: right in their check digits."""

from __future__ import annotations

import string
from collections.abc import Callable
from random import Random

import phonenumbers
from babel import Locale
from stdnum import luhn
from stdnum.ca import bc_phn
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.iso7064 import mod_97_10
from stdnum.us import ssn


def value(slot: str, language: str, lot: Random) -> str:
    """What stands in {slot}."""
    return _VALUES[slot](language, lot)


def is_value(slot: str) -> bool:
    return slot in _VALUES


def _digits(lot: Random, count: int, first: str = string.digits) -> str:
    return lot.choice(first) + "".join(lot.choices(string.digits, k=count - 1))


def _letters(lot: Random, count: int) -> str:
    return "".join(lot.choices("ABCDEGHJKLMNPRSTVWXYZ", k=count))


def _grouped(number: str, lot: Random, *groups: int) -> str:
    gap = lot.choice((" ", "-", ""))
    if not gap:
        return number
    parts, at = [], 0
    for size in groups:
        parts.append(number[at : at + size])
        at += size
    return gap.join(parts)


def _nhs(_: str, lot: Random) -> str:
    while True:
        number = _digits(lot, 10, "4679")
        if nhs.is_valid(number):
            return _grouped(number, lot, 3, 3, 4)


def _ohip(_: str, lot: Random) -> str:
    body = _digits(lot, 9, "123456789")
    version = lot.choice(("", " " + _letters(lot, 2)))
    return _grouped(body + luhn.calc_check_digit(body), lot, 4, 3, 3) + version


def _phn(_: str, lot: Random) -> str:
    while True:
        body = "9" + _digits(lot, 8)
        number = body + bc_phn.calc_check_digit(body)
        if bc_phn.is_valid(number):
            return _grouped(number, lot, 4, 3, 3)


def _ramq(_: str, lot: Random) -> str:
    month = lot.randint(1, 12) + lot.choice((0, 50))
    body = f"{lot.randint(30, 99)}{month:02}{lot.randint(1, 28):02}{lot.randint(10, 99)}"
    return _grouped(_letters(lot, 4) + body, lot, 4, 4, 4)


def _mbi(_: str, lot: Random) -> str:
    """Eleven signs: figures and letters take turns as the Medicare beneficiary identifier has it."""
    said = "".join(
        _digits(lot, 1, "123456789") if sort == "9" else _letters(lot, 1) for sort in "9AA99A99AA99"
    )
    first, second, third = said[:2] + said[2] + said[3], said[5] + said[6] + said[7], said[8:]
    return lot.choice(("-", "")).join((first, second, third))


def _ssn(_: str, lot: Random) -> str:
    while True:
        number = f"{lot.randint(1, 665):03}-{lot.randint(1, 99):02}-{lot.randint(1, 9999):04}"
        if ssn.is_valid(number):
            return lot.choice((number, number.replace("-", " ")))


def _sin(_: str, lot: Random) -> str:
    body = _digits(lot, 8, "1234567")
    return _grouped(body + luhn.calc_check_digit(body), lot, 3, 3, 3)


def _nir(_: str, lot: Random) -> str:
    body = f"{lot.choice('12')}{lot.randint(30, 99)}{lot.randint(1, 12):02}{lot.randint(1, 95):02}"
    body += f"{lot.randint(1, 999):03}{lot.randint(1, 999):03}"
    number = body + nir.calc_check_digits(body)
    return lot.choice((number, nir.format(number)))


def _iban(_: str, lot: Random) -> str:
    bank = _letters(lot, 4) + _digits(lot, 14)
    number = "GB" + mod_97_10.calc_check_digits(bank + "GB") + bank
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def _card(_: str, lot: Random) -> str:
    body = "4" + _digits(lot, 14)
    return _grouped(body + luhn.calc_check_digit(body), lot, 4, 4, 4, 4)


def _phone(language: str, lot: Random) -> str:
    while True:
        region, forms = lot.choice(_PHONES[language])
        number = "".join(_digits(lot, 1) if sign == "#" else sign for sign in lot.choice(forms))
        try:
            told = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(told):
            return number


def _email(_: str, lot: Random) -> str:
    who = lot.choice(("m.karlsen", "joanna77", "t_obrecht", "p-dufresnoy", "kl.varga"))
    where = lot.choice(
        ("gmail.com", "hotmail.fr", "hospital.example.org", "videotron.ca", "gmx.net")
    )
    return f"{who}{lot.randint(1, 99)}@{where}"


def _url(_: str, lot: Random) -> str:
    number = lot.randint(10_000, 999_999)
    return lot.choice(
        (
            f"https://portal.example.org/patients/{number}",
            f"https://www.example.com/visit?mrn={number}",
            f"http://10.{lot.randint(0, 255)}.33.14/records/{number}",
            f"https://photos.example.net/album/{_letters(lot, 6).lower()}{number}",
        )
    )


def _plate(language: str, lot: Random) -> str:
    if language == "fr":
        return f"{_letters(lot, 2)}-{lot.randint(100, 999)}-{_letters(lot, 2)}"
    return lot.choice(
        (
            f"{_letters(lot, 4)} {lot.randint(100, 999)}",
            f"{_letters(lot, 2)}{_digits(lot, 2)} {_letters(lot, 3)}",
        )
    )


def _address(language: str, lot: Random) -> str:
    number, street = lot.randint(2, 2400), lot.choice(_STREETS[language])
    if language == "fr":
        return lot.choice((f"{number}, {street}", f"{number} {street}", f"{number} bis {street}"))
    return lot.choice((f"{number} {street}", f"Apt 4, {number} {street}"))


def _postcode(language: str, lot: Random) -> str:
    letters = "ABCEGHJKLNPRSTVXY"
    if language == "en" and lot.random() < 0.5:
        return f"{lot.choice(('LS', 'EH', 'NE', 'BT'))}{lot.randint(1, 20)} {lot.randint(1, 9)}AB"
    if language == "fr" and lot.random() < 0.3:
        return f"{lot.randint(1, 95):02}{lot.choice(('000', '100', '230', '400'))}"
    one, two, three = (lot.choice(letters) for _ in range(3))
    return f"{one}{lot.randint(1, 9)}{two} {lot.randint(1, 9)}{three}{lot.randint(1, 9)}"


def _date(language: str, lot: Random) -> str:
    day, month, year = lot.randint(13, 28), lot.randint(1, 12), lot.randint(1934, 2024)
    return lot.choice(
        (
            f"{day:02}/{month:02}/{year}",
            f"{year}-{month:02}-{day:02}",
            f"{day:02}.{month:02}.{year}",
        )
    )


def _date_words(language: str, lot: Random) -> str:
    day, year, month = lot.randint(1, 28), lot.randint(1934, 2024), lot.choice(_MONTHS[language])
    if language == "fr":
        return f"{'1er' if day == 1 else day} {month} {year}"
    return lot.choice(
        (f"{day} {month} {year}", f"{month} {day}, {year}", f"{day} {month[:3]} {year}")
    )


def _within(low: int, high: int) -> Callable[[str, Random], str]:
    return lambda _, lot: str(lot.randint(low, high))


def _tenths(low: int, high: int) -> Callable[[str, Random], str]:
    def said(language: str, lot: Random) -> str:
        number = f"{lot.randint(low * 10, high * 10) / 10:.1f}"
        return number.replace(".", ",") if language == "fr" else number

    return said


_MONTHS = {
    language: tuple(Locale(language).months["format"]["wide"].values()) for language in ("en", "fr")
}
_STREETS = {
    "en": (
        "Larch Street",
        "Old Mill Road",
        "Wexford Avenue",
        "Harbour Lane",
        "Cedar Crescent",
        "Kingsway Drive",
        "Priory Close",
        "Tannery Ct",
    ),
    "fr": (
        "rue des Lilas",
        "boulevard Laurier",
        "avenue du Parc",
        "chemin du Moulin",
        "rang Saint-Joseph",
        "impasse des Tilleuls",
        "place de l'Église",
        "route de Vannes",
    ),
}
_PHONES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "en": (
        ("CA", ("(613) ###-####", "709-###-####", "902.###.####", "+1 604 ### ####")),
        ("US", ("1-313-###-####", "(505) ###-####", "+1 907-###-####")),
        ("GB", ("0161 ### ####", "07### ######", "+44 20 #### ####", "+44 7### ######")),
    ),
    "fr": (
        ("CA", ("(418) ###-####", "514-###-####", "819 ###-####", "+1 450 ###-####")),
        ("FR", ("06 ## ## ## ##", "01.##.##.##.##", "+33 6 ## ## ## ##", "04########")),
        ("BE", ("+32 4## ## ## ##",)),
    ),
}
_VALUES: dict[str, Callable[[str, Random], str]] = {
    "nhs": _nhs,
    "ohip": _ohip,
    "phn": _phn,
    "ramq": _ramq,
    "mbi": _mbi,
    "ssn": _ssn,
    "sin": _sin,
    "nir": _nir,
    "iban": _iban,
    "card": _card,
    "phone": _phone,
    "email": _email,
    "url": _url,
    "plate": _plate,
    "address": _address,
    "postcode": _postcode,
    "date": _date,
    "date_words": _date_words,
    "file": lambda _, lot: _digits(lot, lot.randint(6, 9), "123456789"),
    "accession": lambda _, lot: f"{_letters(lot, 2)}{lot.randint(19, 24)}-{_digits(lot, 6)}",
    "account": lambda _, lot: _digits(lot, lot.randint(8, 11), "123456789"),
    "policy": lambda _, lot: f"{_letters(lot, 2)}-{_digits(lot, 4)}-{_digits(lot, 4)}",
    "licence": lambda _, lot: (
        f"{_letters(lot, 1)}{_digits(lot, 4)}-{_digits(lot, 5)}-{_digits(lot, 5)}"
    ),
    "serial": lambda _, lot: f"{_letters(lot, 3)}{_digits(lot, 7)}",
    "old": _within(90, 104),
    "age": _within(19, 88),
    "days": _within(2, 9),
    "dose": _within(5, 900),
    "creat": _within(60, 400),
    "pct": _within(20, 70),
    "gcs": _within(3, 15),
    "hr": _within(50, 140),
    "hr2": _within(30, 60),
    "na": _within(118, 149),
    "k": _tenths(2, 7),
    "hb": _tenths(12, 16),
    "hb2": _tenths(6, 9),
    "bp": lambda _, lot: f"{lot.randint(85, 190)}/{lot.randint(45, 110)}",
    "point": lambda language, lot: lot.choice(
        ("McBurney's", "Erb's") if language == "en" else ("McBurney", "Erb")
    ),
}
