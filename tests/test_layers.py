"""web → lounge → channels, presence, storage: and never upward, nor sideways among the three."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "web": {"web", "lounge"},
    "lounge": {"lounge", "channels", "presence", "storage"},
    "channels": {"channels"},
    "presence": {"presence"},
    "storage": {"storage"},
}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_go_one_way(package: str) -> None:
    forbidden = {*MAY_IMPORT, "tests"} - MAY_IMPORT[package]
    against = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in (ROOT / package).rglob("*.py")
        for line, name in _imports(path)
        if name.partition(".")[0] in forbidden
    ]
    assert against == []


def test_the_walk_sees_every_kind_of_import(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "import web.app\ndef late():\n    from lounge import rooms\n"
        "from . import near\nimport_module('storage.entries')\n"
    )
    assert [name for _, name in _imports(module)] == ["web.app", "lounge", "storage.entries"]


@pytest.mark.parametrize("package", [*MAY_IMPORT, "tests"])
def test_our_names_are_ours(package: str) -> None:
    """Other distributions install packages of these names, and the first on the path would win."""
    assert set(packages_distributions().get(package, [])) <= {"lounge"}
    assert Path(str(importlib.import_module(package).__file__)).is_relative_to(ROOT)


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, each.name) for each in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield node.lineno, module
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield node.lineno, module
