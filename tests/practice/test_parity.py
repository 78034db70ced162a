"""Paper gives what the exchange gives: the same order flow to both, order by order, to the micro-dollar."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from prescient.trading.resting import OrderNotOpen, cancel_order

from .parity import ACCOUNT, Flow, Pair

ROUNDS = 16
ORDERS_PER_MARKET = 4


async def check_makers(pair: Pair, flow: Flow) -> None:
    for order_id in flow.resting:
        paper, real = await pair.filled_on_paper(order_id), pair.filled_on_exchange(order_id)
        assert paper <= real, f"{order_id}: paper filled {paper}, the exchange {real}"


async def cancel_some(pair: Pair, flow: Flow) -> None:
    """Take back one order in eight, both ways."""
    for order_id in flow.resting:
        if flow.random.random() < 0.12:
            pair.traded.engine.cancel(ACCOUNT, order_id, pair.traded.now_ms)
            try:
                await cancel_order(pair.desk, order_id)
            except OrderNotOpen:
                continue


@pytest.mark.fidelity(
    "Paper gives takers the practice exchange's fills and fees to the micro-dollar, and resting orders never more",
    area="Paper",
    evidence="assumed",
    source="paper and practice hold the same rules; what backs these stands above",
)
@pytest.mark.parametrize("seed", [7, 11])
async def test_takers_get_the_same_and_makers_never_more(seed: int) -> None:
    pair = await Pair(seed).open()
    flow = Flow(pair, Random(f"parity {seed}"))
    seen: Counter[str] = Counter()
    for market in pair.markets:
        _, paper, real = await flow.endow(market)
        assert paper == real and paper.matches
    for _ in range(ROUNDS):
        await pair.step(flow.random.choice((1, 5, 30, 120)))
        await check_makers(pair, flow)
        for market in pair.markets:
            if market.condition_id in pair.crossed:
                seen["crossed"] += 1
                continue
            for _ in range(ORDERS_PER_MARKET):
                order_id, paper, real = await flow.next(market)
                assert paper == real, f"{order_id} in {market.slug}: paper {paper}, the exchange {real}"
                seen["orders"] += 1
                seen["refused" if paper.refused else "matched" if paper.matches else "rested"] += 1
        await check_makers(pair, flow)
        await cancel_some(pair, flow)
    filled = [await pair.filled_on_paper(order_id) for order_id in flow.resting]
    real = [pair.filled_on_exchange(order_id) for order_id in flow.resting]
    print(f"seed {seed}: {dict(seen)}; makers: paper {sum(filled)}, exchange {sum(real)} micro-shares")
    assert seen["orders"] > 200 and min(seen["refused"], seen["matched"], seen["rested"]) > 10
    # Resting orders do fill on paper, or this would prove nothing.
    assert sum(filled) > 0
