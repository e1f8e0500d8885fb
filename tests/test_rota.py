"""Rotas over the changes of the clocks, what may be arranged beside them, and what cannot be kept to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from lounge.errors import Code, Refusal
from lounge.oncall import policy
from lounge.oncall.calendar import feed
from lounge.oncall.feeds import OwnShift
from lounge.oncall.roles import Night, Role
from lounge.oncall.rota import (
    Gap,
    Layer,
    Overlap,
    Rota,
    Rule,
    Shift,
    checked,
    clash,
    gaps,
    overlaps,
    shifts,
)
from lounge.words import catalogue
from storage.roles import AGREED, ASKED, OVERRIDE, SWAP, UNTIL, VACATION, Change

HOUR = 3_600_000
DAY = 24 * HOUR
ZONES: dict[str, dict[str, float]] = {
    "America/Toronto": {"2026-03-07": 23, "2026-10-31": 25, "2027-03-13": 23, "2027-11-06": 25},
    "Europe/London": {"2026-03-28": 23, "2026-10-24": 25, "2027-03-27": 23, "2027-10-30": 25},
    "Europe/Paris": {"2026-03-28": 23, "2026-10-24": 25, "2027-03-27": 23, "2027-10-30": 25},
    "Australia/Sydney": {"2026-04-04": 25, "2026-10-03": 23, "2027-04-03": 25, "2027-10-02": 23},
    "Australia/Lord_Howe": {
        **{"2026-04-04": 24.5, "2026-10-03": 23.5},
        **{"2027-04-03": 24.5, "2027-10-02": 23.5},
    },
    "America/Sao_Paulo": {},
    "Asia/Kolkata": {},
}
"""Of each zone the days on which a shift of 24 hours by the clock has more or fewer, and how many."""


def at(zone: str, clock: str) -> int:
    """A moment in ms by a wall clock there; of an hour that comes twice, the first."""
    return int(datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def utc(clock: str) -> int:
    return at("UTC", clock)


def rota(*rules: dict[str, Any], **layers: Sequence[dict[str, Any]]) -> Rota:
    """As a keeper's editor sends it: rules of the layer `primary`, and of others by name."""
    named = {"primary": rules, **layers} if rules else layers
    sent = {"layers": [{"name": name, "rules": each} for name, each in named.items()]}
    return msgspec.json.decode(msgspec.json.encode(sent), type=Rota)


def daily(*doctors: str, **other: Any) -> dict[str, Any]:
    """Each in turn for a day, from eight to eight."""
    return {"doctors": [[each] for each in doctors], "from": "2026-01-01", "at": "08:00", **other}


def on_duty(
    rule: Rota, zone: str, changes: Sequence[Change], moment: int
) -> dict[str, tuple[str, ...]]:
    """Who has each layer then."""
    return {each.layer: each.doctors for each in shifts(rule, zone, changes, moment, moment + 1)}


def day_of(zone: str, moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, ZoneInfo(zone)).date().isoformat()


def clock_of(zone: str, moment: int) -> str:
    return f"{datetime.fromtimestamp(moment / 1000, ZoneInfo(zone)):%H:%M}"


def hours(shift: Shift) -> float:
    return (shift.ends - shift.starts) / HOUR


# -- clocks that change --------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("until", [None, "08:00"])
def test_a_shift_from_eight_to_eight_has_the_hours_that_the_clock_has_that_day(
    zone: str, until: str | None
) -> None:
    more = {"until": until} if until else {}
    two_years = at(zone, "2026-01-01T08:00"), at(zone, "2028-01-01T08:00")
    found = shifts(rota(daily("ana", "ben", **more)), zone, (), *two_years)
    assert len(found) == 730
    assert {clock_of(zone, each.starts) for each in found} == {"08:00"}
    odd = {day_of(zone, each.starts): hours(each) for each in found if hours(each) != 24}
    assert odd == ZONES[zone]
    assert [each.doctors for each in found[:3]] == [("ana",), ("ben",), ("ana",)]
    assert (found[0].starts, found[-1].ends) == two_years
    assert all(one.ends == other.starts for one, other in pairwise(found))


