"""The documents say what is there: nothing that exists is missing, and nothing is named that does not."""

from __future__ import annotations

import re
import tomllib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import get_args

import pytest
from limits import RateLimitItem
from prometheus_client.parser import text_string_to_metric_families

from lounge import errors, events, limits, opening
from lounge.errors import Close, Code
from lounge.moderating.reports import KINDS as REPORT_KINDS
from lounge.settings import Settings
from lounge.words import catalogue
from storage.identity_schema import IDENTITY
from storage.schema import LOUNGE
from tests import pages
from tests.pages import PACKAGES, ROOT
from tests.schema import _ANSWERS
from tests.support import House, open_house
from web import api, connection, schemas, wire
from web.version import VERSION

PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
}
PROTOCOL = PAGES["docs/protocol.md"]
CLOSED_BY_OTHERS = {1007, 1009}
"""Close codes that the WebSocket library sends before anything of ours sees the frame."""
SHAPES: Mapping[str, type] = {
    "title": wire.TitleAnswer,
    "badge": events.Badge,
    "by": events.By,
    "role": events.Role,
    "office": events.Office,
    "hidden": events.Hidden,
    "caution": events.Caution,
    "present": events.Present,
    "crowd": wire.CrowdBand,
    "mode": events.Mode,
    "span": wire.HeldSpan,
    "opinion": events.Opinion,
    "pooled": events.Pooled,
    "cell": events.Cell,
    "board room": wire.BoardRoom,
    "room reports": wire.BoardReports,
    "mark": wire.Stretch,
    "state": events.ConsultState,
    "page state": events.PageState,
    "stamps": events.PageStamps,
}
FORBIDDEN = (
    *(r"/work/", r"/home/", r"/root\b", r"/opt/", r"/tmp/", r"\bshared/"),
    *(r"pypi\.org", r"pythonhosted", r"npmjs", r"proxy\.golang", r"crates\.io", r"docker\.io"),
    r"\b(?:10|172|192)\.\d+\.\d+\.\d+",
    r"(?i)\bTODO\b|\bFIXME\b|lorem ipsum",
)

OTHER_NAMES = {"lounge_session", "lounge_version", "lounge_audit"}
"""A cookie, a table of Alembic's and one of ours."""


# -- the wire ------------------------------------------------------------------------------------


def test_every_command_stands_in_the_protocol_with_its_fields_and_its_answer() -> None:
    rows = {pages.codes(op)[0]: (fields, ok) for op, fields, ok in pages.rows(PROTOCOL, "Commands")}
    assert set(rows) == set(wire.COMMANDS)
    for op, command in wire.COMMANDS.items():
        fields, ok = rows[op]
        assert pages.names(command) - {"ref"} == set(pages.codes(fields)), op
        optional = pages.optional(command) - {"before", "after", "around"}  # "one of" says it
        assert optional == pages.marked(fields), op
        answer = getattr(wire, _ANSWERS[op])
        told = set(pages.codes(ok)) | ({"duplicate"} if op in ("leave", "read") else set())
        assert pages.names(answer) - {"op", "ref"} == told, op


def test_every_frame_of_the_servers_own_stands_in_the_protocol_with_its_fields() -> None:
    rows = {
        row[0].strip("`"): row[1] for row in pages.rows(PROTOCOL, "What the server says by itself")
    }
    frames = {pages.op(frame): frame for frame in get_args(wire.Announcement)}
    assert set(rows) == {*frames, "event"}
    for op, frame in frames.items():
        inside = pages.names(wire.RoomNews) if op == "rooms" else set()
        assert (pages.names(frame) - {"op"}) | inside == set(pages.codes(rows[op])), op
    assert set(pages.codes(rows["event"])) == pages.common_to_events()


def test_every_kind_of_event_stands_in_the_protocol_with_its_fields() -> None:
    rows = {row[0].strip("`"): row[1] for row in pages.rows(PROTOCOL, "Events")}
    kinds = {pages.tag(event): event for event in get_args(events.Event)}
    assert set(rows) == set(kinds)
    for kind, event in kinds.items():
        own = pages.names(event) - pages.common_to_events() - {"op"}
        assert own == set(pages.codes(rows[kind])), kind
        assert pages.optional(event) - {"op"} == pages.marked(rows[kind]), kind


def test_every_shape_stands_in_the_protocol_with_its_fields() -> None:
    rows = {row[0]: row[1] for row in pages.rows(PROTOCOL, "Shapes")}
    assert set(rows) == set(SHAPES)
    for name, shape in SHAPES.items():
        assert pages.names(shape) == set(pages.codes(rows[name])), name


def test_every_error_code_stands_in_the_protocol_with_its_status() -> None:
    rows = {row[0].strip("`"): row[1] for row in pages.rows(PROTOCOL, "Error codes")}
    assert rows == {code.value: str(status) for code, status in api._STATUS.items()}
    assert set(rows) == {code.value for code in Code}


