"""Generates one event of the practice world from its seed and number: texts, markets, hidden outcomes, makers."""

from __future__ import annotations

import re
from hashlib import sha256
from math import exp, log
from random import Random

from polymarket_kit.values import MICRO
from practice_exchange.world import event_templates as recipes
from practice_exchange.world import names as words
from practice_exchange.world.book import UnifiedBook
from practice_exchange.world.event_templates import EVENT_TEMPLATES, EVENT_TEMPLATES_BY_NAME, EventTemplate
from practice_exchange.world.latent_probability import draw_belief, probabilities
from practice_exchange.world.state import Belief, EventState, Maker, MarketState, Rewards, Volume
from practice_exchange.world.timestamps import DAY_MS, HOUR_MS, MINUTE_MS, day_label, to_datetime

GAME_MS = int(2.5 * HOUR_MS)
YES_NO = ["Yes", "No"]
# How often a question ends without an answer and pays half to each side.
VOID_CHANCE = 0.025
DISPUTE_CHANCE = 0.05


def hex_of(*parts: object) -> str:
    return sha256("/".join(map(str, parts)).encode()).hexdigest()


def slugify(text: str) -> str:
    plain = text.lower().replace("°", "").replace("$", "").replace("%", "pct").replace("+", "plus")
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


class EventWriter:
    """Writes event after event; the same seed, number, recipe and moments always give the same event.

    ``breadth`` multiplies the number of options of an event with several, for catalogues of another shape.
    """

    def __init__(self, seed: int, breadth: float = 1.0) -> None:
        self._seed = seed
        self._breadth = breadth
        self._shares = [recipe.share for recipe in EVENT_TEMPLATES]

    def write(
        self, number: int, first_market: int, now_ms: int, recipe_name: str = "", age: float | None = None
    ) -> EventState:
        """``age`` is the part of its life that the event has behind it; None lists it now. Above 1 it has ended."""
        rng = Random(f"{self._seed}/event/{number}")
        recipe = (
            EVENT_TEMPLATES_BY_NAME[recipe_name]
            if recipe_name
            else rng.choices(EVENT_TEMPLATES, weights=self._shares)[0]
        )
        shortest, longest = recipe.hours
        life_ms = int(HOUR_MS * exp(rng.uniform(log(shortest), log(longest))))
        listed_ms = now_ms - int(life_ms * (age or 0.0))
        listed_ms -= listed_ms % MINUTE_MS
        end_ms = (listed_ms + life_ms) // HOUR_MS * HOUR_MS + (5 * MINUTE_MS if recipe.kind == recipes.VERSUS else 0)
        fills = self._fill(recipe, end_ms, rng)
        title = recipe.title.format(**fills)
        event = EventState(
            number=number,
            recipe=recipe.name,
            category=recipe.category,
            title=title,
            slug=f"{slugify(title)}-{number}",
            description=_description(title, recipe),
            tags=[*recipe.tags, *([] if recipe.kind != recipes.UP_DOWN else [fills["coin"].lower()][:1])],
            created_ms=listed_ms - 90 * MINUTE_MS,
            listed_ms=listed_ms,
            end_ms=end_ms,
            markets=[],
            series=slugify(recipe.series.format(**fills)),
            resolution_source=recipe.source,
            featured=rng.random() < 0.05,
            comment_count=int(rng.expovariate(1 / 40)),
        )
        event.tags = [tag for tag in event.tags if tag in words.TAGS]
        if recipe.seconds_delay:
            event.game_start_ms = end_ms - GAME_MS
        _Draft(self._seed, self._breadth, recipe, fills, event, first_market, rng).write()
        event.last_ms = now_ms
        return event

    def _fill(self, recipe: EventTemplate, end_ms: int, rng: Random) -> dict[str, str]:
        fills = {name: rng.choice(values) for name, values in recipe.slots.items()}
        fills["day"], fills["clock"] = day_label(end_ms), to_datetime(end_ms).strftime("%I%p").lstrip("0")
        fills["option"] = ""
        pools = {"nickname": words.NICKNAMES, "player": recipe.slots.get("player", []), "club": words.CLUBS}
        for slot, pool in pools.items():
            if slot in recipe.slots:
                first, second = rng.sample(pool, 2)
                cities = rng.sample(words.CITIES, 2) if slot == "nickname" else ["", ""]
                fills["home"], fills["away"] = f"{cities[0]} {first}".strip(), f"{cities[1]} {second}".strip()
        return fills


