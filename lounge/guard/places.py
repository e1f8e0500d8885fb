"""Small places: towns and villages where somebody lives or comes from, hospitals and schools by name.

Countries, provinces and large towns are let through (`large_places.txt`), and so is every place
that nobody is said to belong to: it may be an eponym.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lounge.guard.lists import section
from lounge.guard.reading import (
    BRANDS,
    LARGE_PLACES,
    PLAIN,
    WORD,
    bare,
    is_eponym,
    is_shouted,
)
from lounge.guard.shape import set_of
from lounge.guard.span import Language, Span


def places(text: str, words: frozenset[str], language: Language | None) -> Iterator[Span]:
    """The small places in `text`, ascending, none overlapping; `words` are the text's own."""
    told = 0
    for start, end in sorted(_found(text, words)):
        if start >= told:
            told = end
            yield Span(start, end, "place", "guard.place", "soft")


def _found(text: str, words: frozenset[str]) -> Iterator[tuple[int, int]]:
    if not words.isdisjoint(_LIVING):
        yield from _lived_in(text)
    if not words.isdisjoint(_HOUSES):
        yield from _houses_after(text)
    yield from _houses_before(text, words & _MAISONS)
    if not words.isdisjoint(_SAINTS) and any(part in text for part in _HYPHENS):
        yield from _hyphenated(text)
    for region in words & _REGIONS:
        if f", {region}" in text:
            yield from _with_region(text)
            break


def _lived_in(text: str) -> Iterator[tuple[int, int]]:
    """Only where a capital follows what a cue ends in is the cue read, from its end backwards."""
    for capital in _CAPITAL.finditer(text):
        start = capital.start()
        if (cue := _cue_at(text, start)) is None or not cue.search(text, max(0, start - 64), start):
            continue
        end = _place(text, start)
        if end is not None:
            yield start, end


def _cue_at(text: str, start: int) -> re.Pattern[str] | None:
    """The cues that end as the text before `start` does."""
    if text[start - 1] != " ":
        return _ELIDED
    return _FROM_HERE.get(text[text.rfind(" ", 0, start - 1) + 1 : start - 1].lower())


def _place(text: str, start: int) -> int | None:
    """Where the name of a small place ends that begins at `start`."""
    found = _PLACE.match(text, start)
    if found is None:
        return None
    name = bare(found[0])
    first = re.split(r"[ '’-]", name)[0]
    if first.lower() in _NOT_PLACES and "-" not in name:
        return None
    if _is_large(name) or (is_shouted(first) and len(first) < 5):
        return None
    end = start + len(name)
    if len(name) < _SHORTEST or text[end : end + 1].isdigit():
        return None
    return None if _SERVICE.match(text, end) or is_eponym(text, start, end) else end


def _is_large(name: str) -> bool:
    low = _DIRECTION.sub("", name.lower().replace("’", "'"))
    return (
        low in LARGE_PLACES
        or low.removeprefix("the ") in LARGE_PLACES
        or low.split()[0] in LARGE_PLACES
    )


def _houses_after(text: str) -> Iterator[tuple[int, int]]:
    """Of "Okafor Memorial Hospital": from the house back to the first word of its name."""
    for house in _HOUSE_ENDS.finditer(text):
        start, end = house.span()
        named = _HOUSE_AFTER.search(text, max(0, start - _LONGEST), end)
        if named and _is_named(named[1]) and not is_eponym(text, named.start(), end):
            yield named.start(), end


def _houses_before(text: str, houses: frozenset[str]) -> Iterator[tuple[int, int]]:
    for house in houses:
        for place in re.finditer(house, text):
            named = _HOUSE_BEFORE.match(text, place.start())
            if named and _is_named(named[1]) and not is_eponym(text, *named.span()):
                yield named.span()


def _is_named(name: str) -> bool:
    """Whether the words beside "Hospital" name one: neither "General" nor a country alone."""
    told = [word for word in re.split(r"[ '’-]", name) if word[:1].isupper()]
    own = [word for word in told if word.lower() not in _COMMON and not _is_large(word)]
    return any(word.lower() not in PLAIN and len(word) > 1 for word in own) and not _is_large(name)


