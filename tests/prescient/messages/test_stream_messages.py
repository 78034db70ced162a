"""Frames of the market websocket: the venue's own examples and recordings decoded, malformed ones named, nothing raised."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymarket_kit.messages.pages import ITEM_ERRORS
from polymarket_kit.model import Side
from polymarket_kit.values import MICRO, parse_micro
from prescient.adapters.polymarket.messages.stream_messages import (
    BEST_ASKS,
    BEST_BIDS,
    LEVEL_PRICES,
    BestBidAskEvent,
    BookEvent,
    LastTradeEvent,
    Malformed,
    NewMarketEvent,
    PriceChangeMessage,
    ResolvedEvent,
    TickSizeEvent,
    book_of,
    decode_frame,
    decode_price_change,
    size_from_wire,
    subscription,
    subscription_change,
    time_of,
)

KINDS: dict[str, type[msgspec.Struct]] = {
    "book": BookEvent,
    "priceChange": PriceChangeMessage,
    "lastTradePrice": LastTradeEvent,
    "tickSizeChange": TickSizeEvent,
    "bestBidAsk": BestBidAskEvent,
    "newMarket": NewMarketEvent,
    "marketResolved": ResolvedEvent,
}
TOKEN = "52114319501245915516055106046884209969926127482827954674443846427813813222426"
CHANGE = {"asset_id": TOKEN, "price": "0.6", "size": "3300", "side": "BUY", "best_bid": "0.6", "best_ask": "0.7"}


def frame(**changes: Any) -> bytes:
    message = {"market": "0x1", "price_changes": [CHANGE], "timestamp": "1729084877448", "event_type": "price_change"}
    return json.dumps(message | changes).encode()


@pytest.mark.parametrize("name", KINDS)
def test_every_example_of_the_official_description_is_read(recorded_data: Path, name: str) -> None:
    described = json.loads((recorded_data / "specs" / "asyncapi.json").read_text())
    (example,) = described["components"]["messages"][name]["examples"]
    payload = example["payload"]
    decoded = decode_frame(json.dumps(payload).encode())
    assert not decoded.malformed and decoded.text is None
    (message,) = decoded.messages
    assert type(message) is KINDS[name]
    for key, value in msgspec.to_builtins(message).items():
        if isinstance(value, str) and key in payload:
            assert value == payload[key]


RECORDED = {
    "book": BookEvent,
    "price_change": PriceChangeMessage,
    "price_change_v2": PriceChangeMessage,
    "last_trade_price": LastTradeEvent,
    "tick_size_change": TickSizeEvent,
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_frames_are_read(recorded_data: Path, name: str) -> None:
    content = (recorded_data / "ws" / f"{name}.json").read_bytes()
    decoded = decode_frame(memoryview(content))
    assert not decoded.malformed
    assert [type(message) for message in decoded.messages] == [RECORDED[name]]


def test_a_recorded_book_becomes_our_book_best_level_first(recorded_data: Path) -> None:
    content = (recorded_data / "ws" / "book.json").read_bytes()
    (event,) = decode_frame(content).messages
    assert isinstance(event, BookEvent)
    book, recorded = book_of(event), json.loads(content)
    assert len(book.bids) == len(recorded["bids"]) == 76 and len(book.asks) == len(recorded["asks"]) == 86
    assert book.best_bid_micro == round(float(recorded["bids"][-1]["price"]) * MICRO)
    assert book.best_ask_micro == round(float(recorded["asks"][-1]["price"]) * MICRO)
    assert book.asks[-1] == (999_000, 10_500_100 * MICRO)
    assert book.time_ms == int(recorded["timestamp"]) and book.condition_id == recorded["market"]


def test_the_shape_of_before_2025_is_one_change(recorded_data: Path) -> None:
    content = (recorded_data / "ws" / "price_change.json").read_bytes()
    (message,) = decode_frame(content).messages
    assert isinstance(message, PriceChangeMessage)
    (change,) = message.price_changes
    assert (change.price, change.side, change.size, change.best_bid) == ("0.514", Side.SELL, 21574.08, None)


def test_both_decoders_read_the_same_change() -> None:
    fast = decode_price_change(frame())
    (slow,) = decode_frame(frame()).messages
    assert fast == slow
    assert (fast.timestamp, fast.event_type) == (1_729_084_877_448, "price_change")
    assert [msgspec.to_builtins(change) for change in fast.price_changes] == [CHANGE | {"size": 3300.0}]


def test_another_event_is_told_from_a_change_without_its_fields() -> None:
    other = decode_price_change(b'{"event_type":"tick_size_change","asset_id":"1","new_tick_size":"0.001"}')
    assert (other.event_type, other.price_changes) == ("tick_size_change", [])


def test_an_array_loses_its_bad_items_alone() -> None:
    good = json.loads(frame())
    decoded = decode_frame(json.dumps([good, {"event_type": "weather"}, 7, good]).encode())
    assert len(decoded.messages) == 2
    assert [(item.kind, item.token_id) for item in decoded.malformed] == [("unknown event", ""), ("broken", "")]
    assert decode_frame(b"[]").messages == []


def test_a_message_loses_its_bad_changes_alone_and_names_their_tokens() -> None:
    bad = CHANGE | {"size": None, "asset_id": "77"}
    decoded = decode_frame(frame(price_changes=[CHANGE, bad, CHANGE]))
    (message,) = decoded.messages
    assert isinstance(message, PriceChangeMessage) and len(message.price_changes) == 2
    (malformed,) = decoded.malformed
    assert malformed[:2] == ("price_change", "77") and "size" in malformed.reason


@pytest.mark.parametrize("text", ["PONG", "NO NEW ASSETS", "INVALID OPERATION", "", "<html>"])
def test_words_are_no_data(text: str) -> None:
    decoded = decode_frame(text.encode())
    assert decoded.text == text and not decoded.messages and not decoded.malformed


@pytest.mark.parametrize(
    "content",
    [b"{", b"[", b"[" * 200_000, b'{"a":' * 200_000, b"[\xff]", b'{"event_type":"book","asset_id":"9"}', b"[1e999]"],
    ids=lambda content: content[:12].decode("utf-8", "replace"),
)
def test_broken_frames_are_named_not_raised(content: bytes) -> None:
    decoded = decode_frame(content)
    assert not decoded.messages and len(decoded.malformed) == 1
    malformed = decoded.malformed[0]
    assert isinstance(malformed, Malformed) and malformed.reason.isprintable() and len(malformed.reason) <= 200


def test_cut_and_mutated_frames_never_raise() -> None:
    """A hundred thousand broken frames: each is read, named or taken for words."""
    random = Random(3)
    seeds = [frame(), b"[" + frame() + b"," + frame(event_type="book") + b"]", json.dumps(CHANGE).encode()]
    seen = {"messages": 0, "malformed": 0, "text": 0}
    for number in range(100_000):
        content = bytearray(seeds[number % 3])
        for _ in range(random.randrange(1, 4)):
            content[random.randrange(len(content))] = random.randrange(256)
        cut = bytes(content[: random.randrange(len(content) + 1)] if number % 5 == 0 else content)
        try:
            decode_price_change(cut)
        except ITEM_ERRORS:
            decoded = decode_frame(cut)
            seen["messages"] += len(decoded.messages)
            seen["malformed"] += len(decoded.malformed)
            seen["text"] += decoded.text is not None
    assert all(count > 100 for count in seen.values()), seen


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["event_type", "asset_id", "price_changes", "timestamp", "bids", "market", "x"]), inner
            )
        ),
    )
)
def test_any_json_gives_an_answer(content: Any) -> None:
    decoded = decode_frame(json.dumps(content).encode())
    assert decoded.text is not None or decoded.messages or decoded.malformed or content == []


def test_a_broken_message_names_all_its_tokens_and_a_kind_that_is_known() -> None:
    content = frame(price_changes=[CHANGE, CHANGE | {"asset_id": "77"}])[:-30]
    assert {(item.kind, item.token_id) for item in decode_frame(content).malformed} == {
        ("broken", TOKEN),
        ("broken", "77"),
    }
    for number in range(50):
        (malformed,) = decode_frame(b'{"event_type":"k%d","asset_id":"1"}' % number).malformed
        assert malformed.kind in ("unknown event", "broken")


def test_prices_are_read_once_and_bounded() -> None:
    assert LEVEL_PRICES["0.001"] == 1_000 and "0.001" in LEVEL_PRICES
    for text in ("0", "1", "1.2", "-0.1", "NaN", "", "x", None):
        with pytest.raises(ValueError, match=r"."):
            LEVEL_PRICES[text]
    assert (BEST_BIDS["0.47"], BEST_BIDS[""], BEST_BIDS["0"]) == (470_000, 0, 0)
    assert (BEST_ASKS["0.47"], BEST_ASKS[""], BEST_ASKS["1"]) == (470_000, MICRO, MICRO)
    with pytest.raises(ValueError, match="outside"):
        BEST_ASKS["1.5"]
    for number in range(30_000):
        assert LEVEL_PRICES[f"0.5{number:05d}"] == 500_000 + number
    assert len(LEVEL_PRICES) <= 20_000


def test_times_are_milliseconds_of_this_age() -> None:
    assert time_of("1757908892351") == 1_757_908_892_351
    for text in ("1757908892", "", "x", "99999999999999", "-1757908892351"):
        with pytest.raises(ValueError, match=r"."):
            time_of(text)


def test_subscriptions_are_what_the_venue_documents(recorded_data: Path) -> None:
    described = json.loads((recorded_data / "specs" / "asyncapi.json").read_text())["components"]["schemas"]
    first = json.loads(subscription([TOKEN]))
    assert (
        set(described["SubscriptionRequest"]["required"])
        <= set(first)
        <= set(described["SubscriptionRequest"]["properties"])
    )
    assert first["assets_ids"] == [TOKEN] and first["type"] == "market"
    for subscribe, operation in ((True, "subscribe"), (False, "unsubscribe")):
        change = json.loads(subscription_change([TOKEN], subscribe=subscribe))
        assert set(change) <= set(described["SubscriptionRequestUpdate"]["properties"])
        assert (change["operation"], change["assets_ids"]) == (operation, [TOKEN])


@given(st.integers(0, 10**14))
def test_sizes_of_six_decimals_are_exact(micro: int) -> None:
    """Up to a hundred million shares: the double that a size is decoded to is the size."""
    text = f"{micro // MICRO}.{micro % MICRO:06d}"
    (change,) = decode_price_change(frame(price_changes=[CHANGE | {"size": text}])).price_changes
    assert size_from_wire(change.size) == size_from_wire(text) == parse_micro(text) == micro


@pytest.mark.parametrize("size", ["-1", "NaN", "Infinity", "-0.000001", "1e30"])
def test_sizes_that_are_none_are_refused(size: str) -> None:
    (change,) = decode_price_change(frame(price_changes=[CHANGE | {"size": size}])).price_changes
    with pytest.raises(ValueError, match=r"."):
        size_from_wire(change.size)
