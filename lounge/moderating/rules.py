"""Rules before posting: what each kind looks at in a text, and what becomes of it. Pure but for `Memory`."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import re2
from msgspec import Meta, Struct

from lounge.errors import Code, Refusal
from lounge.moderating.asked import Reason

Action = Literal["alert", "hold", "block"]
"""Posted, and reported by the house; kept until a moderator has looked; not posted."""

MOST_RULES = 100
LARGEST_PATTERN = 150
"""In RE2's instructions: each takes at worst 50 µs for the longest text."""
LARGEST_TOGETHER = 1_000
"""Of all rules: what is said waits for them at worst 50 ms."""

Domain = Annotated[str, Meta(min_length=1, max_length=253)]


class Pattern(Struct, frozen=True, tag_field="kind", tag="pattern"):
    """The text has a match of this RE2 expression. `cased`: capitals count."""

    pattern: Annotated[str, Meta(min_length=1, max_length=500)]
    cased: bool = False


class Links(Struct, frozen=True, tag_field="kind", tag="links"):
    """The text has a link: to one of the `denied`; or, where some are `allowed`, to any other.

    A domain covers those below it. With neither list it is any link.
    """

    allowed: Annotated[list[Domain], Meta(max_length=200)] = []
    denied: Annotated[list[Domain], Meta(max_length=200)] = []


class Repetition(Struct, frozen=True, tag_field="kind", tag="repetition"):
    """One doctor says the same for the `times`-th time within so many `minutes`, in whatever rooms."""

    times: Annotated[int, Meta(ge=2, le=20)]
    minutes: Annotated[int, Meta(ge=1, le=1440)]


class Flood(Struct, frozen=True, tag_field="kind", tag="flood"):
    """One doctor says something for the `says`-th time within so many `seconds` in one room."""

    says: Annotated[int, Meta(ge=2, le=100)]
    seconds: Annotated[int, Meta(ge=1, le=600)]


class Mentions(Struct, frozen=True, tag_field="kind", tag="mentions"):
    """The text has more than so many words that begin with @."""

    most: Annotated[int, Meta(ge=1, le=50)]


Test = Pattern | Links | Repetition | Flood | Mentions


class Rule(Struct, frozen=True):
    """What is looked at in `rooms` (None: all, and consults; never talks and pages) and what then happens.

    `exempt`: of which grades nobody is asked; staff never is. `words` are what the author reads.
    """

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    test: Test
    action: Action
    reason: Reason
    words: Annotated[str, Meta(min_length=1, max_length=300)]
    rooms: Annotated[list[str], Meta(max_length=200)] | None = None
    exempt: Annotated[list[Literal["trainee", "specialist", "generalist"]], Meta(max_length=3)] = []


class Looked:
    """A rule ready to look at texts, compiled once. Raises Refusal for one that cannot be read."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.size = 0
        """Of its pattern, in RE2's instructions."""
        self._meets = self._ready(rule.test)
        self._rooms = None if rule.rooms is None else frozenset(rule.rooms)
        self._exempt = frozenset(rule.exempt)

    def covers(self, room_id: str, grade: str) -> bool:
        """Whether it looks at what somebody of that grade writes there."""
        return grade not in self._exempt and (self._rooms is None or room_id in self._rooms)

    def meets(self, text: Text) -> bool:
        """Whether the words alone meet it; never true of a rule that counts."""
        return self._meets(text)

    def counts(
        self, memory: Memory, who: str, room_id: str, text: Text, once: bytes, at: int
    ) -> bool:
        """Whether it is met by how often that was done; `at` in ms. Anything but a rule that counts: no."""
        test = self.rule.test
        if isinstance(test, Flood):
            return memory.count(("says", who, room_id), once, at, test.seconds * 1000) >= test.says
        if isinstance(test, Repetition) and (same := text.letters):
            return memory.count(("same", who, same), once, at, test.minutes * 60_000) >= test.times
        return False

    def _ready(self, test: Test) -> Callable[[Text], bool]:
        if isinstance(test, Pattern):
            compiled = _pattern(test)
            self.size = compiled.programsize
            return lambda text: compiled.search(text.plain) is not None
        if isinstance(test, Links):
            return _links(test)
        if isinstance(test, Mentions):
            return lambda text: text.mentions > test.most
        return lambda _: False


