"""The tokenizer: what is indexed is found, in both languages, however it is typed."""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.tokenizer import highlights, index_terms, language_of, query_terms, snippet

TEXTS = [
    json.loads(line)
    for line in Path(__file__).with_name("texts.jsonl").read_text("utf-8").splitlines()
]
LANGUAGES = ("en", "fr", None)
WORDS = st.lists(
    st.one_of(
        st.sampled_from(sorted({word for row in TEXTS for word in row["text"].split()})),
        st.text(min_size=1, max_size=60),
        st.text("aeéèœçlLd'’ʼ19.,-_\u0301İßﬁβµ²患привет", min_size=1, max_size=12),
    ),
    max_size=30,
)


def found(q: str, terms: list[str]) -> bool:
    return all(set(alternatives) & set(terms) for alternatives in query_terms(q))


@given(words=WORDS, language=st.sampled_from(LANGUAGES))
def test_every_word_of_a_text_finds_it_in_either_language(
    words: list[str], language: str | None
) -> None:
    text = " ".join(words)
    terms = index_terms(text, language)
    assert found(text, terms)
    assert all(found(word, terms) for word in text.split())


@given(words=WORDS, language=st.sampled_from(LANGUAGES))
def test_terms_are_plain_ascii_and_short_enough_for_any_index(
    words: list[str], language: str | None
) -> None:
    for term in index_terms(" ".join(words), language):
        assert re.fullmatch("[a-z0-9]{1,240}", term)


@pytest.mark.parametrize("row", TEXTS, ids=lambda row: row["id"])
def test_every_word_of_a_clinical_text_finds_it(row: dict[str, str]) -> None:
    for language in LANGUAGES:
        terms = index_terms(row["text"], language)
        lost = [word for word in row["text"].split() if not found(word, terms)]
        assert lost == []


@pytest.mark.parametrize("row", TEXTS, ids=lambda row: row["id"])
def test_the_language_of_a_clinical_text_is_told(row: dict[str, str]) -> None:
    assert language_of(row["text"], default="neither") == row["lang"]


def test_every_letter_that_unicode_takes_apart_stays_plain_and_is_found() -> None:
    for letter in filter(str.isalnum, map(chr, range(0x80, 0x20000))):
        if unicodedata.normalize("NFKC", letter) != letter or letter.casefold() != letter:
            for language in LANGUAGES:
                terms = index_terms(f"a{letter}b", language)
                assert found(f"a{letter}b", terms)
                assert all(re.fullmatch("[a-z0-9]+", term) for term in terms)


def test_sqlite_keeps_every_term_as_it_is() -> None:
    # The index stores what the tokenizer says, or the two databases would answer differently.
    terms = [term for row in TEXTS for term in index_terms(row["text"])]
    terms += index_terms("привет 患者 β2 مريض ŁØÐÞ 10⁹/L 𝒳 ﷺ हिन्दी")
    base = sqlite3.connect(":memory:")
    base.execute("create virtual table t using fts5(body, content='', tokenize='unicode61')")
    base.execute("create virtual table v using fts5vocab(t, 'row')")
    base.execute("insert into t(rowid, body) values (1, ?)", [" ".join(terms)])
    assert {term for (term,) in base.execute("select term from v")} == set(terms)
    base.close()


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("l’appel d'une aujourd'hui", ["appel", "une", "aujourdhui"]),
        ("Jusqu’à qu'il C’est", ["a", "il", "est"]),
        ("ŒDÈME œdème oedème", ["oedem"] * 3),
        ("pH 7.35, 1,2 g", ["ph", "7", "35", "1", "2", "g"]),
        ("80mg 80 mg", ["80", "mg"] * 2),
        ("HbA1c B12 10⁹ m²", ["hba1c", "b12", "10", "9", "m2"]),
        ("___ … '", []),
    ],
)
def test_words_are_cut_and_folded(text: str, terms: list[str]) -> None:
    assert index_terms(text, "fr") == terms