def _hyphenated(text: str) -> Iterator[tuple[int, int]]:
    for place in _HYPHENATED.finditer(text):
        start, end = place.span()
        of_disease = _OF_DISEASE.search(text, max(0, start - 24), start)
        if not of_disease and not is_eponym(text, start, end) and not _is_large(place[0]):
            yield start, end


def _with_region(text: str) -> Iterator[tuple[int, int]]:
    for place in _BEFORE_REGION.finditer(text):
        name = place[1]
        if not _is_large(name) and name.split()[0].lower() not in PLAIN:
            yield place.span(1)


_DIRECTION = re.compile(r"^(?:north|south|east|west|central|upper|lower)(?:ern)? ")
_ARTICLES = frozenset(("la", "le", "les", "l"))
_NOT_PLACES = (PLAIN | BRANDS) - _ARTICLES
_OF = "(?:de|du|des|la|le|of|the|on|upon|sur|sous|en) "
_PLACE = re.compile(
    rf"(?:(?:La|Le|Les|L['’]|St\.?|Ste\.?|Mt\.?)[ -]?)?{WORD}(?: (?:{_OF}){{0,2}}{WORD}){{0,3}}"
)
_SERVICE = re.compile(r" (?:department|unit|ward|service|clinic|team)s?\b")
_LIVING = section("cues", "living")
_LIVING |= frozenset(map(str.capitalize, _LIVING))
_FROM = (
    "comes?|came|coming|is|was|originally|hails|moved|referred|transferred|flown|airlifted|drove"
    "|man|woman|boy|girl|child|infant|couple|family|lady|gentleman|patient|farmer|teacher|fisherman"
    "|nurse|worker"
)
_ADOPTED = (
    "habit(?:ent|e|ait|ant)|viv(?:ent|ait|ant)|vit|demeur(?:ent|e|ant)|résid(?:ent|e|ant|ente?)|cultive|domiciliée?|née?"
    "|travaille|déménagée?|installée?|élevée?|grandi"
)
_OUT_OF = (
    "originaire|nati(?:f|ve)|venant|vient|provenant|arrive|village|ville|commune|municipalité"
    "|hameau|paroisse|quartier|bourgade|transférée?|référée?|près"
)
_OUT_OF_THERE = rf"(?:{_OUT_OF})(?: [a-zé]{{3,8}})?"


def _cues(ends: str, *cues: str) -> dict[str, re.Pattern[str]]:
    """What a cue may be that ends in a space after each of `ends`."""
    return {
        end: re.compile(rf"\b(?:{'|'.join(cues)}) {end} $", re.IGNORECASE) for end in ends.split()
    }


