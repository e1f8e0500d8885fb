"""What the sources must say before a room opens: every way of not being enough has its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lounge.credentials.claims import BOTH, LICENCE, PERSON, Finding
from lounge.credentials.decision import decide
from lounge.credentials.presets import DAY_MS, HOSPITAL, NATIONAL, OPEN
from tests.credentials import credential, institution, register
from tests.stores import START

PRIVATE_LICENCE = replace(register(), family="voucher", public=False)


@pytest.mark.parametrize(
    ("findings", "state", "reason"),
    [
        ([], "checking", "nothing_yet"),
        ([institution()], "checking", "one_source"),
        ([register()], "checking", "public_only"),
        ([register(), replace(register(), family="other")], "checking", "public_only"),
        ([register(), institution()], "verified", None),
        ([institution(), replace(institution(), family="other")], "checking", "licence_unproved"),
        ([PRIVATE_LICENCE, register()], "checking", "person_unproved"),
        ([institution(), replace(institution(), source="twice")], "checking", "one_source"),
        ([credential()], "verified", None),
        ([register("disagrees", "register_name"), institution()], "checking", "sources_disagree"),
        ([register("disagrees", "register_name"), credential()], "checking", "sources_disagree"),
        ([register("disagrees", "register_name")], "refused", "register_name"),
        ([register("disagrees", "licence_expired"), credential()], "expired", "licence_expired"),
        (
            [register("disagrees", "licence_suspended"), register("disagrees", "licence_expired")],
            "suspended",
            "licence_suspended",
        ),
        ([register("away", "source_away"), institution()], "checking", "source_away"),
        ([register("unknown", "register_unknown"), institution()], "checking", "one_source"),
        ([replace(institution(), covers=frozenset()), register()], "checking", "public_only"),
    ],
)
def test_an_open_house_wants_two_that_agree(
    findings: list[Finding], state: str, reason: str | None
) -> None:
    decision = decide(findings, OPEN, START)
    assert (decision.state, decision.reason) == (state, reason)


@pytest.mark.parametrize("preset", [HOSPITAL, NATIONAL])
def test_other_houses_want_the_credential(preset: object) -> None:
    assert preset in (HOSPITAL, NATIONAL)
    several = decide([register(), institution()], HOSPITAL, START)
    assert (several.state, several.reason) == ("checking", "credential_needed")
    assert decide([credential()], HOSPITAL, START).state == "verified"


def test_what_was_good_until_yesterday_speaks_against_her_today() -> None:
    known = [register(valid_until=START + DAY_MS), institution()]
    assert decide(known, OPEN, START).valid_until == START + DAY_MS
    lapsed = decide(known, OPEN, START + DAY_MS)
    assert (lapsed.state, lapsed.reason) == ("expired", "licence_expired")


def test_everybody_is_looked_at_again_within_a_year() -> None:
    assert decide([credential()], OPEN, START).valid_until == START + OPEN.recheck_ms


def test_a_registrars_refusal_stands_whatever_others_say() -> None:
    refusal = Finding(
        "registrar", "registrar", BOTH, "disagrees", "not_a_doctor", False, START, strong=True
    )
    decision = decide([register(), institution(), refusal], OPEN, START)
    assert (decision.state, decision.reason) == ("refused", "not_a_doctor")


_FINDINGS = st.lists(
    st.builds(
        Finding,
        source=st.sampled_from("abc"),
        family=st.sampled_from("xyz"),
        covers=st.sampled_from([frozenset(), PERSON, LICENCE, BOTH]),
        verdict=st.sampled_from(["agrees", "disagrees", "unknown", "away"]),
        reason=st.just("r"),
        public=st.booleans(),
        at=st.just(START),
        strong=st.just(False),
    ),
    max_size=5,
)


@given(_FINDINGS)
def test_public_facts_alone_never_verify_and_no_objection_is_overheard(
    findings: list[Finding],
) -> None:
    if decide(findings, OPEN, START).state != "verified":
        return
    agreeing = [each for each in findings if each.verdict == "agrees" and each.covers]
    assert not any(each.verdict == "disagrees" for each in findings)
    assert any(not each.public for each in agreeing)
    assert len({each.family for each in agreeing}) >= 2
    assert frozenset().union(*(each.covers for each in agreeing)) == BOTH
