"""Templates of the practice world's events, one for each kind, from which the catalogue makes plausible ones."""

from __future__ import annotations

from dataclasses import dataclass, field

from practice_exchange.world import names as words

SINGLE = "single"  # one Yes/No market
VERSUS = "versus"  # a game: money line with named outcomes, spread and total beside it
UP_DOWN = "up_down"  # one market, Up or Down, decided by a price feed
EXCLUSIVE = "exclusive"  # a negative-risk event: exactly one of several options
LADDER = "ladder"  # thresholds on one number: reaching 110 means reaching 100


@dataclass(frozen=True)
class EventTemplate:
    """A template. ``hours`` bounds the life of an event from its listing; ``share`` is its weight in the catalogue.

    ``{place}`` and the like are filled from ``slots``; ``{day}`` is the end date and ``{option}`` a market's own option.
    ``level`` bounds the first price: of the first outcome, or of the leading option.
    """

    name: str
    category: str
    kind: str
    title: str
    question: str
    tags: tuple[str, ...]
    hours: tuple[float, float]
    share: float
    slots: dict[str, list[str]] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    option_count: tuple[int, int] = (1, 1)
    strength: float = 1.2
    level: tuple[float, float] = (0.22, 0.74)
    series: str = ""
    source: str = ""
    seconds_delay: int = 0
    augmented: bool = False


PEOPLE = tuple(
    f"{given} {surname}"
    for given, surname in zip(words.GIVEN_NAMES * 2, words.SURNAMES + words.SURNAMES[::-1], strict=False)
)

