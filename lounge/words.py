"""Every sentence a person reads, in English and French, from one catalogue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "fr")


class Term(str):
    """A value that is the key of words of its own: said in the language of the sentence around it."""

    __slots__ = ()


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Key to sentence by language, as `lounge/words.json` has them."""
    found: dict[str, dict[str, str]] = json.loads(
        Path(__file__).with_name("words.json").read_text("utf-8")
    )
    return found


def say(key: str, language: str, **values: object) -> str:
    """The sentence of `key`, its placeholders filled. Raises KeyError for one that is not there."""
    said = {
        name: say(value, language) if isinstance(value, Term) else value
        for name, value in values.items()
    }
    return catalogue()[key][language].format(**said)


def in_language(language: str) -> dict[str, str]:
    """The whole catalogue in one language."""
    return {key: words[language] for key, words in catalogue().items()}
