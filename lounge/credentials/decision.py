"""From what the sources found to how a doctor stands: a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lounge.credentials.claims import BOTH, ENDINGS, LAPSED, Finding, Subject
from lounge.credentials.presets import Preset

REGISTRAR = "registrar"
AGAIN = "registrar_again"
"""What a registrar has to see before anybody else's word counts."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`state` and why; `valid_until` (ms): when she is to be examined again, None for never."""

    state: str
    reason: str | None
    valid_until: int | None = None


def decide(findings: Iterable[Finding], preset: Preset, now: int) -> Decision:
    """Verified when this person and this licence are both covered, and nobody disagrees.

    By one strong source, or, where the preset allows, by two families of sources of which at least
    one does not rest on public facts: anybody can type a licence number that is published.
    """
    found = [_as_of(finding, now) for finding in findings]
    agreeing = [finding for finding in found if finding.verdict == "agrees" and finding.covers]
    against = [finding for finding in found if finding.verdict == "disagrees"]
    if against:
        return _blocked(against, agreeing)
    if any(finding.family == REGISTRAR and finding.reason == AGAIN for finding in found):
        return Decision("checking", AGAIN)
    missing = _missing(agreeing, preset)
    if missing is None:
        return Decision("verified", None, _until(agreeing, preset, now))
    away = any(finding.verdict == "away" for finding in found)
    return Decision("checking", "source_away" if away else missing)


def _as_of(finding: Finding, now: int) -> Finding:
    """What was good until yesterday speaks against her today."""
    ended = finding.valid_until is not None and finding.valid_until <= now
    if finding.verdict != "agrees" or not ended:
        return finding
    return Finding(
        source=finding.source,
        family=finding.family,
        covers=finding.covers,
        verdict="disagrees" if "licence" in finding.covers else "unknown",
        reason=LAPSED,
        public=finding.public,
        at=finding.at,
        valid_until=finding.valid_until,
    )


def _blocked(against: Sequence[Finding], agreeing: Sequence[Finding]) -> Decision:
    """The gravest word counts: a suspension, then a lapse, then what a registrar decided."""
    reasons = {finding.reason for finding in against}
    for reason in reversed(ENDINGS):
        if reason in reasons:
            return Decision(ENDINGS[reason], reason)
    for finding in against:
        if finding.family == REGISTRAR:
            return Decision("refused", finding.reason)
    if agreeing:
        return Decision("checking", "sources_disagree")
    return Decision("refused", sorted(reasons)[0])


def _missing(agreeing: Sequence[Finding], preset: Preset) -> str | None:
    """What is not there yet, as a reason; None when it is enough."""
    if any(finding.strong and finding.covers >= BOTH for finding in agreeing):
        return None
    if not preset.several:
        return "credential_needed"
    families = {finding.family for finding in agreeing}
    if not families:
        return "nothing_yet"
    if all(finding.public for finding in agreeing):
        return "public_only"
    if len(families) < 2:
        return "one_source"
    return _uncovered({subject for finding in agreeing for subject in finding.covers})


def _uncovered(covered: set[Subject]) -> str | None:
    if "person" not in covered:
        return "person_unproved"
    return None if "licence" in covered else "licence_unproved"


def _until(agreeing: Sequence[Finding], preset: Preset, now: int) -> int:
    ends = [finding.valid_until for finding in agreeing if finding.valid_until is not None]
    return min([now + preset.recheck_ms, *ends])