EVENT_TEMPLATES: tuple[EventTemplate, ...] = (
    EventTemplate("bill", "politics", SINGLE, "Will the {bill} pass by {day}?", "Will the {bill} pass by {day}?",
           ("politics", "us-politics", "congress"), (240, 2600), 5, {"bill": words.BILLS}, level=(0.24, 0.70)),
    EventTemplate("shutdown", "politics", SINGLE, "Government shutdown in {state} by {day}?",
           "Government shutdown in {state} by {day}?",
           ("politics", "us-politics"), (160, 1600), 4, {"state": words.STATES}, level=(0.24, 0.70)),
    EventTemplate("resign", "politics", SINGLE, "{person} out as minister by {day}?", "Will {person} leave office by {day}?",
           ("politics", "world"), (160, 2200), 5, {"person": list(PEOPLE)}, level=(0.08, 0.7)),
    EventTemplate("approval", "politics", LADDER, "Approval rating of {person} on {day}?",
           "Will the approval rating of {person} be {option} or higher on {day}?",
           ("politics", "us-politics"), (72, 500), 4, {"person": list(PEOPLE)}, ("38%", "40%", "42%", "44%", "46%", "48%"),
           (3, 6)),
    EventTemplate("primary", "politics", EXCLUSIVE, "{state} Senate primary winner",
           "Will {option} win the {state} Senate primary?",
           ("politics", "elections", "us-politics"), (500, 3600), 6, {"state": words.STATES}, PEOPLE, (3, 7), level=(0.28,
           0.74), augmented=True),
    EventTemplate("election", "politics", EXCLUSIVE, "{country} presidential election winner",
           "Will {option} win the {country} presidential election?",
           ("politics", "elections", "global-elections", "world"), (300, 4000), 6, {"country": words.COUNTRIES}, PEOPLE, (3,
           10),
           level=(0.28, 0.76), augmented=True),
    EventTemplate("ceasefire", "geopolitics", SINGLE, "{country} ceasefire agreement by {day}?",
           "Will a {country} ceasefire agreement be signed by {day}?",
           ("geopolitics", "world", "foreign-policy"), (200, 3000), 4, {"country": words.COUNTRIES}, level=(0.10, 0.62)),
    EventTemplate("summit", "geopolitics", SINGLE, "Summit held in {city} by {day}?", "Will the leaders meet in {city} by {day}?",
           ("geopolitics", "world"), (120, 1500), 4, {"city": words.CITIES}, level=(0.15, 0.75)),
    EventTemplate("mediator", "geopolitics", EXCLUSIVE, "Which country hosts the {country} talks?",
           "Will {option} host the {country} talks?",
           ("geopolitics", "foreign-policy"), (200, 2000), 2, {"country": words.COUNTRIES}, tuple(words.COUNTRIES), (4, 7),
           level=(0.28, 0.7)),
    EventTemplate("updown_hour", "crypto", UP_DOWN, "{coin} Up or Down - {day}, {clock} UTC",
           "{coin} Up or Down - {day}, {clock} UTC",
           ("crypto", "crypto-prices", "up-or-down", "recurring"), (6, 30), 5, {"coin": words.COINS}, strength=0.9,
           level=(0.46, 0.54),
           series="{coin}-up-or-down-hourly", source="https://data.chain.link/streams"),
    EventTemplate("updown_day", "crypto", UP_DOWN, "{coin} Up or Down on {day}?", "{coin} Up or Down on {day}?",
           ("crypto", "crypto-prices", "up-or-down", "recurring"), (30, 80), 5, {"coin": words.COINS}, strength=0.9,
           level=(0.44, 0.56),
           series="{coin}-up-or-down-daily", source="https://data.chain.link/streams"),
    EventTemplate("price_hit", "crypto", LADDER, "What price will {coin} hit by {day}?", "Will {coin} reach {option} by {day}?",
           ("crypto", "crypto-prices", "hit-price"), (120, 1500), 7, {"coin": words.COINS}, (), (4, 8), level=(0.28, 0.74)),
    EventTemplate("price_above", "crypto", SINGLE, "{coin} above its weekly open on {day}?",
           "Will {coin} be above its weekly open on {day}?",
           ("crypto", "crypto-prices"), (48, 170), 5, {"coin": words.COINS}, level=(0.22, 0.76)),
    EventTemplate("etf", "crypto", SINGLE, "{coin} fund inflows positive in the week of {day}?",
           "Will {coin} funds see net inflows in the week of {day}?",
           ("crypto", "finance"), (60, 340), 3, {"coin": words.COINS}, level=(0.25, 0.72)),
    EventTemplate("fed", "economics", EXCLUSIVE, "Central bank decision on {day}?",
           "Will the rate change be {option} at the {day} meeting?",
           ("economy", "economic-policy", "fed-rates"), (400, 2400), 3, {},
           ("50+ bps decrease", "25 bps decrease", "no change", "25 bps increase", "50+ bps increase"), (5, 5), level=(0.40,
           0.9)),
    EventTemplate("inflation", "economics", EXCLUSIVE, "{country} annual inflation in the {day} release?",
           "Will {country} annual inflation be {option} in the {day} release?",
           ("economy", "economic-policy"), (160, 900), 4, {"country": words.COUNTRIES},
           ("2.4% or lower", "2.5%", "2.6%", "2.7%", "2.8%", "2.9%", "3.0% or higher"), (4, 7), level=(0.28, 0.75)),
    EventTemplate("recession", "economics", SINGLE, "Recession in {country} declared by {day}?",
           "Will a recession in {country} be declared by {day}?",
           ("economy", "world"), (600, 4200), 3, {"country": words.COUNTRIES}, level=(0.06, 0.6)),
    EventTemplate("earnings", "finance", SINGLE, "{company} beats quarterly earnings?",
           "Will {company} beat its quarterly earnings estimate?",
           ("finance", "stocks", "business"), (48, 500), 5, {"company": words.COMPANIES}, level=(0.3, 0.86)),
    EventTemplate("close", "finance", LADDER, "{company} closing price on {day}?", "Will {company} close above {option} on {day}?",
           ("finance", "stocks"), (24, 170), 3, {"company": words.COMPANIES}, ("$110", "$115", "$120", "$125", "$130",
           "$135"), (3, 6)),
    EventTemplate("basketball", "sports", VERSUS, "{home} vs. {away}", "{home} vs. {away}", ("sports", "basketball", "games"),
           (30, 110), 9, {"city": words.CITIES, "nickname": words.NICKNAMES}, level=(0.22, 0.78), series="basketball",
           seconds_delay=3),
    EventTemplate("hockey", "sports", VERSUS, "{home} vs. {away}", "{home} vs. {away}", ("sports", "hockey", "games"),
           (30, 110), 5, {"city": words.CITIES, "nickname": words.NICKNAMES}, level=(0.28, 0.72), series="hockey",
           seconds_delay=3),
    EventTemplate("tennis", "sports", VERSUS, "{city}: {home} vs {away}", "{city}: {home} vs {away}", ("sports", "tennis", "games"),
           (20, 80), 5, {"city": words.CITIES, "player": words.SURNAMES}, level=(0.15, 0.85), series="tennis",
           seconds_delay=1),
    EventTemplate("esports", "sports", VERSUS, "Counter-Strike: {home} vs {away} (BO3)", "Counter-Strike: {home} vs {away} (BO3)",
           ("sports", "esports", "games"), (12, 60), 4, {"player": words.ESPORTS_TEAMS}, level=(0.2, 0.8),
           series="counter-strike", seconds_delay=3),
    EventTemplate("soccer", "sports", EXCLUSIVE, "{home} vs. {away}", "Will {option} in {home} vs. {away} on {day}?", ("sports",
           "soccer", "games"),
           (40, 170), 6, {"club": words.CLUBS}, (), (3, 3), level=(0.32, 0.72), series="soccer", seconds_delay=1),
    EventTemplate("champion", "sports", EXCLUSIVE, "{city} league champion", "Will the {option} win the {city} league?", ("sports",
           "basketball"),
           (700, 4000), 3, {"city": words.CITIES}, tuple(words.NICKNAMES), (5, 9), level=(0.2, 0.55)),
    EventTemplate("film", "culture", EXCLUSIVE, "Best picture at the {city} film awards?",
           "Will {option} win best picture at the {city} film awards?",
           ("pop-culture", "movies", "awards"), (300, 2400), 3, {"city": words.CITIES}, tuple(words.FILMS), (4, 8),
           level=(0.22, 0.66), augmented=True),
    EventTemplate("opening", "culture", LADDER, "Opening weekend of {film}?",
           "Will {film} gross more than {option} in its opening weekend?",
           ("pop-culture", "movies"), (72, 600), 3, {"film": words.FILMS}, ("$40m", "$50m", "$60m", "$70m", "$80m"), (3, 5)),
    EventTemplate("album", "culture", SINGLE, "{artist} releases an album by {day}?", "Will {artist} release an album by {day}?",
           ("pop-culture", "music"), (240, 3600), 4, {"artist": words.ARTISTS}, level=(0.2, 0.65)),
    EventTemplate("model", "tech", EXCLUSIVE, "Which company has the best AI model on {day}?",
           "Will {option} have the best AI model on {day}?",
           ("tech", "ai", "big-tech"), (200, 2200), 3, {}, tuple(words.LABS), (4, 8), level=(0.28, 0.76), augmented=True),
    EventTemplate("release", "tech", SINGLE, "{lab} releases a new model by {day}?", "Will {lab} release a new model by {day}?",
           ("tech", "ai"), (120, 1600), 4, {"lab": words.LABS}, level=(0.30, 0.70)),
    EventTemplate("temperature", "weather", EXCLUSIVE, "Highest temperature in {city} on {day}?",
           "Will the highest temperature in {city} be {option} on {day}?",
           ("weather", "daily-temperature", "climate"), (30, 80), 5, {"city": words.CITIES},
           ("17°C or below", "18°C", "19°C", "20°C", "21°C", "22°C or higher"), (5, 6), strength=1.6, level=(0.28, 0.66),
           series="daily-temperature"),
    EventTemplate("rain", "weather", SINGLE, "Rain in {city} on {day}?", "Will it rain in {city} on {day}?", ("weather", "climate"),
           (30, 120), 3, {"city": words.CITIES}, strength=1.6, level=(0.24, 0.70)),
    EventTemplate("mention", "mentions", LADDER, "What will {person} say on {day}?", "Will {person} say {option} on {day}?",
           ("mention-markets", "politics"), (30, 170), 2, {"person": list(PEOPLE)},
           tuple(f'"{phrase}"' for phrase in words.PHRASES), (3, 6), level=(0.45, 0.8)),
    EventTemplate("launch", "other", SINGLE, "{company} announces a merger by {day}?", "Will {company} announce a merger by {day}?",
           ("business", "other"), (200, 3000), 2, {"company": words.COMPANIES}, level=(0.05, 0.6)),
)  # fmt: skip

EVENT_TEMPLATES_BY_NAME = {recipe.name: recipe for recipe in EVENT_TEMPLATES}
