"""Every word on the page is in the catalogue, and every file of the page is asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from lounge.events import Event
from lounge.words import catalogue

WEB = Path(__file__).resolve().parents[2] / "web"
SCRIPTS = {path: path.read_text("utf-8") for path in (WEB / "static").rglob("*.js")}
_KEY = re.compile(r"'([a-z_]+(?:\.[a-z_0-9]+)+)'")
_PREFIX = re.compile(r"(?:`|')([a-z_.]+)\.\$\{|coded\('([a-z_.]+)'")
KINDS = {each.__struct_config__.tag for each in get_args(Event)}
_LOOSE = re.compile(r" [;:?!»]|« ")  # a plain space where French wants one that holds
_UNSAFE = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|\.style\b")


def test_every_key_that_a_script_names_is_in_the_catalogue() -> None:
    known = catalogue()
    prefixes = {key.rsplit(".", 1)[0] for key in known}
    for path, text in SCRIPTS.items():
        for key in _KEY.findall(text):
            if key.startswith("lounge.") or key in KINDS:  # names in the browser's own store
                continue
            assert key in known or f"{key}.other" in known or key in prefixes, (path.name, key)


def test_no_line_of_french_begins_with_a_mark_that_belongs_to_the_one_before() -> None:
    for key, said in catalogue().items():
        assert not _LOOSE.search(said["fr"]), key


def test_every_prefix_of_keys_that_a_script_builds_is_in_the_catalogue() -> None:
    known = catalogue()
    for path, text in SCRIPTS.items():
        for pair in _PREFIX.findall(text):
            prefix = pair[0] or pair[1]
            if prefix in ("lounge", "draft", "missing", "guard", "rooms.kind"):
                continue
            assert any(key.startswith(f"{prefix}.") for key in known), (path.name, prefix)


def test_no_script_writes_markup_or_inline_style() -> None:
    for path, text in SCRIPTS.items():
        assert not _UNSAFE.search(text), path.name


def test_parts_know_no_page_and_elements_no_socket() -> None:
    for path, text in SCRIPTS.items():
        if path.parent.name == "parts":
            assert "document" not in re.sub(r"//.*|/\*.*?\*/", "", text, flags=re.S), path.name
            assert "elements/" not in text, path.name
        if path.parent.name == "elements":
            assert not re.search(r"parts/(socket|lounge|room|outbox)\.js", text), path.name


def test_the_shell_asks_only_for_files_that_are_there() -> None:
    shell = (WEB / "templates" / "shell.html").read_text("utf-8")
    asked = re.findall(r"/static/\$version/([\w./-]+)", shell)
    assert asked
    for name in asked:
        assert (WEB / "static" / name).is_file(), name


def test_the_shell_fetches_ahead_just_what_the_first_room_needs() -> None:
    shell = (WEB / "templates" / "shell.html").read_text("utf-8")
    ahead = set(re.findall(r'modulepreload" href="/static/\$version/([\w./-]+)', shell))
    needed = _closure(WEB / "static" / "inside.js") | _closure(WEB / "static" / "app.js")
    assert ahead == needed - {"app.js"}


def _closure(script: Path) -> set[str]:
    """The script and all that it imports at once, by path below `static`."""
    found: set[Path] = set()
    due = [script]
    while due:
        path = due.pop()
        if path not in found:
            found.add(path)
            names = re.findall(r"^import .*?'(\.[^']+)';", SCRIPTS[path], re.M)
            due += [(path.parent / name).resolve() for name in names]
    return {str(path.relative_to(WEB / "static")) for path in found}
