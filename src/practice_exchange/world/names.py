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

# Slug to (id, label), ids in the venue's manner.
TAGS: dict[str, tuple[int, str]] = {
    "sports": (1, "Sports"),
    "politics": (2, "Politics"),
    "crypto": (21, "Crypto"),
    "weather": (84, "Weather"),
    "economy": (100328, "Economy"),
    "economic-policy": (101800, "Economic Policy"),
    "fed-rates": (100196, "Fed Rates"),
    "finance": (120, "Finance"),
    "stocks": (604, "Stocks"),
    "business": (107, "Business"),
    "pop-culture": (596, "Culture"),
    "movies": (53, "Movies"),
    "music": (100229, "Music"),
    "awards": (18, "Awards"),
    "tech": (1401, "Tech"),
    "ai": (439, "AI"),
    "big-tech": (101999, "Big Tech"),
    "science": (74, "Science"),
    "geopolitics": (100265, "Geopolitics"),
    "world": (101970, "World"),
    "foreign-policy": (101794, "Foreign Policy"),
    "elections": (144, "Elections"),
    "us-politics": (188, "US Politics"),
    "congress": (264, "Congress"),
    "global-elections": (1597, "Global Elections"),
    "crypto-prices": (1312, "Crypto Prices"),
    "bitcoin": (235, "Bitcoin"),
    "ethereum": (39, "Ethereum"),
    "solana": (818, "Solana"),
    "xrp": (101267, "XRP"),
    "up-or-down": (102127, "Up or Down"),
    "hit-price": (102134, "Hit Price"),
    "recurring": (101757, "Recurring"),
    "basketball": (28, "Basketball"),
    "football": (10, "Football"),
    "soccer": (100350, "Soccer"),
    "tennis": (864, "Tennis"),
    "hockey": (899, "Hockey"),
    "esports": (64, "Esports"),
    "games": (100639, "Games"),
    "mention-markets": (100343, "Mentions"),
    "climate": (87, "Climate"),
    "daily-temperature": (103040, "Daily Temperature"),
    "other": (102169, "Other"),
    "all": (100215, "All"),
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
    "Nightglass",
    "Ember Five",
    "Quorum",
    "Static Wolves",
    "Low Tide",
    "Paper Tigers",
    "Ninth Gate",
    "Oblique",
]
FILMS = [
    "The Salt Road", "Glass Orchard", "Midnight Cartographer", "Iron Lullaby", "The Ninth Harbor", "Paper Moonrise",
    "A Field of Clocks", "Velvet Thunder", "The Long Thaw", "Signal Fires", "Small Hours", "Cobalt",
]  # fmt: skip
ARTISTS = [
    "Juniper Vale",
    "The Low Lights",
    "Marigold",
    "Castor & Ray",
    "Neon Parish",
    "Ida Bloom",
    "Harbour Kids",
    "Saint Echo",
]
LABS = ["Arclight AI", "Northwind Labs", "Basalt", "Meridian Research", "Helix Systems", "Opaline", "Quarry AI", "Tern"]
COMPANIES = [
    "Alderon",
    "Brightline Motors",
    "Corvane",
    "Dunmore Energy",
    "Everwell",
    "Fathom Robotics",
    "Gantry",
    "Helioscope",
]
BILLS = [
    "Clean Water Infrastructure Act", "Digital Assets Clarity Act", "Rural Broadband Act", "Housing Supply Act",
    "Permit Reform Act", "Postal Modernization Act", "Patent Quality Act", "Rail Safety Act",
]  # fmt: skip
PHRASES = [
    "inflation",
    "tariff",
    "artificial intelligence",
    "housing",
    "border",
    "energy",
    "jobs",
    "bitcoin",
    "recession",
    "peace",
]
PLACEHOLDERS = "ABCDEFGHIJKLMNOP"