@pytest.mark.parametrize("zone", ZONES)
def test_the_nights_of_a_change_are_as_long_as_the_clock_makes_them_and_the_days_are_not(
    zone: str,
) -> None:
    rules = daily("ana", until="20:00"), daily("ben", at="20:00", until="08:00")
    two_years = at(zone, "2026-01-01T08:00"), at(zone, "2028-01-01T08:00")
    found = shifts(rota(*rules), zone, (), *two_years)
    assert {hours(each) for each in found if each.doctors == ("ana",)} == {12}
    nights = [each for each in found if each.doctors == ("ben",)]
    odd = {day_of(zone, each.starts): hours(each) + 12 for each in nights if hours(each) != 12}
    assert odd == ZONES[zone]
    assert gaps(rota(*rules), zone, (), *two_years) == ()
    assert overlaps(rota(*rules), zone, (), *two_years) == ()


@pytest.mark.parametrize("zone", ZONES)
def test_a_week_changes_hands_at_the_same_hour_all_year(zone: str) -> None:
    weekly = daily("ana", "ben", every="weeks", **{"from": "2026-01-05"})
    year = at(zone, "2026-01-05T08:00"), at(zone, "2027-01-04T08:00")
    found = shifts(rota(weekly), zone, (), *year)
    assert len(found) == 52
    assert {clock_of(zone, each.starts) for each in found} == {"08:00"}
    assert {datetime.fromisoformat(day_of(zone, each.starts)).weekday() for each in found} == {0}
    in_2026 = sum(int(hours * 2) - 48 for day, hours in ZONES[zone].items() if day < "2027") / 2
    assert sum(map(hours, found)) == 52 * 7 * 24 + in_2026


@pytest.mark.parametrize(
    ("zone", "day", "hour", "then"),
    [
        ("America/Toronto", "2026-03-08", "02:30", "2026-03-08T07:00"),  # there is no 02:30
        ("America/Toronto", "2026-11-01", "01:30", "2026-11-01T05:30"),  # there are two of 01:30
        ("Europe/London", "2027-03-28", "01:15", "2027-03-28T01:00"),
        ("Europe/London", "2027-10-31", "01:15", "2027-10-31T00:15"),
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30"),
        ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45"),
    ],
)
def test_an_hour_that_is_skipped_is_the_jump_and_one_that_comes_twice_its_first(
    zone: str, day: str, hour: str, then: str
) -> None:
    rule = rota(daily("ana", "ben", at=hour))
    noon = at(zone, f"{day}T12:00")
    found = shifts(rule, zone, (), noon - DAY, noon)
    assert [each.starts for each in found][-1] == utc(then)
    assert found[-2].ends == utc(then)


def test_a_day_that_a_zone_leaves_out_leaves_no_hole() -> None:
    """Samoa went from the 29th of December 2011 to the 31st."""
    rule = rota(daily("ana", "ben", **{"from": "2011-12-01"}))
    week = at("Pacific/Apia", "2011-12-27T08:00"), at("Pacific/Apia", "2012-01-03T08:00")
    found = shifts(rule, "Pacific/Apia", (), *week)
    assert [hours(each) for each in found] == [24, 24, 16, 8, 24, 24, 24]
    assert gaps(rule, "Pacific/Apia", (), *week) == ()


def test_a_shift_within_the_hour_that_is_skipped_is_none() -> None:
    rule = rota(daily("ana", at="02:10", until="02:50"))
    night = at("America/Toronto", "2026-03-07T12:00"), at("America/Toronto", "2026-03-08T12:00")
    assert shifts(rule, "America/Toronto", (), *night) == ()


# -- rules ---------------------------------------------------------------------------------------