class _Draft:
    """The markets of one event while they are being written."""

    def __init__(
        self,
        seed: int,
        breadth: float,
        recipe: EventTemplate,
        fills: dict[str, str],
        event: EventState,
        first_market: int,
        rng: Random,
    ) -> None:
        self.seed, self.breadth, self.recipe, self.fills = seed, breadth, recipe, fills
        self.event, self.first_market, self.rng = event, first_market, rng
        # Money is spread with a heavy tail: a few events have most of it.
        self.liquidity_usd = exp(rng.gauss(log(30_000), 1.3))
        self.turnover = exp(rng.gauss(log(0.55), 0.7)) * max(
            1.0, (8 * DAY_MS / (event.end_ms - event.listed_ms)) ** 0.9
        )

    def write(self) -> None:
        kind = self.recipe.kind
        if kind in (recipes.SINGLE, recipes.UP_DOWN):
            outcomes = ["Up", "Down"] if kind == recipes.UP_DOWN else YES_NO
            self._binary(self.event.title, outcomes, self._level(), 1.0)
        elif kind == recipes.VERSUS:
            self._versus()
        elif kind == recipes.LADDER:
            self._ladder()
        else:
            self._exclusive()
        self.event.end_ms = max(market.end_ms for market in self.event.markets)

    def _level(self) -> float:
        return self.rng.uniform(*self.recipe.level)

    def _believe(self, chances: list[float]) -> Belief:
        belief = draw_belief(chances, self.recipe.strength, self.event.end_ms, self.rng, self.event.game_start_ms)
        self.event.beliefs.append(belief)
        return belief

    def _binary(self, question: str, outcomes: list[str], level: float, weight: float, group: str = "") -> MarketState:
        self._believe([level, 1.0 - level])
        market = self._market(question, outcomes, level, weight, group)
        market.belief = len(self.event.beliefs) - 1
        market.void = self.rng.random() < VOID_CHANCE
        return market

    def _versus(self) -> None:
        home, away = self.fills["home"], self.fills["away"]
        level = self._level()
        self._binary(self.event.title, [home, away], level, 1.0).sports_kind = "moneyline"
        if self.rng.random() < 0.5:
            line = self.rng.randint(1, 9) + 0.5
            spread = self._binary(
                f"Spread: {home} (-{line})", [home, away], max(level - 0.08, 0.2), 0.4, f"Spread -{line}"
            )
            spread.sports_kind = "spreads"
            total = self.rng.randint(2, 220) + 0.5
            totals = self._binary(
                f"{home} vs. {away}: O/U {total}", ["Over", "Under"], self.rng.uniform(0.45, 0.55), 0.4, f"O/U {total}"
            )
            totals.sports_kind = "totals"
        for threshold, market in enumerate(self.event.markets):
            market.group_threshold = threshold
            market.game_start_ms = self.event.game_start_ms
            market.seconds_delay = self.recipe.seconds_delay

    def _count(self, available: int) -> int:
        low, high = self.recipe.option_count
        return max(2, min(available, round(self.rng.randint(low, high) * self.breadth)))

    def _ladder(self) -> None:
        options = self._ladder_options()
        middle = self.rng.randrange(len(options))
        level = self._level()
        centre = log(level / (1 - level))
        step = self.rng.uniform(0.7, 1.3)
        above = [1 / (1 + exp(-(centre - step * (index - middle)))) for index in range(len(options))]
        brackets = [high - low for high, low in zip([1.0, *above], [*above, 0.0], strict=True)]
        self._believe([max(bracket, 1e-4) for bracket in brackets])
        void = self.rng.random() < VOID_CHANCE
        for index, option in enumerate(options):
            weight = 0.35 + 2.2 * above[index] * (1 - above[index])
            market = self._market(self._ask(option), YES_NO, above[index], weight, option.strip('"'))
            market.first, market.beyond = index + 1, len(options) + 1
            market.group_threshold, market.void = index, void

    def _ladder_options(self) -> list[str]:
        if self.recipe.options:
            count = self._count(len(self.recipe.options))
            start = self.rng.randint(0, len(self.recipe.options) - count)
            return list(self.recipe.options[start : start + count])
        base = words.COIN_PRICES[self.fills["coin"]] * self.rng.uniform(0.8, 1.2)
        step = float(f"{base * 0.05:.1g}")
        return [f"${round(base / step) * step + step * index:,.10g}" for index in range(self._count(24))]

    def _exclusive(self) -> None:
        event, recipe, rng = self.event, self.recipe, self.rng
        options = self._options()
        leading = self._level()
        rest = [rng.expovariate(1.0) + 0.02 for _ in options[1:]]
        other = 0.05 * rng.random() + 0.02 if recipe.augmented else 0.0
        spare = (1 - leading - other) / sum(rest)
        chances = [leading, *(part * spare for part in rest)]
        order = (
            rng.sample(range(len(options)), len(options))
            if recipe.name in ("primary", "election")
            else range(len(options))
        )
        chances = [chances[position] for position in order]
        self._believe([*chances, other] if other else chances)
        event.negative_risk, event.negative_risk_augmented = True, recipe.augmented
        event.negative_risk_market_id = "0x" + hex_of(self.seed, "neg", event.number)[:62] + "00"
        for index, option in enumerate(options):
            weight = 0.25 + 1.6 * chances[index]
            market = self._market(self._ask(option), YES_NO, chances[index], weight, option)
            market.first, market.beyond, market.group_threshold = index, index + 1, index
        if recipe.augmented:
            self._placeholders(len(options))
        for market in event.markets:
            market.negative_risk = True
            market.negative_risk_request_id = "0x" + hex_of(self.seed, "request", market.number)
            market.question_id = event.negative_risk_market_id[:-2] + f"{market.group_threshold:02x}"
            if recipe.series == "soccer":
                market.game_start_ms, market.seconds_delay = event.game_start_ms, recipe.seconds_delay

    def _options(self) -> list[str]:
        if self.recipe.name == "soccer":
            return [self.fills["home"], "a draw", self.fills["away"]]
        pool = list(self.recipe.options)
        count = self._count(200 if self._breadth_of_names() else len(pool))
        if not self._breadth_of_names():
            return pool[:count]
        names = self.rng.sample(pool, min(count, len(pool)))
        while len(names) < count:
            names.append(f"{self.rng.choice(words.GIVEN_NAMES)} {self.rng.choice(words.SURNAMES)} {len(names)}")
        return names

    def _breadth_of_names(self) -> bool:
        """Whether the options are names without an order, of which there can be any number."""
        return len(self.recipe.options) > 7

    def _placeholders(self, count: int) -> None:
        """An augmented event keeps room for later options; until they are named nobody should trade them."""
        for index, name in enumerate([*(f"Option {letter}" for letter in words.PLACEHOLDERS[:2]), "Other"]):
            market = self._market(self._ask(name), YES_NO, 0.01, 0.0, name)
            market.maker, market.active, market.placeholder = None, False, True
            market.negative_risk_other = name == "Other"
            market.first, market.beyond = (count, count + 1) if name == "Other" else (0, 0)
            market.group_threshold = count + index
            market.daily_volume_micro = 0
            market.volume = Volume()

    def _ask(self, option: str) -> str:
        wording = f"{option} win" if self.recipe.name == "soccer" and option != "a draw" else option
        return self.recipe.question.format(**{**self.fills, "option": wording})

    def _market(self, question: str, outcomes: list[str], level: float, weight: float, group: str = "") -> MarketState:
        event, rng, recipe = self.event, self.rng, self.recipe
        number = self.first_market + len(event.markets)
        liquidity_usd = self.liquidity_usd * weight * exp(rng.gauss(0.0, 0.5))
        tick_micro = 1_000 if not 0.04 <= level <= 0.96 or liquidity_usd > 150_000 else 10_000
        market = MarketState(
            number=number,
            event_number=event.number,
            condition_id="0x" + hex_of(self.seed, "condition", number),
            question_id="0x" + hex_of(self.seed, "question", number),
            question=question,
            slug=f"{slugify(question)}-{number}",
            description=_description(question, recipe),
            outcomes=list(outcomes),
            token_ids=[str(int(hex_of(self.seed, "token", number, side), 16)) for side in (0, 1)],
            created_ms=event.created_ms,
            listed_ms=event.listed_ms,
            end_ms=event.end_ms,
            tick_micro=tick_micro,
            book=UnifiedBook(),
            volume=Volume(),
            fees=words.FEES[event.category],
            daily_volume_micro=int(liquidity_usd * self.turnover * MICRO),
            rewards=Rewards(
                rng.choice((20, 50, 100, 200)), rng.choice((1.5, 2.5, 3.5, 4.5)), rng.choice((0, 0, 10, 50))
            ),
            group_title=group,
            taker_delay=recipe.kind == recipes.UP_DOWN,
            resolution_source=recipe.source,
            disputes=int(recipe.kind != recipes.UP_DOWN and rng.random() < DISPUTE_CHANCE),
        )
        make_maker(market, level, liquidity_usd, rng)
        event.markets.append(market)
        return market


