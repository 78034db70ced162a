"""Vocabulary of the practice world: categories with their fees, tags, and invented names for templates."""

from __future__ import annotations

from practice_exchange.world.state import Fees

# The venue's taker rates and maker rebates by category.
FEES: dict[str, Fees] = {
    "crypto": Fees("crypto_fees_v2", 0.07, 0.20),
    "sports": Fees("sports_fees_v2", 0.05, 0.15),
    "finance": Fees("finance_fees", 0.04, 0.25),
    "politics": Fees("politics_fees", 0.04, 0.25),
    "economics": Fees("economics_fees", 0.05, 0.25),
    "culture": Fees("culture_fees", 0.05, 0.25),
    "weather": Fees("weather_fees", 0.05, 0.25),
    "mentions": Fees("mentions_fees", 0.04, 0.25),
    "tech": Fees("tech_fees", 0.04, 0.25),
    "other": Fees("general_fees", 0.05, 0.25),
    "geopolitics": Fees(),
}

# Ids in the venue's manner by slug, and the labels that are not the slug in capitals.
_TAG_IDS = {
    "sports": 1, "politics": 2, "crypto": 21, "weather": 84, "economy": 100328, "economic-policy": 101800,
    "fed-rates": 100196, "finance": 120, "stocks": 604, "business": 107, "pop-culture": 596, "movies": 53,
    "music": 100229, "awards": 18, "tech": 1401, "ai": 439, "big-tech": 101999, "science": 74,
    "geopolitics": 100265, "world": 101970, "foreign-policy": 101794, "elections": 144, "us-politics": 188,
    "congress": 264, "global-elections": 1597, "crypto-prices": 1312, "bitcoin": 235, "ethereum": 39, "solana": 818,
    "xrp": 101267, "up-or-down": 102127, "hit-price": 102134, "recurring": 101757, "basketball": 28, "football": 10,
    "soccer": 100350, "tennis": 864, "hockey": 899, "esports": 64, "games": 100639, "mention-markets": 100343,
    "climate": 87, "daily-temperature": 103040, "other": 102169, "all": 100215,
}  # fmt: skip
_TAG_LABELS = {
    "pop-culture": "Culture", "ai": "AI", "us-politics": "US Politics", "xrp": "XRP", "up-or-down": "Up or Down",
    "mention-markets": "Mentions",
}  # fmt: skip
# Slug to (id, label).
TAGS: dict[str, tuple[int, str]] = {
    slug: (number, _TAG_LABELS.get(slug, slug.replace("-", " ").title())) for slug, number in _TAG_IDS.items()
}

COINS = ["Bitcoin", "Ethereum", "Solana", "XRP", "Dogecoin", "BNB"]
COIN_PRICES = {"Bitcoin": 96_000, "Ethereum": 3_600, "Solana": 180, "XRP": 2, "Dogecoin": 1, "BNB": 800}

CITIES = [
    "New York", "Chicago", "Miami", "Dallas", "Seattle", "Boston", "Denver", "Atlanta", "Houston", "Phoenix",
    "London", "Paris", "Tokyo", "Seoul", "Toronto", "Madrid", "Berlin", "Sydney", "Mumbai", "Buenos Aires",
]  # fmt: skip
COUNTRIES = [
    "Norway", "Portugal", "Chile", "Kenya", "Slovenia", "Uruguay", "Iceland", "Estonia", "Ghana", "Latvia",
    "Peru", "Denmark", "Panama", "Malta", "Croatia", "Bolivia", "Georgia", "Nepal", "Zambia", "Finland",
]  # fmt: skip
STATES = [
    "Ohio", "Georgia", "Arizona", "Maine", "Iowa", "Nevada", "Michigan", "Oregon", "Virginia", "Colorado",
    "Kansas", "Montana", "Vermont", "Wisconsin", "Minnesota", "Kentucky",
]  # fmt: skip
SURNAMES = [
    "Hallbrook", "Marchetti", "Okonjo", "Vandermeer", "Castellan", "Brightwater", "Sorensen", "Delacroix", "Whitlock",
    "Abernethy", "Kowalczyk", "Ferreira", "Lindqvist", "Ashdown", "Tremaine", "Varga", "Moriarity", "Eastman",
    "Nakamura", "Ostrander", "Pellegrino", "Rosewater", "Stanhope", "Yarborough",
]  # fmt: skip
GIVEN_NAMES = [
    "Alma", "Bram", "Clara", "Dario", "Edith", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Leon", "Mara",
    "Nils", "Opal", "Piers", "Rhea", "Silas", "Tessa", "Viktor",
]  # fmt: skip
NICKNAMES = [
    "Harriers", "Comets", "Lanterns", "Foxes", "Mariners", "Pioneers", "Ravens", "Sentinels", "Monarchs", "Outlaws",
    "Voyagers", "Badgers", "Cyclones", "Falcons", "Herons", "Miners",
]  # fmt: skip
CLUBS = [
    "Northgate United", "Real Alameda", "Dynamo Varna", "Porto Novo FC", "Westhaven City", "Atletico Sur",
    "Sporting Lindau", "Kastrup BK", "Olympique Sete", "Inter Trieste", "Rovers Athlone", "Ajka SC",
]  # fmt: skip
ESPORTS_TEAMS = [
    "Nightglass", "Ember Five", "Quorum", "Static Wolves",
    "Low Tide", "Paper Tigers", "Ninth Gate", "Oblique",
]  # fmt: skip
FILMS = [
    "The Salt Road", "Glass Orchard", "Midnight Cartographer", "Iron Lullaby", "The Ninth Harbor", "Paper Moonrise",
    "A Field of Clocks", "Velvet Thunder", "The Long Thaw", "Signal Fires", "Small Hours", "Cobalt",
]  # fmt: skip
ARTISTS = [
    "Juniper Vale", "The Low Lights", "Marigold", "Castor & Ray",
    "Neon Parish", "Ida Bloom", "Harbour Kids", "Saint Echo",
]  # fmt: skip
LABS = ["Arclight AI", "Northwind Labs", "Basalt", "Meridian Research", "Helix Systems", "Opaline", "Quarry AI", "Tern"]
COMPANIES = [
    "Alderon", "Brightline Motors", "Corvane", "Dunmore Energy",
    "Everwell", "Fathom Robotics", "Gantry", "Helioscope",
]  # fmt: skip
BILLS = [
    "Clean Water Infrastructure Act", "Digital Assets Clarity Act", "Rural Broadband Act", "Housing Supply Act",
    "Permit Reform Act", "Postal Modernization Act", "Patent Quality Act", "Rail Safety Act",
]  # fmt: skip
PHRASES = [
    "inflation", "tariff", "artificial intelligence", "housing", "border",
    "energy", "jobs", "bitcoin", "recession", "peace",
]  # fmt: skip
PLACEHOLDERS = "ABCDEFGHIJKLMNOP"