def test_those_of_a_team_are_on_together_and_turns_are_counted_from_their_first_day() -> None:
    rule = rota({**daily(), "doctors": [["ana", "ben"], ["chiara"]], "every": "days", "n": 3})
    first = utc("2026-01-01T08:00")
    found = shifts(rule, "UTC", (), first, first + 9 * DAY)
    assert [(each.doctors, hours(each)) for each in found] == [
        (("ana", "ben"), 72),
        (("chiara",), 72),
        (("ana", "ben"), 72),
    ]
    assert shifts(rule, "UTC", (), first - 9 * DAY, first) == ()


def test_on_working_days_one_has_the_week_and_at_the_weekend_another() -> None:
    week = daily(
        "ana", "ben", every="weeks", days=["mon", "tue", "wed", "thu", "fri"], until="18:00"
    )
    rule = rota({**week, "from": "2026-01-05"})
    monday = utc("2026-01-05T00:00")
    found = shifts(rule, "UTC", (), monday, monday + 14 * DAY)
    assert [each.doctors[0] for each in found] == ["ana"] * 5 + ["ben"] * 5
    assert {hours(each) for each in found} == {10}
    nights_and_weekends = gaps(rule, "UTC", (), monday, monday + 7 * DAY)
    assert sum(each.ends - each.starts for each in nights_and_weekends) == (7 * 24 - 50) * HOUR


def test_each_layer_has_its_own() -> None:
    rule = rota(daily("ana"), secondary=[daily("ben", at="20:00", until="06:00")])
    noon, midnight = utc("2026-05-04T12:00"), utc("2026-05-05T00:00")
    assert on_duty(rule, "UTC", (), noon) == {"primary": ("ana",)}
    assert on_duty(rule, "UTC", (), midnight) == {"primary": ("ana",), "secondary": ("ben",)}


def test_an_empty_rota_is_one_gap() -> None:
    assert gaps(rota(), "UTC", (), 0, DAY) == (Gap("", 0, DAY),)
    assert gaps(rota(tier=[]), "UTC", (), 0, DAY) == (Gap("tier", 0, DAY),)
    assert on_duty(rota(tier=[]), "UTC", (), 0) == {}


def test_two_rules_at_once_are_an_overlap_and_both_doctors_have_it() -> None:
    rule = rota(daily("ana", until="18:00"), daily("ben", at="17:00", until="08:00"))
    day = utc("2026-05-04T08:00")
    both = Overlap("primary", day + 9 * HOUR, day + 10 * HOUR, ("ana", "ben"))
    assert overlaps(rule, "UTC", (), day, day + DAY) == (both,)
    assert on_duty(rule, "UTC", (), day + 9 * HOUR) == {"primary": ("ana", "ben")}
    same = rota(daily("ana", until="18:00"), daily("ana", at="17:00", until="08:00"))
    assert overlaps(same, "UTC", (), day, day + DAY) == ()


def test_a_shift_of_nobody_who_can_be_reached_is_a_gap() -> None:
    rule = rota({**daily(), "doctors": [["ana", "ben"], ["chiara"]]})
    first = utc("2026-01-01T08:00")
    found = gaps(rule, "UTC", (), first, first + 2 * DAY, reached={"ben"})
    assert found == (Gap("primary", first + DAY, first + 2 * DAY, ("chiara",)),)


# -- what is arranged beside them ----------------------------------------------------------------

MONDAY = utc("2026-05-04T08:00")
ALTERNATING = rota(daily("ben", "ana"))
"""On that Monday Ana is on, on Tuesday Ben."""


def change(
    kind: str,
    doctor: str | None,
    instead_of: str | None = None,
    *,
    hours: tuple[float, float] = (0, 24),
    **other: Any,
) -> Change:
    """An agreed one, from and to so many hours after that Monday at eight."""
    starts, ends = (MONDAY + int(each * HOUR) for each in hours)
    made: dict[str, Any] = {"id": "c", "role": "r", "layer": None, "state": AGREED, "made": 0}
    fixed = {"kind": kind, "doctor": doctor, "instead_of": instead_of}
    return Change(**{**made, **fixed, "starts": starts, "ends": ends, **other})


def has(*changes: Change, hour: float = 1, rule: Rota = ALTERNATING) -> tuple[str, ...]:
    """Who is on, so many hours after."""
    return on_duty(rule, "UTC", changes, MONDAY + int(hour * HOUR)).get("primary", ())


