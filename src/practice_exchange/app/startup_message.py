"""What `prescient practice` prints once it serves: addresses, play-money wallets, and how to place an order."""

from __future__ import annotations

import sys

import msgspec

from polymarket_kit.signing.order_signing import POLYGON
from practice_exchange.app.server import PracticeServer
from practice_exchange.venue.accounts import PracticeWallet
from practice_exchange.world.state import MarketState
from practice_exchange.world.timestamps import rfc3339
from practice_exchange.world.world import WorldView

SEPARATOR = "\n"
WARNING = "These keys are made from the public seed, so anybody has them: worth nothing, and never to hold real money."
READ_ONLY = "A recorded catalogue can only be read; start without --catalog for a world that takes orders."


class Introduction(msgspec.Struct, frozen=True):
    """Everything a client must know. Wallets are empty where nobody can trade."""

    gamma_url: str
    clob_url: str
    data_url: str
    relayer_url: str
    rpc_url: str
    market_ws_url: str
    user_ws_url: str
    chain_id: int
    wallets: tuple[PracticeWallet, ...]


def introduction(server: PracticeServer) -> Introduction:
    url = server.url
    trading = server.exchange.trading
    return Introduction(
        gamma_url=server.gamma_url,
        clob_url=server.clob_url,
        data_url=f"{url}/data",
        relayer_url=f"{url}/relayer",
        rpc_url=f"{url}/rpc",
        market_ws_url=server.market_ws_url,
        user_ws_url=server.user_ws_url,
        chain_id=POLYGON,
        wallets=trading.wallets if trading is not None else (),
    )


def say_to_programs(server: PracticeServer) -> None:
    """One line of JSON on standard output, out before anything else happens."""
    sys.stdout.write(msgspec.json.encode(introduction(server)).decode() + "\n")
    sys.stdout.flush()


def say_to_people(server: PracticeServer) -> None:
    sys.stdout.write(greeting(server))
    sys.stdout.flush()


def greeting(server: PracticeServer) -> str:
    """Addresses, a funded wallet and an example, as text."""
    known = introduction(server)
    speed = (
        f"{server.clock.speed:g} times real time" if server.clock.speed else "standing still (POST /practice/advance)"
    )
    lines = [
        f"The practice exchange is open: seed {server.world.seed}, {rfc3339(server.world.now_ms)}, {speed}.",
        "",
        *(f"  {name:<14} {getattr(known, field)}" for name, field in _PLACES),
        f"  {'Chain id':<14} {known.chain_id} (Polygon, as signatures name it; nothing leaves this machine)",
        "",
    ]
    market = a_calm_market(server.world)
    if not known.wallets or market is None:
        return SEPARATOR.join([*lines, READ_ONLY if not known.wallets else "No market takes orders now.", "", ""])
    wallet = known.wallets[0]
    lines += [
        "A wallet with 10,000 play dollars (there is one of each type; --json prints all four):",
        f"  private key  {wallet.private_key}",
        f"  address      {wallet.address} ({wallet.wallet_type}, signature type {wallet.signature_type})",
        WARNING,
        "",
        f"Place an order with the venue's own client (pip install py-clob-client-v2): {market.question}",
        "",
        *(f"    {line}" for line in example(known.clob_url, wallet, market)),
        "",
        "Any other bot: docs/practice-exchange.md. Stop with Ctrl-C.",
        "",
    ]
    return SEPARATOR.join(lines)


_PLACES = (
    ("Catalogue", "gamma_url"),
    ("Orders", "clob_url"),
    ("Data API", "data_url"),
    ("Relayer", "relayer_url"),
    ("Chain node", "rpc_url"),
    ("Market stream", "market_ws_url"),
    ("User stream", "user_ws_url"),
)


def example(clob_url: str, wallet: PracticeWallet, market: MarketState) -> tuple[str, str, str]:
    """Three lines of Python that place an order which rests far below the market."""
    return (
        f'from py_clob_client_v2 import ClobClient, OrderArgs; key = "{wallet.private_key}"',
        f'client = ClobClient("{clob_url}", {POLYGON}, key=key); '
        "client.set_api_creds(client.create_or_derive_api_key())",
        f'print(client.create_and_post_order(OrderArgs(token_id="{market.token_ids[0]}", price=0.02, size=10, side="BUY")))',
    )


def a_calm_market(world: WorldView) -> MarketState | None:
    """A market far from its end, priced well above the example's order and without delays; None if there is none."""
    undecided = [
        market
        for event in world.register.events.values()
        for market in event.markets
        if market.trading
        and not (market.seconds_delay or market.taker_delay or market.game_start_ms)
        and 150_000 < market.book.best_bid_micro < market.book.best_ask_micro < 850_000
    ]
    return max(undecided, key=lambda market: (market.end_ms, market.condition_id), default=None)