def test_terms_keep_their_order_and_their_repeats() -> None:
    assert index_terms("stroke, then a second stroke", "en") == [
        *("stroke", "then", "a", "second", "stroke")
    ]


@pytest.mark.parametrize(
    ("q", "text"),
    [
        ("dyspnee", "Une dyspnée d’effort est apparue."),
        ("oedeme", "Un œdème du visage"),
        ("tres elevee", "La CRP est très élevée."),
        ("premiere", "dès la première injection"),
        ("associe", "des signes associés"),
        ("associée", "des signes associés"),
        ("l'appel", "Appels de la nuit"),
        ("Crohn's", "maladie de Crohn"),
        ("seizure", "two seizures in one night"),
        ("PÉRICARDITE", "une pericardite aiguë"),
        ("β-bloquant", "les beta-bloquants"),
        ("e\u0301pilepsie", "épilepsies de l’enfant"),
    ],
)
def test_a_word_is_found_however_it_was_typed(q: str, text: str) -> None:
    assert found(q, index_terms(text))
    assert highlights(text, q)


def test_a_query_word_has_sorted_alternatives_without_repeats() -> None:
    for alternatives in query_terms("Les présentations cliniques of severe ischaemia"):
        assert list(alternatives) == sorted(set(alternatives))


def test_words_of_nothing_vanish_from_a_query() -> None:
    assert query_terms(" ’ … -- \u0301") == []


def test_long_words_are_cut_alike_on_both_sides() -> None:
    word = "hépatosplénomégalie" * 20
    assert found(word, index_terms(f"une {word} enfin", "fr"))
    assert found(word.upper(), index_terms(word, "en"))


def test_highlights_are_the_words_that_match() -> None:
    text = "L’œdème, des œdèmes et l’oedeme."
    assert [text[a:b] for a, b in highlights(text, "oedème")] == ["œdème", "œdèmes", "oedeme"]


def test_highlights_count_code_points_beyond_the_first_plane() -> None:
    text = "𝔄𝔅 🙂 stroke"
    assert [text[a:b] for a, b in highlights(text, "stroke")] == ["stroke"]


def test_a_snippet_shows_the_place_with_most_of_the_query() -> None:
    text = (
        "fever. "
        + "Nothing of note here. " * 20
        + "High fever\nwith a rash and neck pain. "
        + "x " * 200
    )
    shown, spans = snippet(text, "fever rash neck", width=60)
    assert [shown[a:b] for a, b in spans] == ["fever", "rash", "neck"]
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert "\n" not in shown


def test_a_short_text_is_its_own_snippet() -> None:
    assert snippet("Chest pain.", "pain") == ("Chest pain.", [(6, 10)])


def test_a_snippet_without_a_match_is_the_beginning() -> None:
    shown, spans = snippet("one two three " * 50, "absent", width=30)
    assert shown.startswith("one two")
    assert len(shown) <= 34
    assert spans == []


@given(
    words=WORDS,
    q=st.lists(st.sampled_from(["e", "fever", "l'", "é", "19"]), max_size=4),
    width=st.integers(1, 200),
)
def test_spans_lie_inside_the_snippet_and_match(words: list[str], q: list[str], width: int) -> None:
    text, query = " ".join(words), " ".join(q)
    shown, spans = snippet(text, query, width)
    assert len(shown) <= width + 4
    wanted = {term for terms in query_terms(query) for term in terms}
    for start, end in spans:
        assert 0 <= start < end <= len(shown)
        assert {t for terms in query_terms(shown[start:end]) for t in terms} & wanted


@pytest.mark.parametrize("unit", ["a", "l'", "'", "e\u0301", "9", "qu'", "é ", "ﷺ", "a_", "jusqu"])
def test_hostile_text_of_full_length_is_cut_like_any_other(unit: str) -> None:
    text = (unit * 8_000)[:8_000]
    assert found(text, index_terms(text))
    shown, _ = snippet(text, text)
    assert len(shown) <= 164