def test_no_document_names_an_error_code_that_does_not_exist() -> None:
    known = {code.value for code in Code} | {"ok", "ping"}
    for page, text in PAGES.items():
        named = re.findall(r"\banswers?(?: is| with)? `([a-z_]+)`", text)
        assert set(named) - known == set(), page


def test_every_close_code_stands_in_the_protocol_and_no_other_anywhere() -> None:
    ours = {int(code) for code in vars(errors).values() if isinstance(code, Close)}
    known = ours | set(connection.REASONS) | CLOSED_BY_OTHERS
    assert {int(row[0]) for row in pages.rows(PROTOCOL, "Close codes")} == known
    for page, text in PAGES.items():
        named = {int(code) for code in re.findall(r"(?<![\d,.:/-])4[05]\d\d(?![\d,/-])", text)}
        assert named - known - {4000, 4499, 4500, 4999} == set(), page


def test_every_limit_stands_in_the_protocol_as_it_is() -> None:
    rows = {re.split(r"\W", row[0])[0]: row[1] for row in pages.rows(PROTOCOL, "Limits")}
    items = [each for each in vars(limits).values() if isinstance(each, RateLimitItem)]
    assert len(items) >= 5
    for item in items:
        assert rows[item.namespace] == f"{item.amount} in {item.get_expiry()} s"
    assert rows["unanswered"] == str(limits.IN_FLIGHT)
    assert rows["open"].startswith(f"{limits.CONNECTIONS_PER_DOCTOR} a doctor")


def test_the_codes_that_a_command_or_a_notice_carries_stand_in_the_protocol() -> None:
    assert set(pages.codes(pages.section(PROTOCOL, "Commands"))) >= REPORT_KINDS
    notices = {key.partition(".")[2] for key in catalogue() if key.startswith("notice.")}
    assert set(pages.codes(pages.section(PROTOCOL, "Events"))) >= notices


# -- HTTP ----------------------------------------------------------------------------------------


def test_every_route_stands_in_the_protocol_and_every_documented_route_is_there(
    tmp_path: Path,
) -> None:
    documented = {
        route
        for row in pages.rows(PROTOCOL, "HTTP")
        for route in re.findall(r"`([A-Z]+ /\S*)`", row[0])
    }
    assert documented == set(pages.routes(tmp_path))


