"""Numbers that a word beside them tells to be somebody's: of files, accounts, cards, devices,"
" plates.

Neither check digits nor a country's shape is asked for: the word says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lounge.guard.reach import within
from lounge.guard.shape import set_of
from lounge.guard.span import Span


@dataclass(frozen=True, slots=True)
class _Label:
    """`digits`: the fewest of such a number; a weak one needs a word such as "number" besides."""

    kind: str
    digits: int
    is_weak: bool = False


def labelled(text: str) -> Iterator[Span]:
    """The numbers in `text` that are called a file's, an account's, a device's or the like.

    Raises OutOfReachError, as `plates` and `coded` do, where there are too many.
    """
    for run in within(_RUN.finditer(text), _RUNS):
        token = _token(text, run)
        if token is not None and (label := _label(text, *token)) is not None:
            yield Span(*token, label.kind, f"guard.{label.kind}")


def plates(text: str, words: frozenset[str], shape: bytes) -> Iterator[Span]:
    """Number plates: French ones by their shape, others beside a word such as "plate"."""
    for found in _FRENCH_PLATE.finditer(text) if b"AA-000-AA" in shape else ():
        if not text[max(0, found.start() - 1) : found.start()].isalnum():
            yield _plate(found)
    if not words.isdisjoint(_OF_CARS):
        for found in within(_PLATE.finditer(text), _RUNS):
            if _is_plate(text, found):
                yield _plate(found)


def coded(text: str, words: frozenset[str]) -> Iterator[Span]:
    """Codes of letters and figures after a word such as "serial", "passport" or "licence"."""
    for word in words & _OF_CODES:
        kind = _CODE_KINDS[word.lower()[:4]]
        written = word if len(word) > 1 else f"{word}(?=/)"
        for place in within(re.finditer(written, text), _RUNS):
            found = _CODE.match(text, place.end())
            if found and _is_code(found[1], kind):
                yield Span(*found.span(1), kind, f"guard.{kind}")


def _is_code(written: str, kind: str) -> bool:
    is_gene = kind == _FILE and _GENE.fullmatch(written)
    return sum(map(str.isdigit, written)) >= _FEWEST_IN_CODES and not is_gene


def _token(text: str, run: re.Match[str]) -> tuple[int, int] | None:
    """The run with the letters that belong to it; None when a unit or a year says what it is."""
    head = _HEAD.match(text[max(0, run.start() - 10) : run.start()][::-1])
    tail = _TAIL.match(text, run.end())
    start = run.start() - (len(head[0]) if head else 0)
    end = tail.end() if tail else run.end()
    if _UNIT.match(text, end) or _YEAR.fullmatch(text, start, end):
        return None
    return start, end


def _label(text: str, start: int, end: int) -> _Label | None:
    digits = sum(map(str.isdigit, text[start:end]))
    before = _SENTENCE.split(text[max(0, start - 70) : start])[-1]
    found = _nearest(before, text[start:end])
    if found is not None:
        return found
    if digits >= _MANY:
        after = _AFTER.match(text, end)
        if after is not None:
            return _LABELS[after[1].lower()]
    return None


def _nearest(before: str, token: str) -> _Label | None:
    """The label nearest to the number, if what stands between lets it be one."""
    words, general = [each.lower() for each in _WORDS.findall(before)], None
    for at in range(len(words) - 1, max(-1, len(words) - _FARTHEST - 2), -1):
        label = _LABELS.get(words[at])
        if label is None or not _belongs(label, token, before, words, at):
            continue
        if words[at] not in _GENERAL:
            return label
        general = general or label
    return general


def _belongs(label: _Label, token: str, before: str, words: list[str], at: int) -> bool:
    digits, between = sum(map(str.isdigit, token)), words[at + 1 :]
    if digits < label.digits or (words[at] == "accession" and _GENE.fullmatch(token)):
        return False
    strangers = sum(word not in _FILLING for word in between)
    if _is_marked(before, words, at) and strangers <= _STRANGERS:
        return not label.is_weak or digits >= _MANY or not strangers
    if digits >= _MANY and " " not in token and strangers <= _STRANGERS:
        return not label.is_weak or not between or between[-1] in _IS or digits >= _LONG
    return not strangers and (not label.is_weak or digits >= _LONG)


def _is_marked(before: str, words: list[str], at: int) -> bool:
    """By a sign before the number, or a word for one on either side of the label."""
    return before.rstrip().endswith(_SIGNS) or not _MARKS.isdisjoint(words[max(0, at - 2) :])


def _plate(found: re.Match[str]) -> Span:
    return Span(*found.span(), "plate", "guard.plate")


def _is_plate(text: str, found: re.Match[str]) -> bool:
    digits, letters = sum(map(str.isdigit, found[0])), sum(map(str.isalpha, found[0]))
    if min(digits, letters) == 0 or digits + letters < _SHORTEST_PLATE:
        return False
    around = (
        text[max(0, found.start() - 50) : found.start()]
        + " ~ "
        + text[found.end() : found.end() + 25]
    )
    return bool(_CAR.search(around)) and not _UNIT.match(text, found.end())


_PATIENT, _FILE, _ACCOUNT, _DEVICE, _SOCIAL = (
    "patient_number",
    "file_number",
    "account_number",
    "device_number",
    "social_number",
)
_RUNS = 600
_MANY = 6
_SIGNS = (":", "#", "°", "º", "=")
_LONG = 10
_GENERAL = frozenset({"id", "identifiant", "card", "carte"})  # another word may tell more
_IS = frozenset({"is", "est", "was", "était", "under", "sous", "reads"})
_FARTHEST = 8
_STRANGERS = 4
_FEWEST_IN_CODES = 3
_SHORTEST_PLATE = 5
_RUN = re.compile(
    r"\d(?:[ \u00a0\u202f./-]?[\dA-Z](?=[\dA-Z]{0,3}[ ./-]?\d)|[ \u00a0\u202f./-]?\d){3,40}"
)
_HEAD = re.compile(r"[-/.]?[A-Z\d]{1,8}[-/]?(?![A-Za-z])|[-/]?[A-Z]{1,8}(?![A-Za-z])")
_TAIL = re.compile(r"[-/]?[A-Z\d]{1,6}(?:-[A-Z\d]{1,6})?(?![\w])")
_GENE = re.compile(
    r"[A-Z]{2}\d{6}|[A-Z]\d{5}|[NX][CMPRGTWZ]_?\d{6,9}"
)  # GenBank's accession numbers
_YEAR = re.compile(r"(?:19|20)\d\d(?:[-/](?:19|20)?\d\d)?|\d{2,3}/\d{2,3}")  # or a pressure
_UNIT = re.compile(
    r"[ \u00a0\u202f]?(?:mg|g|kg|µg|mcg|ng|pg|m[lL]|d[lL]|mm3?|cm|%|UI|IU|U/|mU|k?Da|[mnµp]?mol"
    r"|mEq|copies|cells?|cellules|copies"
    r"|[/×x]\d|/(?:mm|µ|m|L|d)|µ|bpm|kcal|kJ|Hz|Gy|euros?|dollars?|€|\$|years?|ans|patients?"
    r"|days?|jours?|hours?|heures?"
    r"|sujets|subjects|participants|women|men|steps|pas|beats|leu[ck]o\w*|plaq\w*"
    r"|platelets)(?![\w-])"
)
_SENTENCE = re.compile(r"(?<=[^\W\d]{3})[.!?][ \n]+(?=[^\W\d])")
_WORDS = re.compile(r"(?:[ldnsm]|qu)['’](?=\w)|[^\W\d_]+(?:['’.&/][^\W\d_]+)*|n[°º]|#")


def _labels() -> dict[str, _Label]:
    found: dict[str, _Label] = {}

    def put(kind: str, words: str, digits: int = 4, *, is_weak: bool = False) -> None:
        found.update({word: _Label(kind, digits, is_weak) for word in words.split()})

    put(
        _FILE,
        "mrn mrns m.r.n dossier dossiers chart charts nda iep accession séjour encounter ipp nip"
        " hospitalnumber",
    )
    put(
        _FILE,
        "file files record records case specimen échantillon prélèvement admission visit hospital",
        is_weak=True,
    )
    put(
        _FILE,
        "patient visite hôpital order prescription ordonnance examen requisition requête cas study",
        is_weak=True,
    )
    put(_FILE, "urn unit", 5, is_weak=True)
    put(
        _PATIENT,
        "nhs chi ohip hin phin hsn uli ahcip ahc hcn ramq nam msp bcphn nhi ihi dva mbi hicn aramm",
        7,
    )
    put(
        _PATIENT,
        "phn mcp medicare medicaid vitale soleil carecard hcip health santé maladie asm",
        7,
    )
    put(
        _SOCIAL,
        "ssn sin nas nir insee nino ppsn pps itin ssa nin nino bsn pesel aadhaar tfn itin abn"
        " nirpp social sociale",
        7,
    )
    put(_SOCIAL, "ss tin ni national tax", 7, is_weak=True)
    put(_SOCIAL, "sécu sécurité security assurance-sociale", 7)
    put(
        _ACCOUNT,
        "account accounts acct compte comptes policy police member membre adhérent adhérente"
        " beneficiary",
        4,
    )
    put(
        _ACCOUNT,
        "bénéficiaire subscriber mutuelle assuré assurée iban rib claim sinistre réclamation"
        " facture invoice",
    )
    put(
        _ACCOUNT,
        "licence license permis passport passeport certificate certificat npi dea matricule folio"
        " allocataire contract contrat rpps adeli gmc cpso cmq cnom",
        4,
    )
    put(
        _ACCOUNT,
        "transit client cliente visa mastercard amex insurance insurer assurance plan group",
        5,
        is_weak=True,
    )
    put(
        _ACCOUNT,
        "card carte identity identité badge id identifiant fiscal caf crédit credit bancaire",
        5,
        is_weak=True,
    )
    put(_DEVICE, "serial série s/n sn imei udi meid", 4)
    put(
        _DEVICE,
        "device pacemaker stimulateur défibrillateur icd dai implant prosthesis prothèse pump"
        " pompe",
        5,
        is_weak=True,
    )
    put(
        _DEVICE,
        "valve lead sonde cgm sensor capteur glucometer glucomètre appareil dispositif modèle"
        " model",
        5,
        is_weak=True,
    )
    put(_DEVICE, "cpap ventilator stent générateur generator boîtier", 5, is_weak=True)
    put("plate", "vin plate plates plaque immatriculation", 5)
    return found


def _cased(words: str) -> frozenset[str]:
    return frozenset(
        each for word in words.split() for each in (word, word.capitalize(), word.upper())
    )


_LABELS = _labels()
_MARKS = set_of(
    "no n n° nº n.o number numbers numéro numero num nr nb # id identifiant",
    "identifier identification code ref réf reference référence no. matricule",
)
_FILLING = _MARKS | set_of(
    "is was est était the le la l l' du de des d of his her their son sa ses ce this",
    "that my sous under hospital hôpital card carte health santé patient patiente",
    "medical médical médicale record file dossier unit insurance assurance maladie",
    "social sociale security sécurité sécu plan license licence driver's driver’s",
    "driver driving conduire permis account compte policy police bank banque bancaire",
    "serial série device d'assuré d'assurance d’assurance d'adhérent d’adhérent",
    "d'identification d’identification reads being currently member membre electronic",
    "registered enregistré enregistrée attribué given issued",
)
_AFTER = re.compile(
    r"[ ,]{0,2}\(?(?:(?:is|was|est|as|comme|on|in|sur|for|under|sous) )?(?:the |her |his |their "
    r"|a |son |sa |le |la |patient'?s? |hospital )?"
    r"(?:n[°º] |numéro d[eu]'? ?|number of )?"
    r"\b(mrn|ipp|nip|nhs|ohip|phn|ramq|nam|ssn|sin|nas|nir|chart|dossier|file|account|compte"
    r"|policy|passport|passeport|social|sécu"
    r"|licence|license|permis|serial|série|medicare|nda|accession)\b",
    re.IGNORECASE,
)
_OF_CARS = _cased(
    "plate plates plaque plaques immatriculation immatriculé immatriculée registration reg"
    " vehicle véhicule voiture car vin"
    " camion truck van motorcycle moto"
)
_CAR = re.compile(
    r"\b(?:plates?|plaques?|immatricul\w+|registration|reg|vehicle|véhicule|voiture|(?:the|his"
    r"|her|their) car|vin|camion|truck|van|motorcycle|moto)\b",
    re.IGNORECASE,
)
_PLATE = re.compile(
    r"(?<![\w-])(?:[A-HJ-NPR-Z0-9]{17}|[A-Z]{1,4}[ -]?\d{1,4}(?:[ -]?[A-Z]{1,3})?"
    r"|\d{1,4}[ -]?[A-Z]{1,4}(?:[ -]?\d{1,4})?)(?![\w-])"
)
_FRENCH_PLATE = re.compile(r"[A-HJ-NP-TV-Z]{2}-\d{3}-[A-HJ-NP-TV-Z]{2}(?![\w-])")
_OF_CODES = _cased(
    "serial série s passport passeport licence license permis member adhérent policy police udi"
    " dea account compte mbi"
    " medicare nino nhi accession chart dossier mrn"
)
_CODE = re.compile(
    r"(?:/[nN])?(?: de conduire)?(?: (?:no|n|number|num|id|card)\b\.?| ?n[°º]| numéro| #){0,3}"
    r"(?: (?:is|was|est|:|=)|[:=#])? ?([A-Z\d](?=[A-Z\d-]{0,20}\d)[A-Z\d-]{4,22})(?!\w)",
    re.IGNORECASE,
)
_CODE_KINDS = {
    **dict.fromkeys(("seri", "séri", "s", "udi"), _DEVICE),
    **dict.fromkeys(
        ("pass", "lice", "perm", "memb", "adhé", "poli", "dea", "acco", "comp"), _ACCOUNT
    ),
    "nino": _SOCIAL,
    **dict.fromkeys(("mbi", "medi", "nhi"), _PATIENT),
    **dict.fromkeys(("acce", "char", "doss", "mrn"), _FILE),
}