def chance_of(event: EventState, market: MarketState) -> float:
    """What the informed think now of the market's first outcome."""
    chances = probabilities(event.beliefs[market.belief])
    return sum(chances[market.first : market.beyond])


def _description(question: str, recipe: EventTemplate) -> str:
    source = recipe.source or "a consensus of credible reporting"
    return (
        f'This market will resolve to "Yes" if the answer to "{question}" is affirmative by the end of the stated time, '
        f'in UTC. Otherwise, it will resolve to "No".\n\nIf the event is canceled or cannot be determined within seven '
        f"days, the market will resolve 50-50.\n\nThe resolution source for this market is {source}."
    )


OFFSETS = (0, 1, 2, 3, 4, 6, 9, 13, 18, 25, 34)
# Shares of markets that are not as one would wish them.
EMPTY_CHANCE = 0.015
ONE_SIDED_CHANCE = 0.015
WIDE_CHANCE = 0.05
ILLIQUID_CHANCE = 0.05
REFUSING_CHANCE = 0.015


def make_maker(market: MarketState, level: float, liquidity_usd: float, rng: Random) -> None:
    """Give the market its makers (or none) so that the money behind their first ladder is about ``liquidity_usd``."""
    kind, fine = rng.random(), market.tick_micro < 10_000
    tick_usd = market.tick_micro / 1_000_000
    if kind < EMPTY_CHANCE:
        market.daily_volume_micro = 0
        return
    half_spread = rng.uniform(0.2, 0.6) if liquidity_usd > 8_000 else rng.uniform(0.4, 2.0)
    if EMPTY_CHANCE + ONE_SIDED_CHANCE < kind < EMPTY_CHANCE + ONE_SIDED_CHANCE + WIDE_CHANCE:
        half_spread = rng.uniform(3.0, 9.0)
    elif kind > 1 - ILLIQUID_CHANCE:
        liquidity_usd *= 0.02
        market.daily_volume_micro //= 40
        half_spread = rng.uniform(1.0, 4.0)
    if rng.random() < REFUSING_CHANCE:
        market.accepting_orders = False
    stretch = 3 if fine and 0.1 < level < 0.9 else 1
    offsets = [offset * (stretch if offset > 4 else 1) for offset in reversed(OFFSETS)]
    bid_weights, ask_weights = _weights(rng), _weights(rng)
    money = sum(
        weight * max(level - offset * tick_usd, 0.0) for weight, offset in zip(bid_weights, offsets, strict=True)
    ) + sum(
        weight * max(1 - level - offset * tick_usd, 0.0) for weight, offset in zip(ask_weights, offsets, strict=True)
    )
    # Sizes in hundredths of a share, the venue's step.
    scale = 100 * liquidity_usd / max(money, 0.01)
    bid_shape = [max(int(weight * scale), 500) for weight in bid_weights]
    ask_shape = [max(int(weight * scale), 500) for weight in ask_weights]
    if EMPTY_CHANCE <= kind < EMPTY_CHANCE + ONE_SIDED_CHANCE:
        one_side = rng.random() < 0.5
        bid_shape, ask_shape = (bid_shape, []) if one_side else ([], ask_shape)
    market.maker = Maker(
        half_spread_micro=int(half_spread * market.tick_micro),
        bid_offsets=offsets[: len(bid_shape)],
        bid_shape=bid_shape,
        ask_offsets=offsets[: len(ask_shape)],
        ask_shape=ask_shape,
        near_micro=(bid_shape or ask_shape)[-1] * 10_000,
    )


def _weights(rng: Random) -> list[float]:
    """Relative sizes from the worst level to the best; small at the touch, larger behind it, none alike."""
    return [(0.7 + 0.12 * depth) * exp(rng.gauss(0.0, 0.45)) for depth in reversed(range(len(OFFSETS)))]