override = change(OVERRIDE, "moira")
swap = change(SWAP, "chiara", "ana")
until = change(UNTIL, "denis", layer="primary")
away = change(VACATION, None, "ana", made=-1)


@pytest.mark.parametrize(
    ("changes", "doctors"),
    [
        ([], ["ana"]),
        ([until], ["denis"]),
        ([until, swap], ["chiara"]),
        ([until, swap, override], ["moira"]),
        ([swap, override], ["moira"]),
        ([away], []),
        ([away, swap], ["chiara"]),
        ([away, until], ["denis"]),
        ([away, override], ["moira"]),
        ([change(SWAP, "chiara", "ben")], ["ana"]),
        ([change(OVERRIDE, "moira", "ben")], ["ana"]),
        ([change(OVERRIDE, "moira", "ana"), swap], ["moira"]),
        ([swap, change(OVERRIDE, "moira", "chiara")], ["moira"]),
        ([swap, change(SWAP, "denis", "chiara", id="d", made=1)], ["denis"]),
        ([change(OVERRIDE, "moira", layer="secondary")], ["ana"]),
        ([change(SWAP, "chiara", "ana", state=ASKED)], ["ana"]),
    ],
)
def test_an_override_weighs_most_then_a_swap_then_ones_own_word_then_the_rota(
    changes: list[Change], doctors: list[str]
) -> None:
    for order in (changes, changes[::-1]):
        assert has(*order) == tuple(doctors)


def test_a_vacation_ends_what_was_arranged_before_it_and_not_what_was_afterwards() -> None:
    hers = change(VACATION, None, "chiara", hours=(-48, 48), made=5)
    assert has(change(SWAP, "chiara", "ana", made=4), hers) == ()
    assert has(change(SWAP, "chiara", "ana", made=6), hers) == ("chiara",)
    mine = change(VACATION, None, "ana", hours=(-48, 48), made=5)
    assert has(change(UNTIL, "ana", layer="primary", hours=(20, 30), made=6), mine, hour=25) == (
        "ana",
    )


def test_of_a_team_only_the_one_is_replaced_and_her_word_drives_nobody_out() -> None:
    team = rota({**daily(), "doctors": [["ana", "ben"]]})
    assert has(change(SWAP, "chiara", "ana"), rule=team) == ("chiara", "ben")
    assert has(change(VACATION, None, "ana"), rule=team) == ("ben",)
    assert has(change(UNTIL, "ana", layer="primary"), rule=team) == ("ana", "ben")
    assert has(override, rule=team) == ("moira",)


def test_an_override_fills_a_gap_and_cuts_a_shift_in_three() -> None:
    morning = change(OVERRIDE, "moira", hours=(2, 4), layer="primary")
    found = shifts(ALTERNATING, "UTC", [morning], MONDAY, MONDAY + DAY)
    assert [(each.doctors, hours(each), each.why) for each in found] == [
        (("ana",), 2, "rota"),
        (("moira",), 2, "override"),
        (("ana",), 20, "rota"),
    ]
    office = rota(daily("ana", until="18:00"))
    night = change(OVERRIDE, "moira", hours=(8, 24), layer="primary")
    [day, filled] = shifts(office, "UTC", [night], MONDAY, MONDAY + DAY)
    assert (hours(day), hours(filled), filled.doctors) == (8, 16, ("moira",))
    assert gaps(office, "UTC", [night], MONDAY, MONDAY + DAY) == ()


def test_what_is_arranged_for_days_is_one_shift() -> None:
    days = change(OVERRIDE, "moira", hours=(0, 72), layer="primary")
    [only] = shifts(ALTERNATING, "UTC", [days], MONDAY + HOUR, MONDAY + 2 * HOUR)
    assert (only.starts, hours(only)) == (MONDAY, 72)