class Memory:
    """How often something was done lately, by keyed hashes, which no other process shares."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._done: OrderedDict[bytes, deque[tuple[int, bytes]]] = OrderedDict()

    def count(self, what: tuple[str, ...], once: bytes, at: int, within_ms: int) -> int:
        """How often within that time, with this; `once` counts once. What was longest ago is forgotten."""
        hashed = hmac.digest(self._key, "\n".join(what).encode(), hashlib.sha256)[:16]
        done = self._done.setdefault(hashed, deque(maxlen=_MOST_TIMES))
        self._done.move_to_end(hashed)
        if len(self._done) > _MOST_KEYS:
            self._done.popitem(last=False)
        if all(known != once for _, known in done):
            done.append((at, once))
        return sum(then > at - within_ms for then, _ in done)


class Text:
    """A text as rules read it: no letter has a second form, and nothing in it is invisible.

    What several rules ask of it is worked out once.
    """

    def __init__(self, text: str) -> None:
        self.plain = _plain(text)

    @cached_property
    def hosts(self) -> list[str]:
        """Of its links, in lower case and as DNS has them."""
        links = (_link(word) for word in _WORD.findall(self.plain))
        return [host for link in links if link and (host := _host(link))]

    @cached_property
    def letters(self) -> str | None:
        """What makes two texts the same: letters and digits. A short one anybody says again: None."""
        same = "".join(each for each in self.plain.casefold() if each.isalnum())
        return same if len(same) >= _SHORTEST else None

    @cached_property
    def mentions(self) -> int:
        return len(_MENTION.findall(self.plain))


def _plain(text: str) -> str:
    if text.isascii():
        return text
    return "".join(
        each for each in unicodedata.normalize("NFKC", text) if unicodedata.category(each) != "Cf"
    )


def _link(word: str) -> str | None:
    """With a scheme or `www`; or a bare name of the common kinds, or with a path."""
    if begins := _SCHEME.search(word):
        return word[begins.start() :]
    word = word.strip(".,;:!?'’«»")
    is_link = _PATH.match(word) or _NAME.fullmatch(word.partition("/")[0])
    return word if is_link else None


def _pattern(test: Pattern) -> Any:
    """RE2 takes time by the length of the text and the size of the expression alone."""
    options = re2.Options()
    options.case_sensitive, options.log_errors, options.max_mem = test.cased, False, _PATTERN_BYTES
    try:
        compiled = re2.compile(test.pattern, options)
    except re2.error as error:
        raise Refusal(
            Code.INVALID, "refusal.pattern", field="pattern", fault=_said(error)
        ) from None
    if compiled.programsize > LARGEST_PATTERN:
        raise Refusal(Code.INVALID, "refusal.pattern_large", field="pattern")
    if compiled.search(""):
        raise Refusal(Code.INVALID, "refusal.pattern_all", field="pattern")
    return compiled


def _links(test: Links) -> Callable[[Text], bool]:
    allowed, denied = _domains(test.allowed, "allowed"), _domains(test.denied, "denied")

    def meets(text: Text) -> bool:
        found = text.hosts
        if not (allowed or denied):
            return bool(found)
        return any(
            _below(host, denied) or (allowed and not _below(host, allowed)) for host in found
        )

    return meets


def _domains(names: list[str], field: str) -> frozenset[str]:
    found = {name: _host(f"//{name.strip()}") for name in names}
    for name, host in found.items():
        if host is None or "/" in name:
            raise Refusal(Code.INVALID, "refusal.domain", field=field, domain=name)
    return frozenset(host for host in found.values() if host)


def _below(host: str, domains: frozenset[str]) -> bool:
    labels = host.split(".")
    return any(".".join(labels[n:]) in domains for n in range(len(labels)))


def _host(link: str) -> str | None:
    """Of a link, or of a name that looks like one."""
    try:
        host = urlsplit(link if "//" in link else f"//{link}").hostname
        return host.rstrip(".").encode("idna").decode().lower() if host else None
    except (ValueError, UnicodeError):
        return None


def _said(error: Exception) -> str:
    (said,) = error.args
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


_MOST_TIMES = 128
_MOST_KEYS = 50_000
_PATTERN_BYTES = 256 << 10
_SHORTEST = 12
_WORD = re.compile(r"[^\s<>\"()\[\]{}]+")
_SCHEME = re.compile(r"https?://|www\.", re.I)
_NAME = re.compile(
    r"[^\W_][\w.-]*\.(?:com|org|net|info|biz|app|shop|site|online|xyz|health|co\.uk)", re.I
)
"""The bare name of a domain that is no abbreviation."""
_PATH = re.compile(r"[^\W_][\w.-]*\.[^\W\d_]{2,24}/")
_MENTION = re.compile(r"(?<![^\W_])@\w")
