"""The documents and the tree, as `test_docs` holds one against the other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import msgspec
import typer
from starlette.routing import Mount, Route, WebSocketRoute
from typer.core import TyperGroup
from typer.main import get_command

from lounge import events
from lounge.settings import from_environment
from web.app import build
from web.cli import main
from web.version import VERSION

ROOT = Path(__file__).parents[1]
PACKAGES = ("web", "lounge", "channels", "presence", "storage")


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    found = [body for title, body in zip(parts[1::2], parts[2::2], strict=True) if title == heading]
    assert len(found) == 1, f"{heading}: {len(found)} sections"
    return found[0]


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of every table row under a heading, without the tables' first two lines."""
    rows: list[list[str]] = []
    lines = section(text, heading).split("\n")
    for before, line in pairwise(lines):
        if line.startswith("|") and before.startswith("|") and not line.startswith("|---"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def codes(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def typed(text: str) -> list[str]:
    """What a reader may type: code between backticks, and blocks of it."""
    return [*codes(text), *re.findall(r"```.*?\n(.*?)```", text, re.DOTALL)]


def marked(cell: str) -> set[str]:
    """The names with a question mark after them."""
    return set(re.findall(r"`(\w+)`\?", cell))


def names(shape: type) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(shape)}


def optional(shape: type) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(shape) if not field.required}


def op(frame: type) -> str:
    (op,) = [each.default for each in msgspec.structs.fields(frame) if each.name == "op"]
    return str(op)


def tag(event: Any) -> str:
    return str(event.__struct_config__.tag)


def common_to_events() -> set[str]:
    return set.intersection(*map(names, get_args(events.Event))) - {"op"} | {"kind"}


def routes(folder: Path) -> Iterator[str]:
    """As the protocol writes them: "GET /api/rooms/{room}/events"."""
    for route in build(from_environment({"LOUNGE_DATA": str(folder)})).routes:
        match route:
            case Route(path=path, methods=methods):
                names = (methods or set()) - {"HEAD"}
                yield from (f"{name} {path.replace(':path', '')}" for name in names)
            case WebSocketRoute(path=path):
                yield f"GET {path}"
            case Mount(path=path):
                yield f"GET {path.replace(VERSION, '…')}"


def pattern(route: str) -> re.Pattern[str]:
    """What a route takes, with anything in the place of its parameters."""
    return re.compile(".+".join(map(re.escape, re.split(r"\{\w+\}|…", route))))


def variables() -> dict[str, str]:
    """Field of the settings to the variable that its docstring begins with."""
    tree = ast.parse((ROOT / "lounge" / "settings.py").read_text("utf-8"))
    (body,) = [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
    found = {}
    for field, docstring in pairwise(body):
        match field, docstring:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(value=str(words))):
                found[name] = re.split(r"[:=]", words)[0]
    return found


def subcommands() -> dict[str, set[str]]:
    """Each leaf of the command line with its options."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, set[str]]]:
        if isinstance(command, TyperGroup):
            context = typer.Context(command)
            for word in command.list_commands(context):
                yield from walk(f"{name} {word}", command.get_command(context, word))
        else:
            options = {option for each in command.params for option in each.opts}
            yield name, {option for option in options if option.startswith("--")} - {"--help"}

    return dict(walk("lounge", get_command(main)))


def modules() -> Iterator[str]:
    """Every module but the packages' own first pages and the revisions."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            is_first_page = path == ROOT / package / "__init__.py"
            if not is_first_page and not path.name[0].isdigit():
                yield str(path.relative_to(ROOT))


def sources() -> Iterator[str]:
    """The text of everything, but the tests of documents, in which a name may be at home."""
    for folder in (*PACKAGES, "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name not in ("pages.py", "test_docs.py"):
                yield path.read_text("utf-8")
    yield (ROOT / "Makefile").read_text("utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as those who render it make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
