"""Made-up names for personas: two plain words, nobody's real name, the same for every reader."""

from __future__ import annotations

from hashlib import blake2b


def name_of(persona: bytes) -> str:
    """The name of a persona id, such as "Quiet Heron": always the same, and nothing is stored.

    Two personas may share a name (one pair in some 90,000); their ids tell them apart.
    """
    number = int.from_bytes(blake2b(persona, digest_size=8, person=b"lounge name").digest())
    first, second = divmod(number % (len(ADJECTIVES) * len(NOUNS)), len(NOUNS))
    return f"{ADJECTIVES[first]} {NOUNS[second]}"


# Chosen to be kind and to mean nothing: no word of medicine, illness, skin, faith, nation, party or
# rank, none that doubles as a common first name, none that is rude in English or French.
# The order is part of the promise: a word added or taken away renames everybody.
_ADJECTIVES = """
Able Active Adept Affable Agile Airy Alpine Ample Amused Apt Ardent Artful Assured Astute Avid Azure
Balanced Balmy Beaming Bold Boreal Bounding Bountiful Brave Breezy Bright Brisk Bronze Bubbly
Buoyant Bustling Calm Candid Carefree Careful Caring Centred Certain Cheerful Chipper Civil Clear
Clever Coastal Cobalt Composed Content Cool Copper Cordial Cosy Courteous Creative Crisp Curious
Dapper Daring Dashing Dauntless Dawning Deft Devoted Diligent Discreet Dulcet Dynamic Eager Early
Earnest Ebullient Elegant Eloquent Emerald Endless Epic Even Evening Exact Fearless Festive Fine
Floating Flowing Fluent Forthright Fragrant Fresh Friendly Frosty Gallant Generous Genial Gentle
Gifted Gilded Glad Gleaming Glowing Golden Graceful Gracious Grateful Handy Happy Hardy Harmonic
Hearty Helpful Honest Hopeful Humble Humming Idyllic Indigo Inland Inspired Intent Intrepid
Inventive Jaunty Jolly Jovial Joyful Jubilant Just Keen Kind Kindly Lasting Laughing Lenient Level
Lilac Lithe Lively Lofty Loyal Lucid Lucky Luminous Lunar Lyrical Mellow Melodic Merry Mighty
Mild Mindful Mirthful Modest Moonlit Morning Mossy Musical Neat Nimble Novel Obliging Ochre Open
Orderly Pastel Patchwork Pearly Peppy Placid Playful Pleasant Plucky Poetic Poised Polished
Polite Practical Prompt Prudent Quick Quiet Radiant Ready Refined Reliable Resolute Restful Roaming
Robust Roving Russet Rustic Sage Seasoned Serene Shining Silken Silver Sincere Singing Smiling Snowy
Soaring Solar Solid Sparkling Spirited Sprightly Spring Starlit Steadfast Steady Stellar Sterling
Still Stoic Strolling Sturdy Suave Subtle Sunlit Sunny Sure Swift Tactful Thankful Thorough
Thoughtful Thrifty Tidal Tidy Timely Tranquil Trim True Trusty Twilight Twinkling Upbeat Upland
Urbane Valiant Velvet Verdant Versed Vibrant Vigilant Vivid Wandering Watchful Welcome Whistling
Windswept Winter Wise Wistful Witty Woodland Worthy Zealous Zesty
"""
_NOUNS = """
Acacia Acorn Agate Alder Almond Alpaca Anchovy Anemone Antelope Apricot Arbor Aspen Aster Atoll
Auklet Avocet Azalea Badger Bamboo Barley Basalt Bay Beluga Bergamot Bilberry Birch Bison Blackbird
Bluebell Bobolink Borage Boulder Bracken Bramble Breeze Briar Bullfinch Bunting Burdock Buttercup
Butterfly Camellia Canyon Capybara Caracal Cardamom Caribou Catalpa Catbird Cedar Chaffinch Chalk
Chamois Chestnut Chickadee Chicory Chinchilla Cicada Citron Clearing Cloud Clover Comet Condor Copse
Cormorant Cornflower Cove Crake Crane Creek Cricket Crocus Crossbill Curlew Currant Cygnet Cypress
Dell Dewdrop Dipper Dolphin Dormouse Dragonfly Drizzle Dune Dunlin Dunnock Echidna Eddy Egret Eider
Elderberry Elk Elm Estuary Falcon Fennec Fern Field Fieldfare Finch Firefly Fjord Flamingo Flicker
Flint Forest Foxtail Freesia Fulmar Galaxy Gardenia Garnet Gazelle Gecko Gentian Geyser Glacier
Glade Gneiss Godwit Goldcrest Goldfinch Gorse Goshawk Granite Grassland Grebe Greenfinch Grosbeak
Grotto Grove Guillemot Harbour Hare Harebell Harrier Hawfinch Hawthorn Hedgehog Heron Hibiscus
Hickory Hillside Horizon Hornbeam Hyacinth Hydrangea Ibex Ibis Iceberg Impala Inlet Island Juniper
Kestrel Kingfisher Kinglet Kittiwake Knoll Koala Kudu Lagoon Lake Lapwing Larch Lark Lavender Ledge
Lemur Leveret Limestone Linden Linnet Llama Lobelia Lupin Lynx Magnolia Mallard Mallow Manatee
Mangrove Maple Marble Margay Marlin Marmot Marsh Marten Meadow Meerkat Mesa Meteor Mimosa Moonbeam
Moorland Moss Mountain Mulberry Muskox Myrtle Narwhal Nightjar Nutmeg Oak Oasis Obsidian Ocean
Ocelot Okapi Onyx Orchard Orchid Oriole Osprey Otter Ouzel Owl Oxbow Paddock Panda Pangolin
Partridge Path Pebble Pelican Penguin Peony Peregrine Petrel Petunia Pheasant Pika Pintail Pipit
Plateau Plover Pond Poplar Porpoise Prairie Primrose Puffin Pumice Pyrite Quail Quartz Quetzal
Quince Quokka Rain Raven Redpoll Redstart Redwing Redwood Reef Reindeer Ridge River Rivulet Roebuck
Rosefinch Rosella Sable Saffron Sandpiper Sandstone Sapphire Savanna Sedge Sequoia Serval Shale
Sheldrake Shore Siskin Skua Skylark Slate Snowdrop Sorrel Sparrow Spinel Spinney Spoonbill Spruce
Squirrel Starling Stoat Stonechat Stork Strait Stream Sumac Summit Sunbeam Sunbird Sunflower Sunrise
Swan Sycamore Tamarack Tamarin Tamarind Tanager Tapir Tarn Teal Tern Thicket Thistle Thrush Thyme
Topaz Toucan Trail Treecreeper Tuff Tulip Tundra Turaco Turnstone Turtle Tussock Valley Verbena
Vicuna Vole Wagtail Wallaby Walnut Warbler Waterfall Waxwing Weaver Wetland Wheatear Whimbrel
Whinchat Wigeon Wildcat Willet Willow Wisteria Wombat Wood Woodlark Yarrow Yucca Zebra Zephyr Zinnia
"""
ADJECTIVES = tuple(_ADJECTIVES.split())
NOUNS = tuple(_NOUNS.split())
