"""The makers of a new market: how wide, how deep and how evenly they quote, depending on their capital."""

from __future__ import annotations

from math import exp
from random import Random

from practice_exchange.world.state import Maker, MarketState

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
