"""Names and small places are marked, and nothing that is only called after somebody.

All people are invented.
"""

from __future__ import annotations

import pytest

from lounge.guard import examine
from lounge.guard.language import language_of, words_of
from lounge.guard.names import names
from lounge.guard.places import places


def named(text: str) -> list[str]:
    return [text[span.start : span.end] for span in names(text, words_of(text), None)]


def placed(text: str) -> list[str]:
    return [text[span.start : span.end] for span in places(text, words_of(text), None)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mrs. Okafor slept well", "Okafor"),
        ("seen by Dr van der Berg today", "van der Berg"),
        ("Mme D'Amours et son mari", "D'Amours"),
        ("M. de la Fontaine refuse", "de la Fontaine"),
        ("Mlle Roy-Côté tousse", "Roy-Côté"),
        ("Ms Al-Sayed's scan", "Al-Sayed"),
        ("Mr McTavish, 54", "McTavish"),
        ("MR SMITH IS WORSE", "SMITH"),
        ("mr o'brien has pain", "o'brien"),
        ("mme tremblay se plaint", "tremblay"),
        ("Drs Patel and Singh agree", "Patel and Singh"),
    ],
)
def test_a_name_after_a_title_is_marked(text: str, name: str) -> None:
    assert named(text) == [name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a patient named Zbigniew Okonkwo-Roy", "Zbigniew Okonkwo-Roy"),
        ("my patient Jane Doe is stuck", "Jane Doe"),
        ("a boy called Tunde", "Tunde"),
        ("Her name is Saoirse Walsh", "Saoirse Walsh"),
        ("elle s'appelle Maïssa El Ouardi.", "Maïssa El Ouardi"),
        ("un homme nommé Luc Gagnon", "Luc Gagnon"),
        ("Patient: SMITH, John. Reason", "SMITH, John"),
        ("his wife Marie called", "Marie"),
        ("sa fille, Léa-Maude, est là", "Léa-Maude"),
        ("she works at Bombardier", "Bombardier"),
        ("il travaille chez Desjardins", "Desjardins"),
    ],
)
def test_who_is_named_is_marked_and_so_are_relatives_and_employers(text: str, name: str) -> None:
    assert named(text) == [name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("discussed with Grace Okafor", "Grace Okafor"),
        ("TREMBLAY Jean, 45 ans", "TREMBLAY Jean"),
        ("ELOISE GAGNON au lit 3", "ELOISE GAGNON"),
        ("Re: J.-P. Tremblay", "J.-P. Tremblay"),
        ("A. B. Okafor bled again", "A. B. Okafor"),
        ("Kevin's mother says no", "Kevin"),
        ("Zoé, 3 ans, a de la fièvre", "Zoé"),
        ("the Okafor baby", "Okafor"),
    ],
)
def test_a_name_from_the_lists_is_marked(text: str, name: str) -> None:
    assert named(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "LA dilated, MS or NMO, DR changes, severe MR. Surgery next week",
        "OG dilatée, FEVG 35 %, IM sévère",
        "Parkinson, Crohn, Hashimoto, then Graves; Foley out, Babinski up",
        "Charles Bonnet, Pierre Robin, Ramsay Hunt, Claude Bernard-Horner",
        "Wolff-Parkinson-White, Guillain-Barré, Charcot-Marie-Tooth",
        "maladie de Crohn, score de Glasgow, sonde de Foley, signe de Murphy",
        "Started Eliquis, Keppra and Yasmin, no Allegra",
        "Smith et al. (2019), Kaplan-Meier, Child-Pugh B, Swan-Ganz",
        "E. coli, S. aureus, M. pneumoniae, C. Difficile",
        "Vitamin K. Patient bled. Hepatitis C. Treated.",
        "Will Apixaban do? May Flecainide help? Mark the site.",
        "Mme présente une dyspnée, Madame est venue, Monsieur refuse",
        "Mother with DM2, father HTN; mère HTA, sister Hodgkin lymphoma",
        "Mr X, 54, and Mme Y",
        "120 ms after the stimulus, 5 mr",
    ],
)
def test_what_is_called_after_somebody_is_let_through(text: str) -> None:
    assert examine(text).spans == ()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("lives in Moose Jaw, Saskatchewan", "Moose Jaw"),
        ("He comes from Iqaluit", "Iqaluit"),
        ("née à Trois-Pistoles", "Trois-Pistoles"),
        ("originaire d'Amqui", "Amqui"),
        ("Sainte-Anne-de-Beaupré", "Sainte-Anne-de-Beaupré"),
        ("sent to St. Mary's Hospital", "St. Mary's Hospital"),
        ("vient de l'hôpital de Chicoutimi", "hôpital de Chicoutimi"),
    ],
)
def test_a_small_place_and_a_hospital_by_name_are_marked(text: str, place: str) -> None:
    assert placed(text) == [place]


@pytest.mark.parametrize(
    "text",
    [
        "lives in Ontario, born in Toronto, comes from Viet Nam",
        "habite en France, originaire du Sénégal",
        "Geneva score, Boston brace, Ottawa rules, Mayo Clinic score",
        "transferred to ICU, at the General Hospital, from Monday",
        "danse de Saint-Guy, consensus de Saint-Gall",
    ],
)
def test_large_places_and_eponyms_are_let_through(text: str) -> None:
    assert placed(text) == []


def test_initials_after_a_title_are_marked_but_never_hard() -> None:
    text = "Mme T., vue le 3 mars 2021"
    spans = examine(text).spans
    assert [(span.kind, span.level) for span in spans] == [("initials", "soft"), ("date", "soft")]


def test_a_name_alone_is_soft_and_beside_a_place_hard() -> None:
    assert [span.level for span in examine("Mrs Okafor is better").spans] == ["soft"]
    beside = examine("Mrs Okafor, who lives in Moose Jaw, is better").spans
    assert [(span.kind, span.level) for span in beside] == [("name", "hard"), ("place", "soft")]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Would anyone anticoagulate her?", "en"),
        ("Mme Tremblay, née le 3 mars, OG dilatée", "fr"),
        ("FAUT-IL ANTICOAGULER CETTE PATIENTE ?", "fr"),
        ("el paciente vive con su madre y no tiene fiebre desde hace dos días", "other"),
        ("Der Patient ist seit drei Tagen mit Fieber und hat Husten", "other"),
        ("пациент поступил вчера с болью", "other"),
        ("患者は昨日から発熱しています", "other"),
        ("Mrs van der Berg, AF, HR 120", None),
        ("78M AF CHA2DS2 5", None),
    ],
)
def test_the_language_is_told_by_small_words(text: str, language: str | None) -> None:
    assert language_of(words_of(text)) == language


def test_in_another_language_names_are_not_checked_and_the_verdict_says_so() -> None:
    verdict = examine("el paciente Juan García vive con su madre y no tiene fiebre desde hace días")
    assert not verdict.names_checked
    assert verdict.spans == ()


@pytest.mark.parametrize(
    "unit", ["A ", "Mr A ", "A. ", "Aa ", "de la ", "Saint-A-", "Jean ", "lives in Aa ", "A-", "É'"]
)
def test_a_hostile_text_of_full_length_is_read_to_its_end(unit: str) -> None:
    text = (unit * 8_000)[:8_000]
    words = words_of(text)
    for span in (*names(text, words, None), *places(text, words, None)):
        assert 0 <= span.start < span.end <= len(text)