_COMMUNITY = "town|village|reserve|band office|nursing station|mayor"
_TREATED = "(?:hospitalis|suivi|vu|opér|trait|admis|soign)[ée]{0,2}s?"
_ADOPTED_THERE = rf"(?:{_ADOPTED})(?: [a-zéèà]{{2,12}}){{0,2}}"
_FROM_HERE = {
    **_cues(
        "in at outside around",
        r"(?:liv(?:es|e|ing|ed)|resid(?:es|ing)|born|raised|grew up|works|working|farm(?:ing|s)?)"
        r"(?: [a-z]{1,12}){0,2}",
        rf"(?:{_COMMUNITY})\b[^.!?\n]{{0,40}}",
    ),
    **_cues(
        "near",
        rf"(?:{_FROM}|liv(?:es?|ing|ed)|resid(?:es|ing)|born|raised|grew up|works|working|farm(?:ing|s)?"
        "|accident|crash|collision|highway|community|cabin|camp)(?: [a-z]{1,12}){0,2}",
    ),
    **_cues("called", "village|town|hamlet|reserve|community"),
    **_cues("nommé appelé", "village|hameau"),
    **_cues("from to", rf"(?:{_FROM})(?: up| over| down| in| here)?"),
    **_cues(
        "of", "resident|native|village|town|hamlet|suburb|community|municipality|county|parish"
    ),
    **_cues("à", _ADOPTED_THERE, _TREATED),
    **_cues("au aux en", _ADOPTED_THERE),
    **_cues("d' d’", rf"{_ADOPTED_THERE} près"),
    **_cues("le", rf"{_ADOPTED_THERE} dans"),
    **_cues("de", _ADOPTED_THERE, _OUT_OF_THERE),
    **_cues("du des", _OUT_OF_THERE),
}
_ELIDED = re.compile(rf"\b(?:{_OUT_OF}) d['’]$", re.IGNORECASE)
_CAPITAL = re.compile("[A-ZÀ-ÖØ-Þ](?<=[ '’].)")
_HOUSES = section("cues", "houses")
_COMMON = section("cues", "common")
_HOUSE = (
    "Hospital|Clinic|Infirmary|Hospice|Lodge|School|Academy|College|Church|Parish|Mosque|Manor"
    "|Residence|Reserve|Medical Cent(?:re|er)|Health Cent(?:re|er)|Nursing Home|Care Home"
    "|First Nation"
)
_MAISON = (
    "[Hh][ôo]pital|Clinique|clinique(?= (?:de |du |d['’]))|CHUM?|CHSLD|CLSC|CISSS|CIUSSS|CHRU?"
    "|EHPAD|Ehpad|[Rr]ésidence|[ÉEée]cole|[Ll]ycée|[Cc]ollège|[Ff]oyer|[Mm]aternité"
    "|[Pp]olyclinique|[Dd]ispensaire|[Pp]rison|[Pp]énitencier"
)
_SORT = (
    "universitaire|régionale?|générale?|privée?|primaire|secondaire|locale?|militaire|psychiatrique"
)
_SHORTEST = 3
_LONGEST = 160  # code points of a house's name
_HOUSE_ENDS = re.compile(rf" (?:{_HOUSE})(?: (?:{_HOUSE}))*\b")
_HOUSE_AFTER = re.compile(
    rf"(?<![^\W_])((?:(?:St|Ste|Mt)\.? )?{WORD}(?: (?:of |the |and ){{0,2}}{WORD}){{0,4}}) "
    rf"(?:{_HOUSE})$"
)
_MAISONS = set_of(
    "Hôpital hôpital Hopital hopital Clinique clinique CHU CHUM CHSLD CLSC CISSS CIUSSS CHR CHRU",
    "EHPAD Ehpad Résidence résidence École école Ecole ecole Lycée lycée Collège collège Foyer",
    "foyer Maternité maternité Polyclinique polyclinique Dispensaire dispensaire Prison prison",
    "Pénitencier pénitencier",
)
_HOUSE_BEFORE = re.compile(
    rf"\b(?:{_MAISON})(?: (?:{_SORT}))? "
    rf"(?:(?:de|du|des|la|le|les|d['’]|l['’]) ?){{0,3}}({WORD}(?: {WORD}){{0,2}})"
)
_SAINTS = section("cues", "saints")
_HYPHENS = ("Saint-", "Sainte-", "St-", "Ste-", "-sur-", "-sous-", "-lès-")
_PARTS = "(?:-[A-ZÀ-Ýa-zà-ÿ'’]{1,20})"
_HYPHENATED = re.compile(
    rf"(?<![^\W_])(?:(?:Saint|Ste?|Sainte){_PARTS}{{1,6}}"
    rf"|[A-ZÀ-Ý][a-zà-ÿ]{{2,20}}{_PARTS}{{0,2}}-(?:sur|sous|lès){_PARTS}{{1,3}})"
)
_OF_DISEASE = re.compile(r"(?:danse|feu|mal|herpès|consensus|conférence|St) (?:de |d['’])?$")
_REGIONS = section("cues", "regions")
_TOWN = "[A-Z][a-zà-ÿ]{2,20}"
_BEFORE_REGION = re.compile(
    rf"(?<=[a-zà-ÿ] )((?:St\.? )?{_TOWN}(?:[ -]{_TOWN}){{0,2}}), (?:{'|'.join(sorted(_REGIONS))})\b"
)
