"""How fast the practice exchange's engine takes orders, by kind, and how that changes with a million orders at rest.

Run `python bench/matching.py`. Seeded, one process, under a minute. Every figure is printed twice: over all messages, and
over the fastest tenth of slices of 200, which others on the machine disturb least. The goal counts all messages.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from time import perf_counter

from polymarket_kit.model import FeeSchedule, OrderType, Side
from polymarket_kit.values import MICRO
from practice_exchange.app.process import tune_garbage_collection
from practice_exchange.engine.markets import MarketSpec
from practice_exchange.engine.matching import Exchange
from practice_exchange.engine.orders import OrderRequest, OrderState, Placed
from practice_exchange.engine.settlement import TradeStatus
from practice_exchange.engine.snapshot import load, save

SEED = 7
ACCOUNTS = 50
MARKETS = 20
RICH_MICRO = 10**15
START_MS = 1_790_000_000_000
# Simulated time runs ten times faster than 200,000 messages a second, so that settlement falls into the runs.
MESSAGES_PER_MS = 20
FEES = FeeSchedule(rate_micro=50_000, rebate_rate_micro=250_000)
GOAL = 200_000
SLICE = 200
# So many messages a millisecond that time stands still.
FROZEN = 10**9

Message = OrderRequest | tuple[str, str]


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
class Writer:
    """Writes order requests: ids as the wire has them, passive ones on a side of the middle that never crosses."""

    random: Random
    markets: int
    tick_points: int = 100
    # Shares of crossing orders; resting ones have 5 to 199.
    crossing_sizes: tuple[int, int] = (5, 40)
    number: int = 0

    def request(self, crossing: bool, order_type: OrderType = OrderType.GTC) -> OrderRequest:
        self.number += 1
        random = self.random
        token = random.randrange(2)
        buys = random.random() < 0.5
        steps = 10_000 // self.tick_points
        # Bids for each token rest below 0.48 of its own price; a crossing order goes up to 0.60.
        own = random.randrange(1, steps * 48 // 100) * self.tick_points
        size = random.randrange(5, 200) * MICRO
        account = random.randrange(ACCOUNTS)
        if crossing:
            own = steps * 60 // 100 * self.tick_points
            size = random.randrange(*self.crossing_sizes) * MICRO
        points = own if buys else 10_000 - own
        dollars = size * points // 10_000
        return OrderRequest(
            f"0x{self.number:064x}",
            f"a{account}",
            f"k{account}",
            f"{'yn'[token]}{random.randrange(self.markets)}",
            Side.BUY if buys else Side.SELL,
            order_type,
            dollars if buys else size,
            size if buys else dollars,
        )

    def requests(self, count: int, crossing: bool, order_type: OrderType = OrderType.GTC) -> Iterator[list[Message]]:
        for _ in range(count // SLICE):
            yield [self.request(crossing, order_type) for _ in range(SLICE)]

    def mix(self, exchange: Exchange, count: int) -> Iterator[list[Message]]:
        """Half places that rest, 40 % cancels of what rests, 10 % crossing orders, on a book that is already full."""
        random = self.random
        resting: list[tuple[str, int]] = []
        for _ in range(20_000):
            request = self.request(False)
            exchange.place(request, START_MS)
            resting.append((request.account_id, self.number))
        exchange.drain_events()
        for _ in range(count // SLICE):
            script: list[Message] = []
            for _ in range(SLICE):
                draw = random.random()
                if draw < 0.1:
                    script.append(self.request(True))
                elif draw < 0.5:
                    index = random.randrange(len(resting))
                    resting[index], resting[-1] = resting[-1], resting[index]
                    script.append(cancel_of(*resting.pop()))
                else:
                    request = self.request(False)
                    resting.append((request.account_id, self.number))
                    script.append(request)
            yield script


def cancel_of(account_id: str, number: int) -> tuple[str, str]:
    """A cancel with strings of its own, as they come from a decoder."""
    return f"{account_id}", f"0x{number:064x}"


def cancels(resting: list[tuple[str, int]]) -> Iterator[list[Message]]:
    for first in range(0, len(resting) - SLICE + 1, SLICE):
        yield [cancel_of(*named) for named in resting[first : first + SLICE]]


def run(
    exchange: Exchange, slices: Iterable[list[Message]], start_ms: int, per_ms: int = MESSAGES_PER_MS
) -> tuple[list[float], int]:
    """Send all, taking the events away as a server would; return seconds of each slice and how many were refused.

    Messages are written slice by slice outside the time, as a decoder would just have made them.
    """
    place, cancel, drain = exchange.place, exchange.cancel, exchange.drain_events
    times: list[float] = []
    refused = 0
    gc.collect()
    for number, messages in enumerate(slices):
        now_ms = start_ms + number * SLICE // per_ms
        begin = perf_counter()
        for message in messages:
            if isinstance(message, OrderRequest):
                if type(place(message, now_ms)) is not Placed:
                    refused += 1
            else:
                cancel(message[0], message[1], now_ms)
        drain()
        times.append(perf_counter() - begin)
    return times, refused


def fastest(times: list[float]) -> float:
    """Seconds of a slice of the fastest tenth, on average."""
    tenth = sorted(times)[: max(len(times) // 10, 1)]
    return sum(tenth) / len(tenth)


def line(name: str, times: list[float]) -> float:
    """Print both figures; return the rate over all messages: the fastest slices are also those with the easiest mix."""
    overall, undisturbed = SLICE * len(times) / sum(times), SLICE / fastest(times)
    print(f"  {name:<40}{overall:>10,.0f}/s{undisturbed:>14,.0f}/s{1e6 / undisturbed:>9.2f} us")
    return overall


def kinds(title: str, fees: FeeSchedule, count: int) -> None:
    """Each kind of message by itself, then the mix."""
    print(f"{title:<42}{'all':>12}{'undisturbed':>16}{'each':>12}")
    writer = Writer(Random(SEED), MARKETS)
    exchange = build(MARKETS, fees)
    line("place, rests", run(exchange, writer.requests(count, False), START_MS)[0])
    line("place, crosses", run(exchange, writer.requests(count // 4, True), START_MS, FROZEN)[0])
    line(
        "place, crosses, fill or kill",
        run(exchange, writer.requests(count // 8, True, OrderType.FOK), START_MS, FROZEN)[0],
    )
    resting = [order for order in exchange.core.orders.values() if order.status is OrderState.LIVE]
    named = [(order.account_id, int(order.order_id, 16)) for order in resting]
    writer.random.shuffle(named)
    line("cancel", run(exchange, cancels(named), START_MS, FROZEN)[0])
    trades = exchange.core.trade_counter
    begin = perf_counter()
    exchange.advance(START_MS + 1_000_000)
    print(f"  {'settlement, a trade to CONFIRMED':<40}{trades / (perf_counter() - begin):>10,.0f}/s")
    exchange = build(MARKETS, fees)
    times, refused = run(exchange, writer.mix(exchange, count), START_MS)
    settled = sum(trade.status is not TradeStatus.MATCHED for trade in exchange.core.trades.values())
    rate = line("mix: 50 % rest, 40 % cancel, 10 % cross", times)
    print(f"    {exchange.core.trade_counter:,} trades, {settled:,} of them settled on the way, {refused} refused")
    print(f"    goal of {GOAL:,} messages a second: {'met' if rate >= GOAL else 'missed'}, {rate / GOAL:.2f} times")


def curve() -> None:
    """The same messages against ever fuller books: all orders in one market on the finest grid."""
    print("one market, tick 0.0001, undisturbed us each by orders at rest")
    print(f"  {'resting':>10}{'place':>9}{'cancel':>9}{'cross':>9}{'per level':>12}")
    # Crossing orders as small as the smallest resting one: each meets one maker, however full the book.
    writer = Writer(Random(SEED), 1, tick_points=1, crossing_sizes=(5, 6))
    exchange = build(1, FEES, tick_micro=100)
    resting = 0
    for goal in (1_000, 10_000, 100_000, 1_000_000):
        while resting < goal:
            exchange.place(writer.request(False), START_MS)
            resting += 1
            if resting & 1023 == 0:
                exchange.drain_events()
        exchange.drain_events()
        gc.collect()
        micros = probe(exchange, writer)
        ladders = exchange.market("m0").ladders
        resting = sum(level.count for ladder in ladders for level in ladder.levels.values())
        levels = sum(len(ladder.points) for ladder in ladders)
        print(f"  {goal:>10,}{''.join(f'{micro:>9.2f}' for micro in micros)}{resting / levels:>12.1f}")


def probe(exchange: Exchange, writer: Writer) -> list[float]:
    """Place, cancel and cross; the book ends as full as it was, but for what the crossings took."""
    first = writer.number + 1
    requests = list(writer.requests(10_000, False))
    placed = [message for messages in requests for message in messages if isinstance(message, OrderRequest)]
    named = [(request.account_id, first + index) for index, request in enumerate(placed)]
    sources = (requests, cancels(named), writer.requests(2_000, True))
    return [fastest(run(exchange, slices, START_MS, FROZEN)[0]) / SLICE * 1e6 for slices in sources]


def snapshots(count: int) -> None:
    writer = Writer(Random(SEED), MARKETS)
    exchange = build(MARKETS, FEES)
    for _ in range(count):
        exchange.place(writer.request(False), START_MS)
    begin = perf_counter()
    data = save(exchange)
    saved = perf_counter()
    restored = load(data)
    loaded = perf_counter()
    print(
        f"snapshot of {count:,} resting orders: {saved - begin:.2f} s to save {len(data) / 1e6:.0f} MB, "
        f"{loaded - saved:.2f} s to load, equal after: {save(restored) == data}"
    )


def timed(part: Callable[[], None]) -> float:
    begin = perf_counter()
    part()
    gc.collect()
    return perf_counter() - begin


def main() -> None:
    # As in the process that serves it: by Python's own thresholds a fifth of the time goes into looking for garbage.
    tune_garbage_collection()
    seconds = timed(lambda: kinds(f"{MARKETS} markets without fees", FeeSchedule(), 100_000))
    seconds += timed(lambda: kinds(f"{MARKETS} markets with fees and rebates", FEES, 100_000))
    seconds += timed(curve)
    seconds += timed(lambda: snapshots(100_000))
    print(f"took {seconds:.0f} s")


if __name__ == "__main__":
    main()
