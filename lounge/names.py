"""Made-up names for personas: plain words that English and French spell alike, such as "Lynx Indigo".

One string, the same for every reader: a noun, then an adjective or a colour. The nouns are masculine in
French and the others end alike there, so that it is good French; an English reader knows every word.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b

_PAIRS = 6
_TRIPLES = 4


def candidates(persona: bytes) -> tuple[str, ...]:
    """The names that a persona id may get, the best first: always the same, and nothing is stored.

    The first that is free in its room becomes its own with its first say. The last is free but by a miracle.
    """
    number = _number(persona)
    names = []
    for _ in range(_PAIRS):
        names.append(_pair(number))
        number //= len(NOUNS) * len(ENDINGS)
    for _ in range(_TRIPLES):
        number, place = divmod(number, len(NOUNS) * len(ADJECTIVES) * len(COLOURS))
        place, colour = divmod(place, len(COLOURS))
        noun, adjective = divmod(place, len(ADJECTIVES))
        names.append(f"{NOUNS[noun]} {ADJECTIVES[adjective]} {COLOURS[colour]}")
    names.append(f"{names[-1]} {number % 900_000 + 100_000}")
    return tuple(dict.fromkeys(names))


def tentative(persona: bytes) -> str:
    """What a persona is called before its first say; nearly always also after it."""
    return _pair(_number(persona))


def _number(persona: bytes) -> int:
    return int.from_bytes(blake2b(persona, digest_size=64, person=b"lounge name").digest())


def _pair(number: int) -> str:
    noun, ending = divmod(number % (len(NOUNS) * len(ENDINGS)), len(ENDINGS))
    return f"{NOUNS[noun]} {ENDINGS[ending]}"


@cache
def words() -> frozenset[str]:
    """Every word that a made-up name may hold."""
    return frozenset((*NOUNS, *ENDINGS))


# Chosen to be kind and to mean nothing: no word of medicine, illness, skin, faith, nation, party or rank,
# none that doubles as a common first name, none that is rude in English or French.
# The order is part of the promise: who has not spoken yet is shown the first of her names.
_NOUNS = """
Acacia Adagio Addax Album Allegro Alto Andante Anorak Aquarium Aster Atoll Ballet Bandana Banjo Baobab
Biscuit Bison Blizzard Bongo Boson Boulevard Bouquet Buffet Bulbul Bungalow Cactus Camellia Campus Canyon
Cappuccino Caracal Caramel Caribou Carillon Cassis Catamaran Chalet Chamois Chinchilla Chutney Cirrus
Coati Collage Concerto Condor Confetti Cookie Cosmos Cottage Couscous Crocus Croissant Cube Cumulus
Cyclamen Dahlia Delta Diapason Dolmen Domino Dragon Drongo Dugong Duo Espresso Eucalyptus Fandango Fennec
Festival Ficus Fjord Flamenco Forsythia Forum Foulard Freesia Gala Gecko Geyser Ginkgo Glacier Gong
Gratin Griffon Guanaco Gyroscope Harmonica Hibiscus Hoatzin Horizon Ibis Iceberg Igloo Impala Kakapo
Kayak Ketch Kimono Kinkajou Kiwi Koala Kookaburra Kumquat Lapis Litchi Lotus Lupin Lynx Macadamia Macaron
Madrigal Magnolia Mambo Margay Marimba Massif Menhir Mica Mimosa Mirage Mistral Morpho Motif Myosotis
Nautilus Nectar Neutron Nimbus Nocturne Nougat Numbat Ocelot Okapi Onyx Opus Oratorio Origami Oryx
Panda Panorama Papyrus Parasol Passage Patio Permafrost Philodendron Photon Piano Pixel Plateau
Podium Poncho Portrait Proton Pulsar Puzzle Quartz Quasar Quatrain Quetzal Quinoa Radar Ragtime
Rhododendron Risotto Rondo Satellite Saxophone Scherzo Sedum Serval Sextant Silex Sirocco Sloop Sofa
Solarium Solo Solstice Sonar Sonnet Sorbet Souvenir Sphinx Springbok Stratus Sumac Talisman Tamarin
Tandem Tango Tapir Tempo Tipi Toucan Tramway Trident Trimaran Trio Triton Trombone Vibraphone Village
Voyage Wagon Wapiti Wombat Xylophone Zinnia Zircon
"""
_ADJECTIVES = """
Admirable Adorable Affable Agile Ample Antique Ardent Ascendant Astral Austral Baroque Brave Capable
Central Certain Chic Colossal Content Continental Cordial Diligent Docile Durable Estival Excellent
Extraordinaire Fervent Flamboyant Flexible Floral Formidable Frugal Global Grand Grandiose Honorable
Horizontal Immense Impartial Impeccable Imperturbable Important Incomparable Indulgent Inimitable
Instrumental Intelligent Intense Invisible Iridescent Jovial Local Loyal Luminescent Magistral Mobile
Monumental Musical Naval Noble Nonchalant Notable Oblique Opalescent Optimal Orchestral Original
Pastoral Permanent Pertinent Polyvalent Prudent Radiant Rare Rural Sensible Sentimental Sociable Spatial
Spiral Suave Sublime Tangible Transparent Tropical Unique Variable Vernal Vertical Vibrant Vigilant
Visible Vivace Vocal
"""
_COLOURS = """
Anthracite Aubergine Beige Bordeaux Bronze Cacao Cerise Champagne Chartreuse Chrome Citron Cobalt Cyan
Fuchsia Grenadine Indigo Magenta Marine Mauve Opaline Orange Paprika Pastel Sable Tangerine Taupe
Terracotta Turquoise
"""
NOUNS = tuple(_NOUNS.split())
ADJECTIVES = tuple(_ADJECTIVES.split())
COLOURS = tuple(_COLOURS.split())
ENDINGS = ADJECTIVES + COLOURS
