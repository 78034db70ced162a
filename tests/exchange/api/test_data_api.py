"""The Data API of the practice exchange: what it tells of positions and activity, its parameters, limits, orders and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from practice_exchange.world.state import MarketState

from .chain_user import ChainUser

SPECIFICATION = "data-openapi"
HALF = 500_000
STRANGER = "0x" + "ab" * 20


@pytest.fixture
def user() -> ChainUser:
    return ChainUser()


def markets_of(user: ChainUser, count: int, negative_risk: bool = False) -> list[MarketState]:
    found = [
        market
        for market in user.world.register.markets.values()
        if market.trading and market.negative_risk is negative_risk and market is not user.market
    ]
    return found[:count]


def refusal(user: ChainUser, path: str, query: str) -> str:
    status, body = user.ask(path, query)
    assert status == 400, body
    return str(body["error"])


def close(user: ChainUser, market: MarketState, payouts: list[int]) -> None:
    market.payouts_micro, market.stage = payouts, "resolved"
    market.closed, market.closed_ms = True, user.world.now_ms
    user.world.revision += 1


@pytest.mark.fidelity(
    "A position tells size, average price, cost with and without fees, value and profit, each to the micro-dollar",
    area="Data API",
    evidence="specification",
    source=f"{SPECIFICATION}: Position",
)
def test_a_position_adds_up(user: ChainUser) -> None:
    market, token = user.market, user.market.token_ids[0]
    cents = market.book.best_ask_micro // 10_000
    status, bought = user.post(user.order(cents, 10))
    assert status == 200 and bought["status"] == "matched"
    assert user.told("/positions") == []
    user.pass_time(10)
    row = user.told("/positions")[0]
    cost = cents / 10
    assert row["asset"] == token and row["conditionId"] == market.condition_id and row["size"] == 10
    assert row["avgPrice"] == cents / 100 and row["initialValue"] == pytest.approx(cost, abs=1e-9)
    assert row["entryFeesUsdc"] > 0
    assert row["grossInitialValue"] == pytest.approx(cost + row["entryFeesUsdc"], abs=1e-9)
    assert row["currentValue"] == pytest.approx(10 * row["curPrice"], abs=1e-9)
    assert row["cashPnl"] == pytest.approx(row["currentValue"] - cost, abs=1e-9)
    assert row["percentPnl"] == pytest.approx(100 * row["cashPnl"] / cost, abs=1e-5)
    assert (row["totalBought"], row["realizedPnl"]) == (10, 0)
    assert row["oppositeAsset"] == market.token_ids[1] and not row["redeemable"] and not row["mergeable"]
    spent = 10_000_000_000 - user.trading.venue_engine.engine.account(user.wallet.funder).collateral.balance_micro
    assert spent == round((cost + row["entryFeesUsdc"]) * 1_000_000)


@pytest.mark.fidelity(
    "Positions can be asked for by market, event, size, what can be redeemed or merged, and words of the title",
    area="Data API",
    evidence="specification",
    source=f"{SPECIFICATION}: /positions",
)
def test_positions_are_filtered(user: ChainUser) -> None:
    small, large, over = markets_of(user, 3)
    for market, dollars in ((small, 0.5), (large, 9), (over, 5)):
        assert "error" not in user.split(market, round(dollars * 1_000_000))
    close(user, over, [1_000_000, 0])
    assert {row["conditionId"] for row in user.told("/positions")} == {large.condition_id, over.condition_id}
    assert len(user.told("/positions", "sizeThreshold=0")) == 6
    assert {row["asset"] for row in user.told("/positions", f"market={large.condition_id}")} == set(large.token_ids)
    both = f"market={large.condition_id},{over.condition_id}"
    assert len(user.told("/positions", both)) == 4
    assert len(user.told("/positions", f"eventId={large.event_number}&sizeThreshold=0")) >= 2
    assert {row["asset"] for row in user.told("/positions", "redeemable=true")} == set(over.token_ids)
    assert {row["asset"] for row in user.told("/positions", "mergeable=true")} == set(large.token_ids)
    assert {row["asset"] for row in user.told("/positions", f"title={large.question.upper()}")} == set(large.token_ids)
    large.archived = True
    assert {row["asset"] for row in user.told("/positions")} == set(over.token_ids)
    assert len(user.told("/positions", "includeArchived=true")) == 4


@pytest.mark.fidelity(
    "Positions come in the order asked for, largest first unless told otherwise, page by page",
    area="Data API",
    evidence="specification",
    source=f"{SPECIFICATION}: /positions sortBy",
)
@pytest.mark.parametrize(
    ("order", "field"),
    [
        ("", "size"),
        ("TOKENS", "size"),
        ("CURRENT", "currentValue"),
        ("INITIAL", "initialValue"),
        ("CASHPNL", "cashPnl"),
        ("PERCENTPNL", "percentPnl"),
        ("TITLE", "title"),
        ("RESOLVING", "endDate"),
        ("PRICE", "curPrice"),
        ("AVGPRICE", "avgPrice"),
    ],
)
def test_positions_are_sorted(user: ChainUser, order: str, field: str) -> None:
    for number, market in enumerate(markets_of(user, 4)):
        user.split(market, (2 + number) * 1_000_000)
    sort = f"sortBy={order}&" if order else ""
    falling = [row[field] for row in user.told("/positions", sort)]
    assert falling == sorted(falling, reverse=True) and len(falling) == 8
    rising = [row[field] for row in user.told("/positions", f"{sort}sortDirection=ASC")]
    assert rising == sorted(rising)
    pages = [user.told("/positions", f"{sort}limit=3&offset={start}") for start in (0, 3, 6)]
    assert [row[field] for page in pages for row in page] == falling
    assert user.told("/positions", "limit=0") == []


@pytest.mark.fidelity(
    "A redemption has one row for each outcome, and the position is closed with what it realised",
    area="Data API",
    evidence="specification",
    source=f"{SPECIFICATION}: Activity, ClosedPosition",
)
@pytest.mark.parametrize(("payouts", "paid"), [([1_000_000, 0], [6, 0]), ([HALF, HALF], [3, 3])])
def test_redemptions_close_positions(user: ChainUser, payouts: list[int], paid: list[float]) -> None:
    market = markets_of(user, 1)[0]
    user.split(market, 6_000_000)
    close(user, market, payouts)
    assert "error" not in user.redeem(market)
    rows = user.told("/activity", "type=REDEEM&sortDirection=ASC")
    assert [(row["asset"], row["size"], row["usdcSize"]) for row in rows] == [
        (token, 6, amount) for token, amount in zip(market.token_ids, paid, strict=True)
    ]
    assert [(row["outcomeIndex"], row["outcome"]) for row in rows] == list(enumerate(market.outcomes))
    assert user.told("/positions") == []
    closed = user.told("/closed-positions", "sortBy=PRICE")
    assert [row["realizedPnl"] for row in closed] == [amount - 3 for amount in paid]
    assert {row["avgPrice"] for row in closed} == {0.5} and {row["totalBought"] for row in closed} == {6}
    # A second time there is nothing left, and nothing is told of it.
    assert "error" not in user.redeem(market)
    assert len(user.told("/activity", "type=REDEEM")) == 2


@pytest.mark.fidelity(
    "Activity can be asked for by kind, side, time and market; deposits and withdrawals come only when not excluded",
    area="Data API",
    evidence="specification",
    source=f"{SPECIFICATION}: /activity",
)
def test_activity_is_filtered_and_sorted(user: ChainUser) -> None:
    market, other = user.market, markets_of(user, 1)[0]
    begun_s = user.world.now_ms // 1000
    assert user.control("deposit", address=user.wallet.funder, usd=25.5)[0] == 200
    user.pass_time(20)
    user.split(market, 8_000_000)
    user.pass_time(20)
    user.merge(market, 3_000_000)
    user.split(other, 4_000_000)
    # In whole cents at or above the best offer, whatever the tick has become.
    user.post(user.order(-(-market.book.best_ask_micro // 10_000), 10))
    user.pass_time(10)
    assert user.control("withdraw", address=user.wallet.funder, usd=1)[0] == 200

    def kinds(query: str = "") -> list[str]:
        return [row["type"] for row in user.told("/activity", query)]

    assert kinds() == ["TRADE", "SPLIT", "MERGE", "SPLIT"]
    everything = ["WITHDRAWAL", "TRADE", "SPLIT", "MERGE", "SPLIT", "DEPOSIT", "DEPOSIT"]
    assert kinds("excludeDepositsWithdrawals=false") == everything
    assert kinds("excludeDepositsWithdrawals=false&sortDirection=ASC") == everything[::-1]
    assert kinds("type=DEPOSIT") == [] and kinds("type=DEPOSIT&excludeDepositsWithdrawals=false") == ["DEPOSIT"] * 2
    assert kinds("type=SPLIT,MERGE") == ["SPLIT", "MERGE", "SPLIT"] and kinds("type=REWARD") == []
    assert kinds("side=BUY") == ["TRADE"] and kinds("side=SELL") == []
    assert kinds(f"market={other.condition_id}") == ["SPLIT"]
    assert kinds(f"eventId={other.event_number}&type=SPLIT")[0] == "SPLIT"
    assert kinds(f"end={begun_s + 30}") == ["SPLIT"] and kinds(f"start={begun_s + 30}") == ["TRADE", "SPLIT", "MERGE"]
    assert kinds("sortBy=CASH")[0] == "SPLIT" and kinds("sortBy=TOKENS")[0] == "TRADE"
    assert [*kinds("limit=2"), *kinds("limit=2&offset=2")] == kinds()
    trade = user.told("/activity", "type=TRADE")[0]
    assert trade["size"] == 10 and trade["usdcSize"] == pytest.approx(10 * trade["price"])
    split = user.told("/activity", f"market={other.condition_id}")[0]
    assert (split["size"], split["usdcSize"], split["asset"], split["outcomeIndex"]) == (4, 4, "", 999)
    told = user.control("deposit", address=user.wallet.funder, usd=1)[1]
    assert told["transaction_hash"] == user.told("/activity", "excludeDepositsWithdrawals=false")[0]["transactionHash"]


@pytest.mark.fidelity(
    "Trades tell takers alone unless asked otherwise, and can be bounded by amount, side and time",
    area="Data API",
    evidence="specification",
    source=f"{SPECIFICATION}: /trades",
)
def test_trades_are_filtered(user: ChainUser) -> None:
    market = user.market
    user.post(user.order(market.book.best_ask_micro // 10_000, 10))
    cents = market.book.best_bid_micro // 10_000 + 1
    if cents < market.book.best_ask_micro // 10_000:
        resting = user.post(user.order(cents, 20))[1]
        assert resting["status"] == "live"
    user.pass_time(3600)
    taken = user.told("/trades")
    assert [row["side"] for row in taken] == ["BUY"] and taken[0]["size"] == 10
    everything = user.told("/trades", "takerOnly=false")
    assert len(everything) >= len(taken)
    cash = taken[0]["size"] * taken[0]["price"]
    assert len(user.told("/trades", f"filterType=CASH&filterAmount={cash - 0.01}")) == 1
    assert user.told("/trades", f"filterType=CASH&filterAmount={cash + 0.01}") == []
    assert user.told("/trades", "filterType=TOKENS&filterAmount=10.5") == []
    assert user.told("/trades", "side=SELL") == [] and user.told("/trades", f"end={taken[0]['timestamp'] - 1}") == []
    status, public = user.ask("/trades", f"market={market.condition_id}&limit=10000")
    assert status == 200 and taken[0] in public and len({row["proxyWallet"] for row in public}) >= 2
    assert [row["timestamp"] for row in public] == sorted((row["timestamp"] for row in public), reverse=True)


@pytest.mark.fidelity(
    "Whoever asks about nobody is told that a user is required, also when the address is none",
    area="Data API",
    evidence="field report",
    source="answers of the live API to a truncated address",
)
@pytest.mark.parametrize("path", ["/positions", "/closed-positions", "/activity", "/value"])
def test_a_user_is_required(user: ChainUser, path: str) -> None:
    text = "required query param 'user' not provided"
    assert {refusal(user, path, query) for query in ("", "user=", "user=0x12", "user=me")} == {text}
    assert user.ask(path, f"user={STRANGER}")[0] == 200


@pytest.mark.fidelity(
    "Nonsense in a parameter is refused by its name, and deep offsets are never clamped",
    area="Data API",
    evidence="assumed",
    source="",
)
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/positions", "market=0x12"),
        ("/positions", f"market=0x{'ab' * 32}&eventId=3"),
        ("/positions", "eventId=0"),
        ("/positions", "eventId=x"),
        ("/positions", "sizeThreshold=-1"),
        ("/positions", "sizeThreshold=nan"),
        ("/positions", "redeemable=perhaps"),
        ("/positions", "limit=-1"),
        ("/positions", "limit=1.5"),
        ("/positions", "offset=10001"),
        ("/positions", "sortBy=NOPE"),
        ("/positions", "sortDirection=UP"),
        ("/positions", "title=" + "x" * 101),
        ("/closed-positions", "offset=100001"),
        ("/closed-positions", "sortBy=CURRENT"),
        ("/trades", "side=HOLD"),
        ("/trades", "filterType=CASH"),
        ("/trades", "filterAmount=1"),
        ("/trades", "filterType=EURO&filterAmount=1"),
        ("/trades", "offset=10001"),
        ("/trades", "start=-1"),
        ("/activity", "type=GIFT"),
        ("/activity", "offset=5001"),
        ("/activity", "sortBy=PRICE"),
        ("/value", "market=x"),
    ],
)
def test_nonsense_is_refused_by_name(user: ChainUser, path: str, query: str) -> None:
    text = refusal(user, path, f"user={user.wallet.funder}&{query}")
    names = [part.partition("=")[0] for part in query.split("&")]
    assert any(name.lower() in text.lower() for name in names) or "offset" in text, text


def test_more_than_the_limit_is_clamped(user: ChainUser) -> None:
    for market in markets_of(user, 3):
        user.split(market, 2_000_000)
        user.merge(market, 2_000_000)
    assert len(user.told("/activity", "limit=99999")) == 6
    assert (
        len(user.told("/closed-positions", "limit=99999")) == 6 and len(user.told("/closed-positions", "limit=4")) == 4
    )


@pytest.mark.fidelity(
    "The newer form pages by cursor and names the parameter at fault",
    area="Data API",
    evidence="field report",
    source="answers of the live /v2 API in September 2026",
)
def test_the_newer_form_pages_and_refuses(user: ChainUser) -> None:
    for market in markets_of(user, 3):
        user.split(market, 2_000_000)
    seen: list[Any] = []
    cursor = ""
    while True:
        page = user.told("/v2/positions", f"limit=4&cursor={cursor}" if cursor else "limit=4")
        seen += [row["token_id"] for row in page["data"]]
        pagination = page["pagination"]
        assert pagination["has_more"] is (pagination["next_cursor"] is not None)
        if not pagination["has_more"]:
            break
        cursor = pagination["next_cursor"]
    assert len(seen) == len(set(seen)) == 6
    status, body = user.ask("/v2/positions")
    assert status == 400 and body["error"] == "required query param 'user' or 'condition' not provided"
    assert (body["code"], body["parameter"], body["retryable"]) == ("invalid_request", "user", False)
    for query in ("cursor=!!", "cursor=LTE=", "status=NEW", "filter_type=EURO"):
        assert user.ask("/v2/positions", f"user={STRANGER}&{query}")[0] == 400
    condition = markets_of(user, 1)[0].condition_id
    everybody = user.ask("/v2/positions", f"condition_id={condition}")[1]["data"]
    assert {row["proxy_wallet"] for row in everybody} == {user.wallet.funder.lower()}
    assert user.ask("/v2/everything")[0] == 404 and user.ask("/nothing")[0] == 404


def test_it_is_healthy_and_only_answers_questions(user: ChainUser) -> None:
    assert user.ask("/") == (200, {"data": "OK"})
    assert user.exchange.handle("POST", "/data/positions").status == 404


def test_what_is_held_is_what_the_engine_holds(user: ChainUser) -> None:
    """Whatever an account does, its positions have the sizes of its balances."""
    market = user.market
    user.split(market, 12_340_000)
    user.post(user.order(market.book.best_ask_micro // 10_000, 37))
    user.pass_time(10)
    user.merge(market, 2_340_000)
    user.pass_time(600)
    account = user.trading.venue_engine.engine.account(user.wallet.funder)
    told = {row["asset"]: row["size"] for row in user.told("/positions", "sizeThreshold=0")}
    assert told == {
        token: held.balance_micro / 1_000_000 for token, held in account.shares.items() if held.balance_micro
    }
    value = user.told("/value")
    assert value[0]["value"] == pytest.approx(sum(row["currentValue"] for row in user.told("/positions")), abs=1e-6)
    assert user.told("/value", f"market={markets_of(user, 1)[0].condition_id}")[0]["value"] == 0
