"""Made-up names: stable, well spread, plain."""

from __future__ import annotations

from collections import Counter

from lounge.names import ADJECTIVES, NOUNS, name_of


def test_a_persona_keeps_its_name() -> None:
    # Written down, so that a reordered list, which would rename everybody, is noticed.
    assert name_of(b"ana in cardiology") == "Watchful Quince"
    assert name_of(b"") == "Mellow Catalpa"


def test_there_are_many_words_and_none_twice() -> None:
    assert len(ADJECTIVES) >= 240
    assert len(NOUNS) >= 240
    assert len({*ADJECTIVES, *NOUNS}) == len(ADJECTIVES) + len(NOUNS)


def test_every_word_is_one_short_plain_capitalised_word() -> None:
    for word in ADJECTIVES + NOUNS:
        assert word.isascii()
        assert word.isalpha()
        assert word == word.capitalize()
        assert 3 <= len(word) <= 12


def test_no_word_belongs_to_medicine() -> None:
    clinical = {"acute", "stable", "tender", "patient", "lichen", "mole", "seal", "canal", "palm"}
    assert not clinical & {word.lower() for word in ADJECTIVES + NOUNS}


def test_the_names_of_a_full_house_are_spread_over_both_lists() -> None:
    names = [name_of(n.to_bytes(16, "big")) for n in range(20_000)]
    firsts, seconds = (Counter(name.split()[i] for name in names) for i in (0, 1))
    assert len(firsts) == len(ADJECTIVES)
    assert len(seconds) == len(NOUNS)
    assert max(firsts.values()) < 2 * len(names) / len(ADJECTIVES)
    assert max(seconds.values()) < 2.5 * len(names) / len(NOUNS)
    assert len(set(names)) > 17_000  # as many as chance would leave: sharing is rare
