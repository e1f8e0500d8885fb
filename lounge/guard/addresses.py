"""Street addresses with their number, post boxes, and postal codes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lounge.guard.shape import set_of
from lounge.guard.span import Span

_STREET = "address"
_CODE = "postcode"


def addresses(text: str, words: frozenset[str]) -> Iterator[Span]:
    """Streets with a number, in English and French, and post boxes."""
    for pattern in _asked(text, words):
        for found in pattern.finditer(text):
            if not _is_figure(text, found.start()):
                yield Span(*found.span(), _STREET, f"guard.{_STREET}")
    for found in _PLAIN.finditer(text) if not words.isdisjoint(_PLAIN_STREETS) else ():
        if (found[1] or "") not in _NO_NAMES and not _is_figure(text, found.start()):
            yield Span(*found.span(), _STREET, f"guard.{_STREET}", "soft")


def _asked(text: str, words: frozenset[str]) -> Iterator[re.Pattern[str]]:
    """Those that one of its words may be of."""
    if not words.isdisjoint(_ENGLISH_STREETS):
        yield _ENGLISH
    if not words.isdisjoint(_FRENCH_STREETS):
        yield _FRENCH
    if not words.isdisjoint(_BOXES) or any(box in text for box in _BOX_SIGNS):
        yield _BOX


def postcodes(text: str, shape: bytes) -> Iterator[Span]:
    """Canadian and British ones by their shape; five figures beside a town, a state or such a word."""
    for found in _CANADIAN.finditer(text) if _LETTERED.search(shape) else ():
        start = found.start() - 1
        if start < 0 or text[start] not in _FIRST or _is_before_word(text, start):
            continue
        if found[1] or _is_likely(text, start, found.end()):
            yield Span(start, found.end(), _CODE, f"guard.{_CODE}")
    for found in _BRITISH.finditer(text) if b" 0AA" in shape else ():
        if found[1] in _AREAS and not _is_before_word(text, found.start()):
            yield _code(found)
    for found in _FIVE.finditer(text) if b"00000" in shape else ():
        if (span := _of_figures(text, found)) is not None:
            yield span


def _is_likely(text: str, start: int, end: int) -> bool:
    """Written together, it might as well be a stage, a level of the spine, a sign or a formula."""
    before = text[max(0, start - 60) : start]
    is_other = _STAGE.fullmatch(text[start:end].upper())
    is_told = _NAMED.search(before) or _HOME.search(before) or _ENDS.search(before)
    return not is_other and bool(is_told or _NAMED_AFTER.match(text, end))


def _code(found: re.Match[str]) -> Span:
    return Span(*found.span(), _CODE, f"guard.{_CODE}")


def _is_figure(text: str, start: int) -> bool:
    """The end of a longer number, or of a word."""
    before = text[max(0, start - 2) : start]
    return before[-1:].isalnum() or (before[-1:] in ".,/-" and before[:1].isdigit())


def _is_before_word(text: str, start: int) -> bool:
    return start > 0 and (text[start - 1].isalnum() or text[start - 1] in "-.*")


def _of_figures(text: str, found: re.Match[str]) -> Span | None:
    start, end = found.span()
    before = text[max(0, start - 60) : start]
    if _is_figure(text, start):
        return None
    if _NAMED.search(before):
        return _code(found)
    if state := _STATE.search(before):
        return Span(start, end, _CODE, f"guard.{_CODE}", "hard" if state[1] or found[1] else "soft")
    if _LIVES.search(before) and _IN.search(before):
        return _code(found)
    if found[1] is None and _TOWN.match(text, end) and _DEPARTMENT.match(found[0]):
        level = "hard" if _HOME.search(before) or _ENDS.search(before) else "soft"
        return Span(start, end, _CODE, f"guard.{_CODE}", "hard" if level == "hard" else "soft")
    return None


_ENGLISH_STREETS = set_of(
    "Street St Avenue Ave Av Road Rd Drive Lane Ln Boulevard Blvd Court Crescent Cres",
    "Place Way Terrace Square Highway Hwy Close Gardens Gdns Grove Row Parkway Pkwy",
    "Circle Trail Mews Hill Walk Line Sideroad Concession Quay Rise Vale View Green",
    "Lodge Crossing Loop Pike Turnpike Alley Esplanade Promenade Heights Landing Dr Ct Pl",
)
_FRENCH_STREETS = set_of(
    "rue Rue avenue Avenue av Av boulevard Boulevard boul Boul bd Bd blvd Blvd bvd chemin Chemin",
    "ch Ch allée allées Allée Allées place Place pl Pl impasse Impasse route Route rte Rte rang Rang",
    "montée Montée quai Quai cours Cours square Square côte Côte passage Passage ruelle Ruelle",
    "voie Voie résidence Résidence lotissement Lotissement faubourg Faubourg fg Fg sentier Sentier",
    "croissant Croissant terrasse Terrasse hameau Hameau cité Cité esplanade Esplanade promenade",
    "Promenade carrefour Carrefour carré Carré traverse Traverse villa Villa",
)
_PLAIN_STREETS = set_of(
    "street avenue road boulevard crescent lane drive rue chemin allée impasse rang"
)
_BOXES = set_of("Box box BOX postale BP CP")
_BOX_SIGNS = ("C.P.", "B.P.")
_S = "[ \u00a0\u202f]"
_WORD = r"[A-ZÀ-ÝŒ0-9][\w'’.-]{0,30}"
_ENGLISH = re.compile(
    rf"\d{{1,5}}(?:[A-Za-z]|-\d{{1,4}}"
    rf"|{_S}?½)?,?{_S}(?:[NSEW]\.?[EW]?\.?{_S})?(?:{_WORD}{_S}){{1,4}}"
    r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Drive|Lane|Ln|Boulevard|Blvd|Court|Crescent|Cres|Place"
    r"|Way|Terrace|Square"
    r"|Highway|Hwy|Close|Gardens|Gdns|Grove|Row|Parkway|Pkwy|Circle|Trail|Mews|Hill|Walk|Line"
    r"|Sideroad|Concession|Quay"
    r"|Rise|Vale|View|Green|Lodge|Crossing|Loop|Pike|Turnpike|Alley|Esplanade|Promenade|Heights"
    r"|Landing|Dr|Ct|Pl)\b".replace("{_S}", _S)
)
_FRENCH = re.compile(
    rf"\d{{1,5}}(?:{_S}?(?:bis|ter|quater|[A-Da-d]))?,?{_S}(?:[Rr]ue|[Aa]venue|[Aa]v\.?"
    rf"|[Bb]oulevard|[Bb]oul\.?|[Bb]l?v?d\.?|[Cc]hemin"
    rf"|[Cc]h\.|[Aa]llées?|[Pp]lace|[Pp]l\.|[Ii]mpasse|[Rr]oute|[Rr]te|[Rr]ang|[Mm]ontée|[Qq]uai"
    rf"|[Cc]ours|[Ss]quare|[Cc]ôte|[Pp]assage"
    rf"|[Rr]uelle|[Vv]oie|[Rr]ésidence|[Ll]otissement|[Ff]aubourg|[Ff]g|[Ss]entier|[Cc]roissant"
    rf"|[Tt]errasse|[Hh]ameau|[Cc]ité"
    rf"|[Ee]splanade|[Pp]romenade|[Cc]arrefour|[Cc]arré|[Tt]raverse|[Vv]illa)"
    rf"{_S}(?:(?:d[eu]s?|la|le|les|aux?|à|en|sur|sous|principale|haute|basse|grande|petite){_S}"
    rf"|[ld]['’]){{0,3}}(?:{_WORD}|principale|[lL]['’]\w+)"
    rf"(?:(?:-|{_S})[A-ZÀ-Ý][\w'’-]{{1,30}}){{0,3}}"
)
_BOX = re.compile(
    rf"(?:P\.?{_S}?O\.?{_S}?[Bb]ox|PO{_S}?BOX|[Pp]ost{_S}[Bb]ox|C\.P\.|[Cc]ase{_S}postale|B\.P\."
    rf"|[Bb]oîte{_S}postale|(?<!\w)BP(?={_S}\d{{2,6}},?{_S}\d{{5}})"
    rf"|(?<!\w)CP(?={_S}\d{{1,6}},?{_S}[Ss]ucc))"
    rf"(?:{_S}n[°ºo]\.?)?{_S}{{0,2}}\d{{1,6}}\b"
)
_PLAIN = re.compile(
    rf"\d{{1,5}}{_S}([a-z'’.-]{{3,20}})(?:{_S}[a-z'’.-]{{3,20}})?{_S}(?:street|avenue|road"
    rf"|boulevard|crescent|lane|drive)\b(?!{_S}(?:traffic|use|user))"
    rf"|\d{{1,5}},?{_S}(rue|avenue|boulevard|chemin|allée|impasse|rang){_S}(?:d[eu]s?{_S}|la{_S}"
    rf"|de{_S}la{_S}|de{_S}l['’]|l['’]|d['’])?[a-zà-ÿ'’-]{{3,20}}"
)
_NO_NAMES = set_of(
    "the and for with per from into patients children men women cases days hours",
    "weeks months years were was are on kilometres miles metres meters more new",
    "different other busy",
)
_LETTERED = re.compile(rb"0(?:A(?:[ -]?0A0| 0a0)|a ?0a0)")
_FIRST = frozenset("ABCEGHJKLMNPRSTVXYabceghjklmnprstvxy")
_CANADIAN = re.compile(r"\d[A-Za-z]([ \u00a0\u202f-]?)\d[A-Za-z]\d(?!\w)")
_STAGE = re.compile(
    r"T[0-4][A-D]?N[0-3][ABC]?M[01]|[CTLS]\d[CTLS]\d[CTLS]\d|[ABCDE]\d[ABCDE]\d[ABCDE]\d|S1Q3T3"
    r"|C\dH\d[A-Z]\d"
)
_BRITISH = re.compile(
    r"([A-Z]{1,2})\d(?:\d|[A-Z])?[ \u00a0]\d(?!ND|RD|TH|ST)[ABD-HJLNP-UW-Z]{2}(?!\w)"
)
_AREAS = set_of(
    "AB AL B BA BB BD BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH",
    "DL DN DT DY E EC EH EN EX FK FY G GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV",
    "JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR NW OL OX PA PE",
    "PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ",
    "TR TS TW UB W WA WC WD WF WN WR WS WV YO ZE",
)
_FIVE = re.compile(r"\d{5}(-\d{4})?(?![\d.,/%-]\d|\d)")
_NAMED = re.compile(
    r"\b(?:zip(?: ?code)?|postal code|post ?code|code postal|postcode|cp|npa"
    r"|plz)\b[ :=#]{0,3}(?:is |est |n° ?)?(?:le )?$",
    re.IGNORECASE,
)
_NAMED_AFTER = re.compile(r".{0,12}\b(?:zip|postal|postcode|post code)", re.IGNORECASE)
_STATE = re.compile(
    r"(,)?[ \u00a0](?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]"
    r"|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY])"
    r"[.,]?[ \u00a0]$"
)
_TOWN = re.compile(
    rf"{_S}(?!(?:Units?|Patients?|Leu[ck]ocyt\w+|Plaquettes|Platelets|Cells|Copies|Cas|UI|IU"
    rf"|U)\b)(?:[LS][ae]s?{_S})?[A-ZÀ-ÝŒ][a-zà-ÿœ'’-]{{2,}}"
)
_DEPARTMENT = re.compile(r"0[1-9]|[1-8]\d|9[0-8]")
_HOME = re.compile(
    r"\b(?:à|habit\w+|demeur\w+|domicili\w+|résid\w+|adresse|rue|avenue|boulevard|chemin|place"
    r"|route|allée|lives?|address|vit|logée?|déménag\w+|moved|moving|living|based|from|née?"
    r"|originaire)\b",
    re.IGNORECASE,
)
_LIVES = re.compile(
    r"\b(?:habit|demeur|domicili|résid|viv|vit|logé|déménag|liv(?:es?|ing|ed)\b|mov(?:ed?|ing)\b"
    r"|based|resid|originaire|address|adresse)",
    re.IGNORECASE,
)
_IN = re.compile(r"\b(?:in|to|from|near|around|en|au|dans le|à|vers) (?:the |le )?$", re.IGNORECASE)
_ENDS = re.compile(r"[\w)],[ \n]{1,2}$")