def test_no_document_names_a_route_that_does_not_exist(tmp_path: Path) -> None:
    there = [pages.pattern(route) for route in pages.routes(tmp_path)]
    assert not any(each.fullmatch("GET /api/nowhere") for each in there)
    for page, text in PAGES.items():
        for named in re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`?]*)[^`]*`", text):
            assert any(each.fullmatch(named) for each in there), f"{page}: {named}"


def test_every_field_of_a_request_or_an_answer_stands_in_the_protocol() -> None:
    named = set(pages.codes(PROTOCOL))
    for name, schema in schemas.openapi()["components"]["schemas"].items():
        assert set(schema.get("properties", {})) - named - {"error"} == set(), name


# -- settings, metrics, loops --------------------------------------------------------------------


def test_every_setting_stands_in_its_page_and_no_other() -> None:
    rows = {pages.codes(row[0])[0] for row in pages.rows(PAGES["docs/settings.md"], "Settings")}
    assert rows == set(pages.variables().values())
    assert set(pages.variables()) == set(Settings.__dataclass_fields__)


def test_every_variable_that_is_read_is_a_setting() -> None:
    source = (ROOT / "lounge" / "settings.py").read_text("utf-8")
    body = source[source.index("def from_environment") :]
    assert set(re.findall(r'"([A-Z]+_[A-Z_]+)"', body)) == set(pages.variables().values())


def test_no_document_names_a_variable_or_constant_that_does_not_exist() -> None:
    source = "\n".join(pages.sources())
    for page, text in PAGES.items():
        for name in re.findall(r"`([A-Z]+_[A-Z_]+)(?:=[^`]*)?`", text):
            assert re.search(rf"\b{name}\b", source), f"{page}: {name}"


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("docs"), redis_url) as house:
        yield house


async def test_every_metric_stands_in_its_page_with_its_type_and_no_other(house: House) -> None:
    async with house.http() as anybody:
        text = (await anybody.get("/metrics")).text
    served = {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in text_string_to_metric_families(text)
        if not family.name.endswith("_created")
    }
    rows = pages.rows(PAGES["docs/operations.md"], "Metrics")
    assert {row[0].strip("`"): row[1].partition(",")[0] for row in rows} == served
    for page, words in PAGES.items():
        assert set(re.findall(r"\b(lounge_\w+)\b", words)) - {*served, *OTHER_NAMES} == set(), page


async def test_every_background_loop_stands_in_its_page_and_no_other(house: House) -> None:
    rows = pages.rows(PAGES["docs/operations.md"], "Is it well?")
    loops = [row[0].strip("`") for row in rows if len(row) == 3]
    assert loops == [name for name, _, _ in opening._loops(house.lounge)]


def test_what_readyz_says_stands_in_its_page() -> None:
    told = set(pages.codes(pages.section(PAGES["docs/operations.md"], "Is it well?")))
    assert pages.names(api.Health) <= told


# -- the command line ----------------------------------------------------------------------------


def test_every_subcommand_has_its_section_and_every_section_its_subcommand() -> None:
    sections = re.findall(r"^## (lounge .+)$", PAGES["docs/cli.md"], re.MULTILINE)
    assert sorted(sections) == sorted(pages.subcommands())


def test_the_walk_sees_subcommands_of_subcommands_and_their_options() -> None:
    assert pages.subcommands()["lounge doctor verify"] == {"--revoke"}


def test_every_option_stands_with_its_subcommand_and_no_other() -> None:
    for command, options in pages.subcommands().items():
        rows = pages.rows(PAGES["docs/cli.md"], command)
        assert {pages.codes(row[0])[0] for row in rows} == options, command


def test_no_document_names_a_subcommand_or_option_that_does_not_exist() -> None:
    commands = pages.subcommands()
    for page, text in PAGES.items():
        for line in re.findall(r"^ *(lounge [a-z].*)", "\n".join(pages.typed(text)), re.MULTILINE):
            known = [each for each in commands if re.match(rf"{each}\b", line)]
            assert known, f"{page}: {line}"
            used = set(re.findall(r"(?<=\s)--[a-z]+", line))
            assert used <= commands[max(known, key=len)], f"{page}: {line}"


# -- the tree ------------------------------------------------------------------------------------


def test_every_module_stands_in_the_map_and_no_other() -> None:
    text = PAGES["docs/map.md"]
    named = re.findall(r"^\| `([^`]+\.py)` \|", text, re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) == set(pages.modules())


def test_every_module_of_the_browsers_stands_in_its_page() -> None:
    static = ROOT / "web" / "static"
    modules = {
        str(path.relative_to(ROOT)) for path in (*static.glob("*.js"), *static.glob("parts/*.js"))
    }
    named = {code for code in pages.codes(PAGES["docs/browser.md"]) if code.endswith(".js")}
    assert modules - named == set()


def test_every_table_stands_in_the_page_of_the_stores_and_no_other() -> None:
    text = PAGES["docs/storage.md"]
    for heading, tables in (
        ("The lounge store (`storage/schema.py`)", {*LOUNGE.tables, "entry_terms"}),
        ("The identity store (`storage/identity_schema.py`)", {*IDENTITY.tables}),
    ):
        assert {row[0].strip("`") for row in pages.rows(text, heading)} == tables


def test_every_file_that_a_document_names_is_there() -> None:
    folders = "|".join((*PACKAGES, "tests", "docs", "requirements", r"\.ci"))
    named_file = re.compile(rf"(?<![\w./-])(?:{folders})/[\w./-]*\w/?")
    for page, text in PAGES.items():
        for name in named_file.findall(re.sub(r"\]\([^)]*\)", "]", text)):
            assert (ROOT / name).exists(), f"{page}: {name}"


def test_every_link_leads_somewhere() -> None:
    for page, text in PAGES.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if not link.startswith("https://"):
                path, _, anchor = link.partition("#")
                target = (ROOT / page).parent / path if path else ROOT / page
                assert target.exists(), f"{page}: {link}"
                assert not anchor or anchor in pages.anchors(target), f"{page}: {link}"


def test_every_page_is_linked_from_the_readme() -> None:
    for page in PAGES:
        assert page == "README.md" or f"]({page})" in PAGES["README.md"], page


def test_the_readme_names_both_commands_and_no_target_is_made_up() -> None:
    assert "`make run`" in PAGES["README.md"]
    assert "`make test`" in PAGES["README.md"]
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page, text in PAGES.items():
        assert set(re.findall(r"`make ([a-z]+)\b", text)) <= targets, page


def test_the_changelog_tells_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == VERSION
    assert f"\n## {VERSION} · " in PAGES["CHANGELOG.md"]


@pytest.mark.parametrize("document", PAGES)
def test_no_document_names_a_machine_or_a_registry(document: str) -> None:
    found = [each for each in FORBIDDEN if re.search(each, PAGES[document])]
    assert found == []


@pytest.mark.parametrize("document", [each for each in PAGES if each.startswith("docs/")])
def test_every_page_begins_with_what_it_is_about(document: str) -> None:
    first, empty, then = PAGES[document].split("\n")[:3]
    assert first.startswith("# ")
    assert (empty, bool(then)) == ("", True)