def test_overrides_of_one_layer_and_time_clash() -> None:
    other = change(OVERRIDE, "ben", hours=(23, 30), id="other", layer="primary")
    assert clash([override], other) == override
    assert clash([override], change(OVERRIDE, "ben", hours=(24, 30), id="other")) is None
    assert clash([override], override) is None
    assert clash([change(OVERRIDE, "moira", layer="secondary")], other) is None
    assert clash([change(OVERRIDE, "moira", "ana")], replace(other, instead_of="chiara")) is None
    assert clash([swap], other) is None
    assert clash([override], change(SWAP, "ben", "ana", id="other")) is None


# -- what cannot be kept to ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "key", "field"),
    [
        ({"at": "25:00"}, "refusal.rota_time", "at"),
        ({"at": "8:00"}, "refusal.rota_time", "at"),
        ({"until": "18:60"}, "refusal.rota_time", "until"),
        ({"until": ""}, "refusal.rota_time", "until"),
        ({"from": "1899-12-31"}, "refusal.rota_from", "from"),
        ({"from": "9999-12-31"}, "refusal.rota_from", "from"),
        ({"doctors": []}, "refusal.rota_nobody", "doctors"),
        ({"doctors": [["ana"], []]}, "refusal.rota_nobody", "doctors"),
        ({"doctors": [["ana"], [""]]}, "refusal.rota_nobody", "doctors"),
        ({"doctors": [["ana", "ben", "ana"]]}, "refusal.rota_twice", "doctors"),
        ({"days": []}, "refusal.rota_days", "days"),
        ({"days": ["mon", "mon"]}, "refusal.rota_days", "days"),
        ({"doctors": [["ana"]] * 7, "days": ["mon"]}, "refusal.rota_never", "days"),
    ],
)
def test_a_rule_that_cannot_be_kept_to_is_refused_by_its_field(
    rule: dict[str, Any], key: str, field: str
) -> None:
    wrong = rota(daily("ana"), tier=[daily("ana"), {**daily("ana"), **rule}])
    with pytest.raises(Refusal) as refused:
        checked(wrong, "Europe/Paris")
    assert (refused.value.code, refused.value.key) == (Code.INVALID, key)
    assert refused.value.values["field"] == f"layers[1].rules[1].{field}"
    assert key in catalogue()


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "Europe", "é"]
)
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(Refusal) as refused:
        checked(rota(daily("ana")), zone)
    assert (refused.value.key, refused.value.values["field"]) == ("refusal.rota_zone", "zone")


