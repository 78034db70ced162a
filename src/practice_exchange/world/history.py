"""A market's price points and traded volume over time, both of bounded size."""

from __future__ import annotations

from bisect import bisect_right
from math import exp, log
from random import Random

from polymarket_kit.values import MICRO
from practice_exchange.world.state import MarketState, Volume
from practice_exchange.world.timestamps import DAY_MS, HOUR_MS

# Two points of a market are at least this far apart.
POINT_SPACING_S = 60
POINTS_MAX = 2_400
CLOSED_SPACING_S = 12 * 3_600
HOURS_KEPT = 24
DAYS_KEPT = 30


def record_price(market: MarketState, now_s: int, price_micro: int) -> None:
    """Remember a midpoint; within the spacing the newest wins, and the older half thins out when there are too many."""
    times, prices = market.history_s, market.history_micro
    if times and now_s - times[-1] < POINT_SPACING_S:
        prices[-1] = price_micro
        return
    times.append(now_s)
    prices.append(price_micro)
    if len(times) > POINTS_MAX:
        half = len(times) // 2
        times[:half] = times[:half:2]
        prices[:half] = prices[:half:2]


def thin_closed(market: MarketState) -> None:
    """Of a closed market the venue tells prices every twelve hours only, so nothing closer is kept."""
    times, prices = market.history_s, market.history_micro
    kept = [0] if times else []
    for index in range(1, len(times)):
        if times[index] - times[kept[-1]] >= CLOSED_SPACING_S or index == len(times) - 1:
            kept.append(index)
    market.history_s = [times[index] for index in kept]
    market.history_micro = [prices[index] for index in kept]


def price_at(market: MarketState, moment_s: int) -> int | None:
    """The last known price at a moment, or None before the first."""
    index = bisect_right(market.history_s, moment_s)
    return market.history_micro[index - 1] if index else None


def record_volume(volume: Volume, now_ms: int, amount_micro: int) -> None:
    """Add traded dollars to the total and to the hour's bucket."""
    hour = now_ms // HOUR_MS
    if hour != volume.hour:
        roll_volume(volume, hour)
    volume.total_micro += amount_micro
    volume.by_hour[-1] += amount_micro
    volume.by_day[-1] += amount_micro


def roll_volume(volume: Volume, hour: int) -> None:
    """Advance the buckets to an hour: the newest hour and day are last."""
    if not volume.by_hour:
        volume.by_hour, volume.by_day = [0] * HOURS_KEPT, [0] * DAYS_KEPT
        volume.hour = hour
        return
    passed = hour - volume.hour
    if passed <= 0:
        return
    days = hour // 24 - volume.hour // 24
    volume.hour = hour
    _shift(volume.by_hour, min(passed, HOURS_KEPT))
    if days:
        _shift(volume.by_day, min(days, DAYS_KEPT))


def _shift(buckets: list[int], places: int) -> None:
    for _ in range(places):
        del buckets[0]
        buckets.append(0)


def volumes_micro(volume: Volume, now_ms: int) -> tuple[int, int, int]:
    """Dollars traded in the last day, week and month. Looking changes nothing."""
    if not volume.by_hour:
        return 0, 0, 0
    hour, by_day = now_ms // HOUR_MS, volume.by_day
    if hour <= volume.hour:
        day, week, month = sum(volume.by_hour), sum(by_day[-7:]), sum(by_day)
    else:
        days = hour // 24 - volume.hour // 24
        day, month = sum(volume.by_hour[hour - volume.hour :]), sum(by_day[days:])
        week = sum(by_day[days - 7 :]) if days < 7 else 0
    return day, max(day, week), max(day, month)


def invent_past(market: MarketState, now_ms: int, rng: Random) -> None:
    """Give a market that is older than the world a plausible past: prices walking back from now, volume by day."""
    price = min(max(market.book.midpoint_micro, 2_000), MICRO - 2_000) / MICRO
    odds, now_s, listed_s = log(price / (1 - price)), now_ms // 1000, market.listed_ms // 1000
    gauss = rng.gauss
    times, prices, moment_s = [now_s], [market.book.midpoint_micro], now_s
    for count, step_s in ((48, 3_600), (40, 21_600), (30, 86_400)):
        spread = 0.05 * (step_s / 3_600) ** 0.5
        for _ in range(count):
            moment_s -= step_s
            if moment_s < listed_s:
                break
            odds = odds * 0.998 + gauss(0.0, spread)
            times.append(moment_s)
            prices.append(round(1 / (1 + exp(-odds)) * 2_000) * 500)
    market.history_s, market.history_micro = times[::-1], prices[::-1]


def invent_volume(market: MarketState, now_ms: int, rng: Random) -> None:
    """Trade the days since the listing, at the market's own daily volume."""
    roll_volume(market.volume, now_ms // HOUR_MS)
    days = max(now_ms - market.listed_ms, HOUR_MS) / DAY_MS
    daily = market.daily_volume_micro
    total = 0
    for day in range(min(int(days) + 1, DAYS_KEPT)):
        part = int(daily * min(days - day, 1.0) * -log(1.0 - rng.random()) * 0.98)
        market.volume.by_day[-1 - day] = part
        total += part
    older = int(daily * max(days - DAYS_KEPT, 0.0) * (0.5 + rng.random()))
    hourly = market.volume.by_day[-1] // 24 + (market.volume.by_day[-2] // 48 if days > 1 else 0)
    hours = min(int(days * 24) + 1, HOURS_KEPT)
    market.volume.by_hour = [0] * (HOURS_KEPT - hours) + [hourly] * hours
    market.volume.total_micro = max(total + older, hourly * hours)
