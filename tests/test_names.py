"""Made-up names: stable, well spread, plain, and good English and French at once."""

from __future__ import annotations

from collections import Counter

from lounge.names import ADJECTIVES, COLOURS, ENDINGS, NOUNS, candidates, tentative, words


def test_a_persona_keeps_its_names() -> None:
    # Written down, so that a reordered list, which would rename who has not spoken, is noticed.
    assert tentative(b"ana in cardiology") == "Anorak Antique"
    assert candidates(b"")[:2] == ("Xylophone Pertinent", "Bongo Docile")
    assert tentative(b"") == candidates(b"")[0]


def test_there_are_many_words_and_none_twice() -> None:
    assert len(NOUNS) >= 200
    assert len(ENDINGS) >= 120
    assert len(words()) == len(NOUNS) + len(ADJECTIVES) + len(COLOURS)


def test_every_word_is_one_plain_capitalised_word_that_can_be_spoken() -> None:
    for word in words():
        assert word.isascii()
        assert word.isalpha()
        assert word == word.capitalize()
        assert 3 <= len(word) <= 14
        assert set(word.lower()) & set("aeiouy")


def test_no_adjective_has_another_ending_in_french() -> None:
    """Of the English endings that French writes otherwise none is there."""
    otherwise = ("ic", "ive", "ous", "ful", "less", "ly", "ish", "ing", "ed", "ary", "ory", "ry")
    assert [word for word in ADJECTIVES if word.endswith(otherwise) and word != "Chic"] == []


def test_no_word_belongs_to_medicine_or_to_the_clergy_or_is_a_first_name() -> None:
    kept_out = """
    acute stable patient vital frontal oral natal canal atrium cardinal royal iris jade violet olive rose
    clementine constant opal jasmin marguerite cancer ulcer lichen virus
    """
    assert not set(kept_out.split()) & {word.lower() for word in words()}


def test_one_name_after_another_is_tried_and_the_last_is_never_taken_by_chance() -> None:
    names = candidates(b"ana in cardiology")
    assert len(set(names)) == len(names) == 11
    assert [len(name.split()) for name in names] == [2] * 6 + [3] * 4 + [4]
    assert names[-1].rpartition(" ")[2].isdigit()
    for name in names[:-1]:
        noun, *rest = name.split()
        assert noun in NOUNS
        assert set(rest) <= set(ENDINGS)


def test_the_names_of_a_full_house_are_spread_over_all_words() -> None:
    names = [tentative(n.to_bytes(16, "big")) for n in range(20_000)]
    firsts, seconds = (Counter(name.split()[i] for name in names) for i in (0, 1))
    assert len(firsts) == len(NOUNS)
    assert len(seconds) == len(ENDINGS)
    assert max(firsts.values()) < 2 * len(names) / len(NOUNS)
    assert max(seconds.values()) < 2 * len(names) / len(ENDINGS)
    assert len(set(names)) > 13_500  # as many as chance would leave