@pytest.mark.parametrize("name", ["primary", " tier", " ", "everyone"])
def test_a_layer_has_a_name_of_its_own(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        checked(Rota((Layer("primary"), Layer(name))), "UTC")
    assert refused.value.values["field"] == "layers[1].name"


@pytest.mark.parametrize(
    "rule",
    [
        {"from": "2026-02-30"},
        {"every": "months"},
        {"n": 0},
        {"n": 53},
        {"days": ["monday"]},
        {"at": None},
        {"doctors": [["ana"]] * 61},
    ],
)
def test_what_is_no_rule_at_all_is_not_read(rule: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        rota({**daily("ana"), **rule})


def test_a_rota_is_kept_as_it_was_sent() -> None:
    rule = daily("ana", "ben", every="weeks", n=2, days=["mon"], until="18:00")
    kept = msgspec.json.decode(msgspec.json.encode(checked(rota(rule), "UTC")))
    assert kept == {"layers": [{"name": "primary", "rules": [rule]}]}


# -- as a calendar -------------------------------------------------------------------------------


def own(rule: Rota, zone: str, days: int, changes: Sequence[Change] = ()) -> list[OwnShift]:
    """All shifts from that Monday on, of a role with what a calendar must escape in its name."""
    row = ("r", "Neurologie, Québec; nuit", "On call", "neurology", zone, "+1", None, None)
    role = Role(*row, rule, policy.DEFAULT, Night(), 1)
    since = at(zone, "2026-05-04T08:00")
    found = shifts(rule, zone, changes, since, since + days * DAY)
    return [OwnShift(role, each) for each in found]


def test_a_calendar_has_each_shift_at_its_hours_over_the_changes_of_the_clocks() -> None:
    zone = "America/Toronto"
    shown = own(rota(daily("ana")), zone, 365)
    events: list[Any] = Calendar.from_ical(feed(shown, "fr", 0)).events
    assert [(each.start, each.end) for each in events] == [
        tuple(
            datetime.fromtimestamp(side / 1000, UTC) for side in (one.shift.starts, one.shift.ends)
        )
        for one in shown
    ]
    assert {each.start.astimezone(ZoneInfo(zone)).hour for each in events} == {8}
    lengths = {(each.end - each.start) / timedelta(hours=1) for each in events}
    assert lengths == {23, 24, 25}
    assert {str(each["summary"]) for each in events} == {"De garde\u202f: Neurologie, Québec; nuit"}


def test_a_calendar_is_as_programs_read_it_and_names_nobody() -> None:
    content = feed(own(rota(daily("ana")), "UTC", 3), "en", 0)
    lines = content.split(b"\r\n")
    assert (lines[0], lines[-2]) == (b"BEGIN:VCALENDAR", b"END:VCALENDAR")
    assert all(len(line) <= 75 and b"\n" not in line for line in lines)
    assert {b"METHOD:PUBLISH", b"REFRESH-INTERVAL;VALUE=DURATION:PT1H"} <= {*lines}
    assert content.count(b"Z\r\n") == 3 * 3  # DTSTART, DTEND and DTSTAMP, in UTC
    assert b"ana" not in content


def test_a_shift_keeps_its_name_in_the_calendar_until_it_is_another() -> None:
    def ids(*changes: Change) -> list[str]:
        content = feed(own(ALTERNATING, "UTC", 2, changes), "en", 0)
        return [str(each["uid"]) for each in Calendar.from_ical(content).events]

    plain = ids()
    assert len({*plain}) == len(plain) == 2
    assert ids(swap) == plain
    assert ids(change(OVERRIDE, "moira", hours=(2, 4)))[0] == plain[0]
    assert feed([], "en", 0).count(b"BEGIN:VEVENT") == 0


# -- whatever the rota ---------------------------------------------------------------------------

FEW = settings(max_examples=30, deadline=None)

WIDE = (*ZONES, "America/St_Johns", "Africa/Casablanca", "Asia/Tehran", "Pacific/Chatham", "UTC")
clocks = st.times().map(lambda hour: f"{hour:%H:%M}")
names = st.sampled_from(["ana", "ben", "chiara", "denis"])
teams = st.lists(names, min_size=1, max_size=2, unique=True).map(tuple)
starts = st.dates(date(2026, 1, 1), date(2026, 12, 31))
moments = st.integers(utc("2026-02-01T00:00") // 60_000, utc("2027-12-01T00:00") // 60_000).map(
    lambda minute: minute * 60_000
)
unbroken = st.builds(
    Rule,
    doctors=st.lists(teams, min_size=1, max_size=3).map(tuple),
    start=starts,
    at=clocks,
    every=st.sampled_from(["days", "weeks"]),
    n=st.integers(1, 3),
)
broken = st.builds(
    Rule,
    doctors=st.lists(teams, min_size=1, max_size=3).map(tuple),
    start=starts,
    at=clocks,
    every=st.sampled_from(["days", "weeks"]),
    days=st.none() | st.just(("mon", "tue", "sat")),
    until=st.none() | clocks,
)
rotas = st.lists(unbroken | broken, min_size=1, max_size=2).map(
    lambda rules: Rota((Layer("primary", tuple(rules)),))
)
arranged = st.lists(
    st.builds(
        lambda kind, who, whom, starts, hours, made: Change(
            f"{kind} {made}",
            "r",
            None,
            kind,
            starts,
            starts + hours * HOUR,
            None if kind == VACATION else who,
            None if kind == UNTIL else whom,
            AGREED,
            made,
        ),
        st.sampled_from([OVERRIDE, SWAP, UNTIL, VACATION]),
        names,
        names,
        moments,
        st.integers(1, 400),
        st.integers(0, 1000),
    ),
    max_size=5,
    unique_by=lambda change: change.made,
)


def near(changes: Sequence[Change], moment: int) -> list[Change]:
    """Brought to within days of where one looks: else most would lie elsewhere."""
    found = []
    for each in changes:
        starts = moment + (each.starts - moment) % (10 * DAY) - 5 * DAY
        found.append(replace(each, starts=starts, ends=starts + each.ends - each.starts))
    return found


@given(unbroken, st.sampled_from(WIDE), moments)
@FEW
def test_turn_follows_on_turn_through_every_change_of_the_clocks(
    rule: Rule, zone: str, since: int
) -> None:
    until = since + 60 * DAY
    found = shifts(Rota((Layer("primary", (rule,)),)), zone, (), since, until)
    assert all(one.ends == other.starts for one, other in pairwise(found))
    began = at(zone, f"{rule.start}T12:00") + DAY <= since
    assert not began or (found[0].starts <= since and found[-1].ends >= until)


@given(unbroken | broken, st.sampled_from(WIDE), moments)
def test_who_is_on_is_whom_the_wall_clock_says(rule: Rule, zone: str, moment: int) -> None:
    """Reckoned without a moment of UTC: which shift of the clock is it in?"""
    local = datetime.fromtimestamp(moment / 1000, ZoneInfo(zone))
    if local.fold:
        return  # of the second of two hours alike the clock cannot say whether it is the second
    clock = local.replace(tzinfo=None)
    hour = time.fromisoformat(rule.at)
    step = rule.period if rule.days is None and rule.until is None else 1
    expected = []
    for back in range(step + 1):
        day = clock.date() - timedelta(back)
        passed = (day - rule.start).days
        if passed < 0 or passed % step or (rule.days and f"{day:%a}".lower() not in rule.days):
            continue
        begins = datetime.combine(day, hour)
        ends = begins + timedelta(step)
        if rule.until is not None:
            ends = datetime.combine(day, time.fromisoformat(rule.until))
            ends += timedelta(1) if ends <= begins else timedelta(0)
        if begins <= clock < ends:
            expected.append(rule.doctors[passed // rule.period % len(rule.doctors)])
    found = on_duty(Rota((Layer("primary", (rule,)),)), zone, (), moment)
    assert list(found.values()) == expected


@given(rotas, st.sampled_from(WIDE), moments, arranged)
@FEW
def test_a_moment_has_one_shift_a_layer_and_what_has_none_is_a_gap(
    rule: Rota, zone: str, since: int, changes: list[Change]
) -> None:
    until, beside = since + 9 * DAY, near(changes, since)
    found = shifts(rule, zone, beside, since, until)
    holes = gaps(rule, zone, beside, since, until)
    spans = [(max(since, each.starts), min(until, each.ends)) for each in found]
    all_spans = sorted([*spans, *((each.starts, each.ends) for each in holes)])
    assert [since, *(ends for _, ends in all_spans)] == [
        *(begins for begins, _ in all_spans),
        until,
    ]
    assert all(each.doctors for each in found)
    for each in overlaps(rule, zone, beside, since, until):
        assert len(each.doctors) > 1
        assert on_duty(rule, zone, beside, each.starts) == {"primary": each.doctors}


@given(
    rotas, st.sampled_from(WIDE), moments, arranged, st.integers(0, 9 * DAY), st.integers(1, DAY)
)
@FEW
def test_a_shift_is_the_same_from_wherever_one_looks(
    rule: Rota, zone: str, since: int, changes: list[Change], later: int, length: int
) -> None:
    beside = near(changes, since)
    wide = shifts(rule, zone, beside, since, since + 10 * DAY)
    first, last = since + later, since + later + length
    touching = tuple(each for each in wide if each.starts < last and first < each.ends)
    if last <= since + 10 * DAY:
        assert shifts(rule, zone, beside, first, last) == touching
        assert shifts(rule, zone, beside, first, last, whole=False) == tuple(
            replace(each, starts=max(first, each.starts), ends=min(last, each.ends))
            for each in touching
        )
