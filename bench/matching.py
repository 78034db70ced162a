"""How fast the practice exchange's engine takes orders, by kind, and how that changes with a million orders at rest.

Run `python bench/matching.py`. Seeded; prints messages per second of one core's time (not of a busy machine's clock).
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from random import Random
from time import perf_counter, process_time

from prescient.domain.market import FeeSchedule, Side
from prescient.domain.order import OrderType
from prescient.domain.values import MICRO
from prescient.exchange.markets import MarketSpec
from prescient.exchange.matching import Exchange
from prescient.exchange.orders import OrderRequest, OrderState, Placed
from prescient.exchange.snapshot import load, save

SEED = 7
ACCOUNTS = 50
MARKETS = 20
RICH_MICRO = 10**15
START_MS = 1_790_000_000_000
# Simulated time moves ten times faster than 200,000 messages a second would, so that settlement falls into the runs.
MESSAGES_PER_MS = 20
FEES = FeeSchedule(rate_micro=50_000, rebate_rate_micro=250_000)
GOAL = 200_000


def build(markets: int, fees: FeeSchedule, tick_micro: int = 10_000) -> Exchange:
    """An exchange whose accounts have plenty of dollars and of every share."""
    exchange = Exchange()
    for number in range(markets):
        exchange.list_market(MarketSpec(f"m{number}", (f"y{number}", f"n{number}"), tick_micro=tick_micro, fees=fees))
    for number in range(ACCOUNTS):
        exchange.deposit(f"a{number}", RICH_MICRO)
        for market in range(markets):
            exchange.split(f"a{number}", f"m{market}", RICH_MICRO // 100, START_MS)
    exchange.drain_events()
    return exchange


@dataclass
class Maker:
    """Writes order requests: ids as the wire has them, passive ones on a side of the middle that never crosses."""

    random: Random
    markets: int
    tick_points: int = 100
    number: int = 0

    def request(self, crossing: bool, order_type: OrderType = OrderType.GTC) -> OrderRequest:
        self.number += 1
        random = self.random
        token = random.randrange(2)
        buys = random.random() < 0.5
        steps = 10_000 // self.tick_points
        # Bids for the first token rest below 0.48, bids for the second below 0.48 of its own price.
        own = random.randrange(1, steps * 48 // 100) * self.tick_points
        size = random.randrange(5, 200) * MICRO
        account = random.randrange(ACCOUNTS)
        if crossing:
            own = steps * 60 // 100 * self.tick_points
            size = random.randrange(5, 40) * MICRO
        points = own if buys else 10_000 - own
        dollars = size * points // 10_000
        market = random.randrange(self.markets)
        return OrderRequest(
            f"0x{self.number:064x}",
            f"a{account}",
            f"k{account}",
            f"{'yn'[token]}{market}",
            Side.BUY if buys else Side.SELL,
            order_type,
            dollars if buys else size,
            size if buys else dollars,
        )


def rate(count: int, seconds: float) -> str:
    return f"{count / seconds:>10,.0f}/s  {seconds / count * 1e6:6.2f} us each"


def line(name: str, count: int, seconds: float) -> None:
    print(f"  {name:<44}{rate(count, seconds)}")


def timed_places(exchange: Exchange, requests: list[OrderRequest], start_ms: int) -> float:
    """Place all, emptying the list of events as a server would; return seconds."""
    place, drain = exchange.place, exchange.drain_events
    begin = process_time()
    for index, request in enumerate(requests):
        place(request, start_ms + index // MESSAGES_PER_MS)
        if index & 1023 == 0:
            drain()
    return process_time() - begin


def kinds(title: str, fees: FeeSchedule, count: int) -> None:
    """Each kind of message by itself, then the mix."""
    print(title)
    maker = Maker(Random(SEED), MARKETS)
    exchange = build(MARKETS, fees)
    resting = [maker.request(False) for _ in range(count)]
    line("place, rests", count, timed_places(exchange, resting, START_MS))
    crossing = [maker.request(True) for _ in range(count // 4)]
    line("place, crosses (one trade or more)", len(crossing), timed_places(exchange, crossing, START_MS + 10_000))
    sweeping = [maker.request(True, OrderType.FOK) for _ in range(count // 8)]
    line("place, crosses, fill or kill", len(sweeping), timed_places(exchange, sweeping, START_MS + 20_000))
    pending = sum(1 for trade in exchange.core.trades.values() if trade.status.value == "MATCHED")
    begin = process_time()
    exchange.advance(START_MS + 1_000_000)
    seconds = process_time() - begin
    line("settlement, one trade to CONFIRMED", pending, seconds)
    live = [order for order in exchange.core.orders.values() if order.status is OrderState.LIVE]
    maker.random.shuffle(live)
    begin = process_time()
    for order in live:
        exchange.cancel(order.account_id, order.order_id, START_MS + 1_000_000)
    line("cancel", len(live), process_time() - begin)
    mix(maker, fees, count)


def mix(maker: Maker, fees: FeeSchedule, count: int) -> None:
    """Half places that rest, over a third cancels, the rest crossing orders; trades settle on the way."""
    exchange = build(MARKETS, fees)
    random = maker.random
    open_ids: list[tuple[str, str]] = []
    for _ in range(20_000):
        request = maker.request(False)
        exchange.place(request, START_MS)
        open_ids.append((request.account_id, request.order_id))
    script: list[OrderRequest | tuple[str, str]] = []
    crosses = 0
    for _ in range(count):
        draw = random.random()
        if draw < 0.15:
            crosses += 1
            script.append(maker.request(True))
        elif draw < 0.5 and open_ids:
            index = random.randrange(len(open_ids))
            open_ids[index], open_ids[-1] = open_ids[-1], open_ids[index]
            script.append(open_ids.pop())
        else:
            request = maker.request(False)
            open_ids.append((request.account_id, request.order_id))
            script.append(request)
    place, cancel, drain = exchange.place, exchange.cancel, exchange.drain_events
    refused = 0
    gc.collect()
    begin = process_time()
    for index, message in enumerate(script):
        now_ms = START_MS + index // MESSAGES_PER_MS
        if type(message) is OrderRequest:
            if type(place(message, now_ms)) is not Placed:
                refused += 1
        else:
            cancel(message[0], message[1], now_ms)
        if index & 1023 == 0:
            drain()
    seconds = process_time() - begin
    core = exchange.core
    line(f"mix 50 % rest, 35 % cancel, 15 % cross ({count:,})", count, seconds)
    settled = sum(1 for trade in core.trades.values() if trade.status.value != "MATCHED")
    print(f"    {core.trade_counter:,} trades, {settled:,} of them mined on the way, {crosses:,} crossing, {refused} refused")
    verdict = "met" if count / seconds >= GOAL else "missed"
    print(f"    goal of {GOAL:,}/s: {verdict}, {count / seconds / GOAL:.2f} times")


def curve() -> None:
    """The same messages against ever fuller books: all orders in one market on the finest grid."""
    print("one market, tick 0.0001, by orders at rest (us each, median of 5 rounds)")
    print(f"  {'resting':>10}{'place':>9}{'cancel':>9}{'cross':>9}{'best level':>12}")
    maker = Maker(Random(SEED), 1, tick_points=1)
    exchange = build(1, FEES, tick_micro=100)
    resting = 0
    for goal in (1_000, 10_000, 100_000, 1_000_000):
        while resting < goal:
            exchange.place(maker.request(False), START_MS)
            resting += 1
            if resting & 1023 == 0:
                exchange.drain_events()
        exchange.drain_events()
        rounds = [probe(exchange, maker) for _ in range(5)]
        places, cancels, crosses = (sorted(times)[2] for times in zip(*rounds, strict=True))
        ladder = exchange.market("m0").ladders[0]
        best = ladder.levels[ladder.points[-1]].count
        print(f"  {goal:>10,}{places:>9.2f}{cancels:>9.2f}{crosses:>9.2f}{best:>8} deep")
        resting = sum(level.count for side in exchange.market("m0").ladders for level in side.levels.values())


def probe(exchange: Exchange, maker: Maker) -> tuple[float, float, float]:
    """Place, cancel and cross a fixed number; the book ends as full as it was, but for what the crossings took."""
    requests = [maker.request(False) for _ in range(2_000)]
    crossing = [maker.request(True) for _ in range(500)]
    gc.collect()
    begin = process_time()
    for request in requests:
        exchange.place(request, START_MS)
    placed = process_time()
    for request in requests:
        exchange.cancel(request.account_id, request.order_id, START_MS)
    canceled = process_time()
    for request in crossing:
        exchange.place(request, START_MS)
    end = process_time()
    exchange.drain_events()
    count = len(requests)
    return (
        (placed - begin) / count * 1e6,
        (canceled - placed) / count * 1e6,
        (end - canceled) / len(crossing) * 1e6,
    )


def snapshots(count: int) -> None:
    maker = Maker(Random(SEED), MARKETS)
    exchange = build(MARKETS, FEES)
    for _ in range(count):
        exchange.place(maker.request(False), START_MS)
    exchange.drain_events()
    begin = process_time()
    data = save(exchange)
    saved = process_time()
    same = save(load(data)) == data
    print(f"snapshot of {count:,} orders: {saved - begin:.2f} s to save, {len(data) / 1e6:.0f} MB, restored equal: {same}")


def main() -> None:
    begin = perf_counter()
    kinds(f"{MARKETS} markets without fees, {ACCOUNTS} accounts", FeeSchedule(), 200_000)
    kinds(f"{MARKETS} markets with fees of 5 %", FEES, 200_000)
    curve()
    snapshots(100_000)
    print(f"took {perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
