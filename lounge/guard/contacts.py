"""E-mail addresses, links that lead to one person's page or record, and addresses on a network."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lounge.guard.span import Span

_LINK = "url"


def emails(text: str) -> Iterator[Span]:
    """The e-mail addresses in `text`, also with "(at)"."""
    for domain in _DOMAIN.finditer(text):
        local = _LOCAL.match(text[max(0, domain.start() - 64) : domain.start()][::-1])
        if local and not local[0].isdecimal() and (domain[1].islower() or domain[1].isupper()):
            yield Span(domain.start() - len(local[0]), domain.end(), "email", "guard.email")


def spelled(text: str) -> Iterator[Span]:
    """Those that are written around: "jane (at) example.org", "jane at example dot org"."""
    if not any(each in text for each in _AROUND):
        return
    for found in _SPELLED.finditer(text):
        local = _LOCAL.match(text[max(0, found.start() - 64) : found.start()].rstrip()[::-1])
        if local:
            start = len(text[: found.start()].rstrip()) - len(local[0])
            yield Span(start, found.end(), "email", "guard.email")


def links(text: str) -> Iterator[Span]:
    """The links that name a person or a record; what is published is let through: papers, guidelines."""
    for found in _SCHEME.finditer(text) if "://" in text or "www." in text else ():
        if _is_somebodys(found[1], found[2]):
            yield Span(found.start(), _trimmed(text, found), _LINK, f"guard.{_LINK}")
    for found in _BARE.finditer(text):
        host = _HOST.match(text[max(0, found.start() - 64) : found.start()][::-1])
        if host and _is_somebodys(host[0][::-1] + found[1], found[2]):
            start = found.start() - len(host[0])
            yield Span(start, _trimmed(text, found), _LINK, f"guard.{_LINK}")


def network_addresses(text: str, shape: bytes) -> Iterator[Span]:
    """IPv4, IPv6 and hardware addresses; an enzyme's or a version's number is none."""
    for found in _FOUR.finditer(text) if _DOTTED.search(shape) else ():
        octets = [int(each) for each in found[0].split(".")]
        if max(octets) < 256 and _is_address(text, found, octets):
            yield Span(*found.span(), _LINK, f"guard.{_LINK}")
    if text.count(":") >= _FEWEST_COLONS:
        for found in _GROUPS.finditer(text):
            if _is_six(found[0]):
                yield Span(*found.span(), _LINK, f"guard.{_LINK}")


def _is_somebodys(host: str, rest: str) -> bool:
    host = host.lower()
    if _SOCIAL.search(host):
        return len(rest) > 1
    if _PUBLISHED.search(host):
        return False
    return bool(_PERSON.search(rest)) or sum(map(str.isdigit, rest)) >= _FEWEST_DIGITS


def _trimmed(text: str, found: re.Match[str]) -> int:
    return found.start() + len(found[0].rstrip(".,;:!?)»\"'"))


def _is_address(text: str, found: re.Match[str], octets: list[int]) -> bool:
    before = text[max(0, found.start() - 16) : found.start()]
    if _VERSION.search(before) or _RANGE.match(text, found.end()):
        return False
    return octets[0] in (10, 127, 172, 192) or min(octets[:2]) > 9 or bool(_NETWORK.search(before))


def _is_six(written: str) -> bool:
    groups = [each for each in written.split(":") if each]
    if len(groups) == _HARDWARE and all(len(each) == 2 for each in groups):
        return True
    is_hex = any(not each.isdecimal() for each in groups)
    return (is_hex or len(groups) == 8) and any(len(each) > 2 for each in groups)


_DOTTED = re.compile(rb"0\.0{1,3}\.0")
_FEWEST_COLONS = 3
_FEWEST_DIGITS = 4
_HARDWARE = 6
_DOMAIN = re.compile(r"@(?:[\w-]{1,63}\.){1,8}([^\W\d_]{2,24})\b")
_LOCAL = re.compile(r"[\w.+%'’-]{0,63}\w")  # read backwards from the "@"
_AROUND = ("(at)", "[at]", "{at}", "(AT)", "[AT]", "arobase", " dot ", "(@)")
_TOP = "com|org|net|edu|gov|gouv|info|io|ca|fr|uk|be|ch|de|eu|us|au|ie|nz|qc|example|me|co"
_SPELLED = re.compile(
    r" ?[\[({](?:at|chez|arobase|@)[\])}] ?[\w-]{1,63}(?: ?(?:\.|[\[({](?:dot|point)[\])}]| dot "
    r"| point ) ?[\w-]{2,63}){1,4}"
    rf"| (?:at|arobase|chez) (?:[\w-]{{1,63}}(?: dot | point |\.)){{1,4}}(?:{_TOP})\b",
    re.IGNORECASE,
)
_SCHEME = re.compile(
    r"(?:[Hh][Tt][Tt][Pp][Ss]?://(?:www\.)?|www\.)([\w.-]{1,253}(?::\d{1,5})?)([^\s<>\"]{0,2000})"
)
_BARE = re.compile(r"(\.[a-z]{2,12})(/[^\s<>\"]{1,2000})")
_HOST = re.compile(r"(?:[a-z0-9-]{1,63}\.){0,5}[a-z0-9-]{1,63}(?![\w@/.-])", re.IGNORECASE)
_PERSON = re.compile(
    r"[?&#;/](?:\w{1,20}[_-])?(?:patients?|mrn|ipp|nip|dossiers?|records?|charts?|users?|uid"
    r"|usagers?|members?|membres?|profile?"
    r"|account|compte|name|nom|dob|ddn|ssn|nhs|nam|ramq|ohip|phn|email|courriel|phone|tel|token"
    r"|session|people|persons?"
    r"|residents?|encounters?|visits?|results?|resultats?|appointments?|rdv|viewer|pid|accession"
    r"|in|u)(?:[_-]?(?:id|no|num))?"
    r"[=/][\w%@]|/[~@]\w",
    re.IGNORECASE,
)
_SOCIAL = re.compile(
    r"(?:^|\.)(?:facebook|fb|instagram|twitter|x|linkedin|tiktok|snapchat|threads|pinterest"
    r"|gofundme|caringbridge|strava|vk"
    r"|ancestry|leetchi)\.(?:com|org|ca|fr|me|co\.uk)(?::\d+)?$",
    re.IGNORECASE,
)
_PUBLISHED = re.compile(
    r"(?:^|\.)(?:doi\.org|nih\.gov|nejm\.org|thelancet\.com|bmj\.com|jamanetwork\.com"
    r"|sciencedirect\.com|springer\.com"
    r"|springeropen\.com|biomedcentral\.com|wiley\.com|nature\.com|science\.org"
    r"|cochranelibrary\.com|cochrane\.org|plos\.org"
    r"|uptodate\.com|who\.int|cdc\.gov|fda\.gov|europa\.eu|nice\.org\.uk|has-sante\.fr"
    r"|inesss\.qc\.ca|canada\.ca|cmaj\.ca"
    r"|gov\.uk|nhs\.uk|clinicaltrials\.gov|escardio\.org|ahajournals\.org|orpha\.net|omim\.org"
    r"|medscape\.com|oup\.com"
    r"|radiopaedia\.org|wikipedia\.org|mdpi\.com|frontiersin\.org|karger\.com|tandfonline\.com"
    r"|lww\.com|elsevier\.com"
    r"|bmjopen\.bmj\.com|acpjournals\.org|annals\.org|jci\.org|cell\.com|vidal\.fr"
    r"|ansm\.sante\.fr|crat\.fr|le-crat\.fr"
    r"|em-consulte\.com|erudit\.org|hal\.science|arxiv\.org|medrxiv\.org|biorxiv\.org|github\.com"
    r"|youtube\.com|youtu\.be)"
    r"(?::\d+)?$"
)
_FOUR = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\d.]\d|\d)")
_VERSION = re.compile(r"(?:\bEC:?|[\d.]|\bv(?:ersion)?\.?|\b[Ss]ection|\bchapter|\bHLA\S*) ?$")
_RANGE = re.compile(r"[%/] ?\d")
_NETWORK = re.compile(
    r"\b(?:ip|ipv4|address|adresse|host|server|serveur|from|depuis)\b[ :=(]{0,3}(?:is |est )?$",
    re.I,
)
_GROUPS = re.compile(r"(?<![\w:*])(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{1,4}(?![\w:])")
