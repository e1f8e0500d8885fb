"""The guard's quality on sentences made by lot, as `python -m tests.quality` prints it."""

from __future__ import annotations

from functools import cache

import pytest

from tests.quality.scoring import STRUCTURED, Score, scored
from tests.quality.sentences import CLEAN, HALVES, LANGUAGES, sentences

_FEW = 2_000  # a third of what the command makes


@cache
def _scores(language: str) -> dict[tuple[str, str], Score]:
    return {(score.kind, score.half): score for score in scored(sentences(language, _FEW))}


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_98_of_100_structured_identifiers_and_90_names_are_found(language: str, half: str) -> None:
    scores = _scores(language)
    assert scores[STRUCTURED, half].recall >= 0.98
    assert scores["name", half].recall >= 0.90


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_at_most_one_clean_sentence_in_20_is_marked(language: str, half: str) -> None:
    assert _scores(language)[CLEAN, half].false_rate <= 0.05


def test_the_same_sentences_are_made_each_time() -> None:
    assert list(sentences("fr", 200)) == list(sentences("fr", 200))
