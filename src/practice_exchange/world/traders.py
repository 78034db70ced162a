"""The simulated traders of one market: makers quote a ladder, the informed hit stale quotes, noise trades at the touch."""

from __future__ import annotations

from math import log
from random import Random

from polymarket_kit.rules import SIZE_STEP_MICRO
from polymarket_kit.values import MICRO
from practice_exchange.world.history import record_price, record_volume
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import DAY_MS

FINE_TICK_MICRO = 1_000
# Beyond these prices the venue switches a market to the fine tick.
FINE_BELOW_MICRO = 40_000
FINE_ABOVE_MICRO = 960_000
# A usual trade of the noise traders, in dollars.
USUAL_TRADE_MICRO = 60 * MICRO
TAPE_LENGTH = 16
# How often makers put up fresh sizes although their prices stay.
REFRESH_CHANCE = 0.15
# How often they change the sizes when they quote afresh.
RESIZE_CHANCE = 0.3


def visit(market: MarketState, probability: float, elapsed_ms: int, now_ms: int, rng: Random) -> None:
    """One round of everybody: a stale quote is hit, makers quote afresh, noise traders trade what the time allows."""
    fair_micro, tick, book, maker = int(probability * MICRO), market.tick_micro, market.book, market.maker
    changed = False
    if tick > FINE_TICK_MICRO and not FINE_BELOW_MICRO <= fair_micro <= FINE_ABOVE_MICRO:
        _refine_tick(market)
        changed = True
    if (book.ask_prices and book.ask_prices[-1] + tick < fair_micro) or (
        book.bid_prices and book.bid_prices[-1] - tick > fair_micro
    ):
        _informed_trade(market, fair_micro, now_ms)
        changed = True
    if maker is not None and requote(market, fair_micro, rng):
        changed = True
    if _noise_trade(market, elapsed_ms, now_ms, rng):
        changed = True
    if changed:
        # The engine's own time may be slightly ahead of the visit.
        market.changed_ms = max(market.changed_ms, now_ms)
        market.revision += 1
        record_price(market, now_ms // 1000, book.midpoint_micro)


def requote(market: MarketState, fair_micro: int, rng: Random) -> bool:
    """Makers replace their ladder around their estimate, leaning against what they hold; False if it may stay."""
    maker, tick, book = market.maker, market.tick_micro, market.book
    assert maker is not None
    half_spread, centre = maker.half_spread_micro, fair_micro
    if maker.inventory_micro:
        lean = maker.inventory_micro * tick // (40 * maker.near_micro + 1)
        centre -= tick if lean > tick else -tick if lean < -tick else lean
        maker.inventory_micro = maker.inventory_micro * 7 // 8
    best_bid = (centre - half_spread) // tick * tick
    best_ask = -(-(centre + half_spread) // tick) * tick
    if best_bid > MICRO - 2 * tick:
        best_bid = MICRO - 2 * tick
    if best_ask <= best_bid or best_ask < 2 * tick:
        best_ask = max(best_bid + tick, 2 * tick)
    random = rng.random
    if book.best_bid_micro == best_bid and book.best_ask_micro == best_ask and random() > REFRESH_CHANCE:
        return False
    if (not maker.bid_sizes and not maker.ask_sizes) or random() < RESIZE_CHANCE:
        maker.bid_sizes, maker.ask_sizes = _sizes(maker.bid_shape, random()), _sizes(maker.ask_shape, random())
    bid_prices = [best_bid - offset * tick for offset in maker.bid_offsets]
    ask_prices = [best_ask + offset * tick for offset in maker.ask_offsets]
    bid_sizes, ask_sizes = maker.bid_sizes[:], maker.ask_sizes[:]
    if bid_prices and bid_prices[0] < tick:
        beyond = sum(price < tick for price in bid_prices)
        del bid_prices[:beyond], bid_sizes[:beyond]
    if ask_prices and ask_prices[0] > MICRO - tick:
        beyond = sum(price > MICRO - tick for price in ask_prices)
        del ask_prices[:beyond], ask_sizes[:beyond]
    book.quote(bid_prices, bid_sizes, ask_prices, ask_sizes)
    return True


def _sizes(shape: list[int], chance: float) -> list[int]:
    """The shape, in hundredths of a share, times a common factor around one; in micro."""
    scale = int(760 + 528 * chance)
    return [(size * scale >> 10) * SIZE_STEP_MICRO for size in shape]


def _informed_trade(market: MarketState, fair_micro: int, now_ms: int) -> None:
    """Informed traders take every quote that is wrong by more than a tick."""
    is_buy = bool(market.book.ask_prices) and market.book.ask_prices[-1] < fair_micro
    margin = -market.tick_micro if is_buy else market.tick_micro
    take = market.book.take(is_buy, MICRO * MICRO, fair_micro + margin)
    if take.size_micro > 0:
        print_trade(market, now_ms, take.last_price_micro, take.size_micro, is_buy)
        record_volume(market.volume, now_ms, take.notional_micro)


def _noise_trade(market: MarketState, elapsed_ms: int, now_ms: int, rng: Random) -> bool:
    """Trades without information: volume grows with the time that passed, the last one stays visible in the book."""
    expected_micro = market.daily_volume_micro * elapsed_ms // DAY_MS
    random = rng.random
    if expected_micro < USUAL_TRADE_MICRO and random() * USUAL_TRADE_MICRO > expected_micro:
        return False
    book = market.book
    is_buy = random() < 0.5
    prices = book.ask_prices if is_buy else book.bid_prices
    if not prices:
        return False
    # An exponential amount; between two visits makers refill what was taken, so only the last order is seen.
    volume_micro = int(-log(1.0 - random()) * max(expected_micro, USUAL_TRADE_MICRO))
    price = prices[-1]
    last_order_micro = min(volume_micro, int(USUAL_TRADE_MICRO * (0.1 - 3 * log(1.0 - random()))))
    size_micro = last_order_micro * MICRO // price // SIZE_STEP_MICRO * SIZE_STEP_MICRO
    take = book.take(is_buy, size_micro, MICRO if is_buy else 0)
    if take.size_micro == 0:
        return False
    if market.maker is not None:
        market.maker.inventory_micro += -take.size_micro if is_buy else take.size_micro
    print_trade(market, now_ms, take.last_price_micro, take.size_micro, is_buy)
    record_volume(market.volume, now_ms, max(volume_micro, take.notional_micro))
    return True


def print_trade(market: MarketState, now_ms: int, price_micro: int, size_micro: int, is_buy: bool) -> None:
    market.last_trade_micro = price_micro
    market.last_trade_is_buy = is_buy
    tape = market.tape
    tape.append((now_ms, price_micro, size_micro, is_buy))
    if len(tape) > TAPE_LENGTH:
        del tape[0]


def _refine_tick(market: MarketState) -> None:
    """The venue makes a market's tick finer once its price nears an end; it does not go back."""
    market.tick_micro = FINE_TICK_MICRO
    if market.maker is not None:
        market.maker.half_spread_micro = max(market.maker.half_spread_micro // 10, FINE_TICK_MICRO // 3)
