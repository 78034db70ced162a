"""The venue's newest SDK, unpatched, splits, merges, redeems, converts, approves and reads positions on the practice exchange."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from polymarket._internal.actions.relayer.calls import TransactionCall
from polymarket.auth import RelayerApiKey
from polymarket.clients.async_secure import AsyncSecureClient
from polymarket.clients.secure import SecureClient
from polymarket.errors import RequestRejectedError, TransactionFailedError, UserInputError
from polymarket.models.data.activity import Activity, UnknownActivity
from polymarket.transactions import MergeMarketConditionRequest, MergeMarketIdRequest
from polymarket.types import EvmAddress, HexString

from polymarket_kit.signing.contracts import DOLLARS, NEGATIVE_RISK_ADAPTER, SHARES, STANDARD_ADAPTER
from polymarket_kit.signing.eip712 import SigningKey, bytes32, uint256
from polymarket_kit.signing.wallets import deposit_wallet
from practice_exchange.app.server import PracticeServer
from practice_exchange.chain.calldata import CONVERT
from practice_exchange.chain.draft import balance_of
from practice_exchange.engine.accounts import COLLATERAL
from practice_exchange.world.timestamps import SECOND_MS

from .sdk_wallets import client_of_wallet, event_of, outside_of, resolve, sdk_client
from .test_trading_sdk import environment_of, world_of
from .trading_http import serve_in_thread
from .trading_venue import WALLET_TYPES, open_exchange, quiet_market, trading_of, wallet_of_type

SDK = "polymarket-client 0.14.0"
TEN = 10_000_000
FRESH_KEY = "0x" + "5a" * 32


@pytest.fixture
async def server() -> AsyncIterator[PracticeServer]:
    async with open_exchange() as served:
        yield served


def balance(server: PracticeServer, account_id: str, asset: str = COLLATERAL) -> int:
    return balance_of(trading_of(server).venue_engine, account_id, asset)


def amount_of(row: Activity) -> Decimal:
    assert not isinstance(row, UnknownActivity)
    return Decimal(row.amount)


def settle(server: PracticeServer) -> None:
    """Let ten seconds pass, in which every trade is mined and confirmed."""
    world = world_of(server)
    for _ in server.exchange.step_slices(world.now_ms + 10 * SECOND_MS):
        pass
    trading_of(server).advance()


@pytest.mark.fidelity(
    "Collateral is split into complete sets, merged back and redeemed after the resolution, from every kind of wallet",
    area="Chain and relayer",
    evidence="official client",
    source=f"{SDK}: split_position, merge_positions, redeem_positions",
)
@pytest.mark.parametrize("negative_risk", [False, True])
@pytest.mark.parametrize("wallet_type", WALLET_TYPES)
async def test_the_sdk_splits_merges_and_redeems(server: PracticeServer, wallet_type: str, negative_risk: bool) -> None:
    market = quiet_market(world_of(server), negative_risk)
    wallet = wallet_of_type(trading_of(server), wallet_type)
    first, second = market.token_ids
    before = balance(server, wallet.funder)
    async with await client_of_wallet(server, wallet) as client:
        split = await client.split_position(condition_id=market.condition_id, amount=TEN)
        assert (await split.wait()).transaction_hash.startswith("0x")
        assert [balance(server, wallet.funder, token) for token in (first, second)] == [TEN, TEN]
        assert balance(server, wallet.funder) == before - TEN
        merged = await client.merge_positions(condition_id=market.condition_id, amount=4_000_000)
        await merged.wait()
        assert [balance(server, wallet.funder, token) for token in (first, second)] == [6_000_000, 6_000_000]
        with pytest.raises(UserInputError, match="exceeds the maximum mergeable"):
            await client.merge_positions(condition_id=market.condition_id, amount=TEN)
        held = [position async for page in client.list_positions() for position in page.items]
        assert {position.asset_id: position.current_size for position in held} == {
            first: Decimal(6),
            second: Decimal(6),
        }
        assert {position.avg_price for position in held} == {Decimal("0.5")} and all(each.mergeable for each in held)
        resolve(server, [market], winner=0)
        ripe = [each async for page in client.list_positions(status="REDEEMABLE") for each in page.items]
        assert {each.current_value for each in ripe} == {Decimal(6), Decimal(0)} and all(
            each.redeemable for each in ripe
        )
        redeemed = await client.redeem_positions(condition_id=market.condition_id)
        await redeemed.wait()
        assert balance(server, wallet.funder) == before
        assert [balance(server, wallet.funder, token) for token in (first, second)] == [0, 0]
        rows = [row async for page in client.list_activity() for row in page.items]
        assert [str(row.type) for row in rows] == ["REDEEM", "REDEEM", "MERGE", "SPLIT", "DEPOSIT"]
        assert sorted(amount_of(row) for row in rows[:2]) == [Decimal(0), Decimal(6)]
        over = [each async for page in client.list_positions(status="CLOSED") for each in page.items]
        assert {each.realized_pnl for each in over} == {Decimal(3), Decimal(-3)}


@pytest.mark.fidelity(
    "Several markets are merged in one batch, and a market is redeemed by its number",
    area="Chain and relayer",
    evidence="official client",
    source=f"{SDK}: merge_multiple_positions",
)
@pytest.mark.parametrize("wallet_type", WALLET_TYPES)
async def test_the_sdk_merges_several_markets_at_once(server: PracticeServer, wallet_type: str) -> None:
    plain, grouped = quiet_market(world_of(server)), quiet_market(world_of(server), negative_risk=True)
    wallet = wallet_of_type(trading_of(server), wallet_type)
    before = balance(server, wallet.funder)
    async with await client_of_wallet(server, wallet) as client:
        for market in (plain, grouped):
            await (await client.split_position(condition_id=market.condition_id, amount=TEN)).wait()
        wanted: list[MergeMarketIdRequest | MergeMarketConditionRequest] = [
            {"market_id": str(plain.number)},
            {"condition_id": grouped.condition_id, "amount": 2_000_000},
        ]
        merged = await client.merge_multiple_positions(positions=wanted)
        await merged.wait()
        assert balance(server, wallet.funder) == before - 8_000_000
        resolve(server, [grouped], winner=1)
        await (await client.redeem_positions(market_id=str(grouped.number))).wait()
    assert balance(server, wallet.funder) == before
    assert trading_of(server).venue_engine.engine.account(wallet.funder).collateral.matched_micro == 0


@pytest.mark.fidelity(
    "Redeeming before the resolution reverts: an own key learns it from the gas estimate, a relayed wallet from its transaction",
    area="Chain and relayer",
    evidence="assumed",
    source="",
)
@pytest.mark.parametrize("wallet_type", WALLET_TYPES)
async def test_what_reverts_changes_nothing(server: PracticeServer, wallet_type: str) -> None:
    market = quiet_market(world_of(server))
    wallet = wallet_of_type(trading_of(server), wallet_type)
    reason = "result for condition not received yet"
    call = contract_call(STANDARD_ADAPTER, redeem_data(market.condition_id))
    before = balance(server, wallet.funder)
    async with await client_of_wallet(server, wallet) as client:
        await (await client.split_position(condition_id=market.condition_id, amount=TEN)).wait()
        if wallet_type == "eoa":
            with pytest.raises(RequestRejectedError, match=reason):
                await client.execute_transaction(calls=[call])
        else:
            both = [approval_call(1), call]
            with pytest.raises(TransactionFailedError, match=reason):
                await (await client.execute_transaction(calls=both)).wait()
            # Nothing of a batch that reverts happens, and the next one has the same nonce.
            assert outside_of(server).chain.approvals.allowance(wallet.funder, STANDARD_ADAPTER) == 2**256 - 1
        await (await client.merge_positions(condition_id=market.condition_id, amount="max")).wait()
    assert balance(server, wallet.funder) == before


def redeem_data(condition_id: str) -> str:
    words = [bytes(12) + bytes.fromhex(DOLLARS[2:]), bytes(32), bytes32(condition_id), uint256(128)]
    return "0x01b7037c" + b"".join([*words, uint256(2), uint256(1), uint256(2)]).hex()


def contract_call(contract: str, data: str) -> TransactionCall:
    return TransactionCall(to=EvmAddress(contract), data=HexString(data))


def approval_call(amount: int) -> TransactionCall:
    data = "0x095ea7b3" + (bytes(12) + bytes.fromhex(STANDARD_ADAPTER[2:]) + uint256(amount)).hex()
    return contract_call(DOLLARS, data)


@pytest.mark.fidelity(
    "A deposit wallet is deployed by the relayer when a client is created, approves everything once, and trades",
    area="Chain and relayer",
    evidence="official client",
    source=f"{SDK}: create, setup_trading_approvals, get_trading_approvals_state",
)
async def test_a_fresh_deposit_wallet_comes_to_life(server: PracticeServer) -> None:
    market = quiet_market(world_of(server))
    owner = SigningKey(FRESH_KEY).address
    wallet = deposit_wallet(owner)
    with pytest.raises(UserInputError, match="Builder API Key or Relayer API Key"):
        await AsyncSecureClient.create(private_key=FRESH_KEY, environment=environment_of(server))
    async with await sdk_client(server, FRESH_KEY, None) as client:
        assert client.wallet == wallet and client.wallet_type == "DEPOSIT_WALLET"
        state = await client.get_trading_approvals_state()
        assert not state.is_fully_approved and len(state.missing.erc20) == 7 and len(state.missing.erc1155) == 10
        assert control(server, "deposit", {"address": wallet, "usd": 100}) == 200
        order = await client.create_limit_order(token_id=market.token_ids[0], price="0.02", size=10, side="BUY")
        with pytest.raises(RequestRejectedError, match="not enough balance / allowance: the allowance is not enough"):
            await client.post_order(order)
        await client.setup_trading_approvals()
        assert (await client.get_trading_approvals_state()).is_fully_approved
        assert (await client.post_order(order)).ok
        await (await client.split_position(condition_id=market.condition_id, amount=TEN)).wait()
        assert balance(server, wallet) == 90_000_000
        told = await client.get_balance_allowance(asset_type="COLLATERAL")
        assert told.balance == 90_000_000 and set(told.allowances.values()) == {2**256 - 1}


@pytest.mark.fidelity(
    "An own key sends its approvals one by one over JSON-RPC, and a revoked one cancels what relied on it",
    area="Chain and relayer",
    evidence="official client",
    source=f"{SDK}: setup_trading_approvals, approve_erc20, approve_erc1155_for_all",
)
async def test_a_fresh_own_key_approves_and_revokes(server: PracticeServer) -> None:
    market = quiet_market(world_of(server))
    owner = SigningKey(FRESH_KEY).address
    assert control(server, "deposit", {"address": owner, "usd": 100}) == 200
    async with await sdk_client(server, FRESH_KEY, owner) as client:
        with pytest.raises(RequestRejectedError, match="ERC20: insufficient allowance"):
            await client.split_position(condition_id=market.condition_id, amount=TEN)
        await client.setup_trading_approvals()
        await (await client.split_position(condition_id=market.condition_id, amount=TEN)).wait()
        offer = await client.place_limit_order(token_id=market.token_ids[0], price="0.98", size=8, side="SELL")
        bid = await client.place_limit_order(token_id=market.token_ids[0], price="0.02", size=8, side="BUY")
        exchange = environment_of(server)._config.standard_exchange
        revoked = await client.approve_erc1155_for_all(token_address=SHARES, operator_address=exchange, approved=False)
        await revoked.wait()
        assert bid.ok
        assert [order.id async for page in client.list_open_orders() for order in page.items] == [bid.order_id]
        await (await client.approve_erc20(token_address=DOLLARS, spender_address=exchange, amount=0)).wait()
        assert [order.id async for page in client.list_open_orders() for order in page.items] == []
        assert offer.ok and not (await client.get_trading_approvals_state()).is_fully_approved
        refused = await client.create_limit_order(token_id=market.token_ids[0], price="0.02", size=8, side="BUY")
        with pytest.raises(RequestRejectedError, match="allowance is not enough -> allowance: 0, order amount: 160000"):
            await client.post_order(refused)
        # The client reads that refusal, approves this one contract by itself and posts once more.
        assert (await client.place_limit_order(token_id=market.token_ids[0], price="0.02", size=8, side="BUY")).ok
        state = await client.get_trading_approvals_state()
        assert not state.missing.erc20 and [each.operator for each in state.missing.erc1155] == [exchange]


@pytest.mark.fidelity(
    "A limited allowance bounds what an order may promise",
    area="Chain and relayer",
    evidence="assumed",
    source="",
)
async def test_a_small_allowance_bounds_orders(server: PracticeServer) -> None:
    market = quiet_market(world_of(server))
    wallet = wallet_of_type(trading_of(server), "safe")
    config = environment_of(server)._config
    async with await client_of_wallet(server, wallet) as client:
        for exchange in (config.standard_exchange, config.neg_risk_exchange, config.exchange_v3):
            await (await client.approve_erc20(token_address=DOLLARS, spender_address=exchange, amount=1_000_000)).wait()
        assert (await client.place_limit_order(token_id=market.token_ids[0], price="0.02", size=40, side="BUY")).ok
        with pytest.raises(RequestRejectedError, match="allowance: 1000000, sum of active orders: "):
            await client.place_limit_order(token_id=market.token_ids[0], price="0.02", size=40, side="BUY")
        told = await client.get_balance_allowance(asset_type="COLLATERAL")
        assert set(told.allowances.values()) == {1_000_000}


@pytest.mark.fidelity(
    "Dollars are transferred out of a wallet, which is a withdrawal there and a deposit where they arrive",
    area="Chain and relayer",
    evidence="official client",
    source=f"{SDK}: transfer_erc20",
)
@pytest.mark.parametrize("wallet_type", WALLET_TYPES)
async def test_the_sdk_transfers_dollars(server: PracticeServer, wallet_type: str) -> None:
    trading = trading_of(server)
    wallet = wallet_of_type(trading, wallet_type)
    other = wallet_of_type(trading, "safe" if wallet_type != "safe" else "eoa")
    async with await client_of_wallet(server, wallet) as client:
        sent = await client.transfer_erc20(token_address=DOLLARS, recipient_address=other.funder, amount=TEN)
        outcome = await sent.wait()
        rows = [row async for page in client.list_activity() for row in page.items]
        arrived = [row async for page in client.list_activity(user=other.funder) for row in page.items]
    assert [str(row.type) for row in rows] == ["WITHDRAWAL", "DEPOSIT"]
    assert amount_of(arrived[0]) == Decimal(10) and arrived[0].transaction_hash == outcome.transaction_hash
    assert balance(server, wallet.funder) == 9_990_000_000 and balance(server, other.funder) == 10_010_000_000


@pytest.mark.fidelity(
    "NO shares of a negative-risk event convert into YES of all its other markets and dollars for all NO but one",
    area="Chain and relayer",
    evidence="specification",
    source="negative-risk adapter: convertPositions",
)
async def test_negative_risk_positions_convert(server: PracticeServer) -> None:
    market = quiet_market(world_of(server), negative_risk=True)
    event = event_of(server, market)
    wallet = wallet_of_type(trading_of(server), "deposit_wallet")
    given, rest = event.markets[:2], event.markets[2:]
    before = balance(server, wallet.funder)
    data = "0x" + (CONVERT + bytes32(event.negative_risk_market_id) + uint256(0b11) + uint256(TEN)).hex()
    call = contract_call(NEGATIVE_RISK_ADAPTER, data)
    async with await client_of_wallet(server, wallet) as client:
        for each in given:
            await (await client.split_position(condition_id=each.condition_id, amount=TEN)).wait()
        await (await client.execute_transaction(calls=[call])).wait()
        rows = [row async for page in client.list_activity() for row in page.items]
        assert str(rows[0].type) == "CONVERSION" and amount_of(rows[0]) == Decimal(10)
        held = [each async for page in client.list_positions() for each in page.items]
    assert {each.asset_id for each in held} == {each.token_ids[0] for each in event.markets}
    assert balance(server, wallet.funder) == before - TEN
    assert [balance(server, wallet.funder, each.token_ids[0]) for each in rest] == [TEN] * len(rest)
    assert [balance(server, wallet.funder, each.token_ids[1]) for each in event.markets] == [0] * len(event.markets)
    # Ten dollars were spent and YES of every market came of it, so the costs of all add up to ten.
    assert sum(each.entry_cost_usdc for each in held) == pytest.approx(Decimal(10), abs=Decimal("0.0001"))


@pytest.mark.fidelity(
    "A wallet's trades become activity and positions once they are mined, and its settlement can be waited for",
    area="Data API",
    evidence="official client",
    source=f"{SDK}: wait_for_order_fill_settlement, list_trades, list_positions, get_portfolio_value",
)
async def test_trades_become_positions(server: PracticeServer) -> None:
    market = quiet_market(world_of(server))
    wallet = wallet_of_type(trading_of(server), "proxy")
    token, ask = market.token_ids[0], Decimal(market.book.best_ask_micro) / 1_000_000
    async with await client_of_wallet(server, wallet) as client:
        bought = await client.place_limit_order(token_id=token, price=ask, size=10, side="BUY")
        assert bought.ok and bought.status == "matched"
        assert [each async for page in client.list_positions() for each in page.items] == []
        settle(server)
        hashes = await client.wait_for_order_fill_settlement(bought)
        held = [each async for page in client.list_positions() for each in page.items]
        assert [(each.asset_id, each.current_size, each.avg_price) for each in held] == [(token, Decimal(10), ask)]
        assert held[0].entry_fees_usdc > 0 and held[0].entry_cost_usdc == ask * 10
        trades = [each async for page in client.list_trades(user=wallet.funder) for each in page.items]
        assert [(each.side, each.size, each.transaction_hash) for each in trades] == [("BUY", Decimal(10), hashes[0])]
        worth = await client.get_portfolio_value()
        assert worth.value == held[0].current_value > 0
        sold = await client.place_market_order(token_id=token, shares=10, side="SELL")
        settle(server)
        assert sold.ok
        await client.wait_for_order_fill_settlement(sold)
        assert [each async for page in client.list_positions() for each in page.items] == []
        over = [each async for page in client.list_positions(status="CLOSED") for each in page.items]
        assert over[0].current_size == 0 and over[0].realized_pnl < 0


def test_the_sdk_works_alike_without_asyncio() -> None:
    """The synchronous client, whose requests go to a server in a thread of its own."""
    with serve_in_thread() as server:
        market = quiet_market(world_of(server))
        for wallet_type in ("eoa", "deposit_wallet"):
            wallet = wallet_of_type(trading_of(server), wallet_type)
            key = RelayerApiKey(key=outside_of(server).keys.relayer_key(wallet.address), address=wallet.address)
            with SecureClient.create(
                private_key=wallet.private_key, wallet=wallet.funder, environment=environment_of(server), api_key=key
            ) as client:
                client.split_position(condition_id=market.condition_id, amount=TEN).wait()
                client.merge_positions(condition_id=market.condition_id, amount=6_000_000).wait()
                assert {each.current_size for each in client.list_positions().first_page().items} == {Decimal(4)}
                client.setup_trading_approvals()
                assert client.get_portfolio_value().value == Decimal(4)


@pytest.mark.fidelity(
    "The relayer takes a builder's API key, made and revoked over the order-book API",
    area="Chain and relayer",
    evidence="official client",
    source=f"{SDK}: create_builder_api_key, fetch_builder_api_keys, revoke_builder_api_key",
)
async def test_a_builders_key_opens_the_relayer(server: PracticeServer) -> None:
    market = quiet_market(world_of(server))
    wallet = wallet_of_type(trading_of(server), "safe")
    arguments: dict[str, Any] = {
        "private_key": wallet.private_key,
        "wallet": wallet.funder,
        "environment": environment_of(server),
    }
    async with await AsyncSecureClient.create(**arguments) as plain:
        builder = await plain.create_builder_api_key()
        assert [each.key for each in await plain.fetch_builder_api_keys()] == [builder.key]
    async with await AsyncSecureClient.create(**arguments, api_key=builder) as client:
        await (await client.split_position(condition_id=market.condition_id, amount=TEN)).wait()
        await client.revoke_builder_api_key()
        with pytest.raises(RequestRejectedError, match="invalid authorization"):
            await client.split_position(condition_id=market.condition_id, amount=TEN)
    assert balance(server, wallet.funder, market.token_ids[0]) == TEN


def control(server: PracticeServer, name: str, content: object) -> int:
    answer = server.exchange.handle("POST", f"/practice/{name}", "", json.dumps(content).encode())
    return answer.status
