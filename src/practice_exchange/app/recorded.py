"""A read-only world made from recorded responses: catalogue objects, books and rules as recorded, at a fixed time."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Iterable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Raw

from polymarket_kit.errors import PrescientError
from practice_exchange.app.exchange import PracticeExchange
from practice_exchange.books.render import ClobRenderer
from practice_exchange.gamma.render import GammaRenderer
from practice_exchange.world.index import WorldIndex
from practice_exchange.world.recorded_state import read_event, read_market, recorded_tags
from practice_exchange.world.timestamps import to_ms

Fields = dict[str, Raw]
_encode = msgspec.json.Encoder().encode


class CatalogueUnreadable(PrescientError):
    """A recorded file is missing or of no known shape; the message names the file."""

    code = "catalogue_unreadable"
    permanent = True


class _Pile:
    """What the files held, sorted by kind and still raw."""

    def __init__(self) -> None:
        self.events: dict[int, Fields] = {}
        self.event_bytes: dict[int, bytes] = {}
        # Markets that came with their event inside, as listings of markets have them.
        self.listed: dict[int, bytes] = {}
        self.markets: dict[int, Fields] = {}
        self.event_of: dict[int, int] = {}
        self.books: dict[str, bytes] = {}
        self.infos: dict[str, bytes] = {}

    def sort(self, raw: Raw) -> None:
        """Take in one JSON value: an object of a known kind, or a list or wrapper of such. Raises ValueError."""
        content = bytes(raw).strip()
        if content[:1] == b"[":
            for item in msgspec.json.decode(content, type=list[Raw]):
                self.sort(item)
            return
        fields = msgspec.json.decode(content, type=Fields)
        if "conditionId" in fields:
            self._add_market(fields, content)
        elif "title" in fields and "markets" in fields:
            self._add_event(fields, content)
        elif "asset_id" in fields and "bids" in fields:
            self.books[_text(fields["asset_id"])] = content
        elif "c" in fields and "t" in fields:
            self.infos[_text(fields["c"])] = content
        elif not (wrapped := [fields[name] for name in ("raw", "events", "markets") if name in fields]):
            raise ValueError(f"an object with the keys {', '.join(list(fields)[:6])} is of no known kind")
        else:
            self.sort(wrapped[0])

    def _add_event(self, fields: Fields, content: bytes) -> None:
        number = int(_text(fields["id"]))
        self.events[number], self.event_bytes[number] = fields, content
        for raw in msgspec.json.decode(fields["markets"], type=list[Raw]):
            market = msgspec.json.decode(raw, type=Fields)
            market_number = int(_text(market["id"]))
            self.markets[market_number], self.event_of[market_number] = market, number

    def _add_market(self, fields: Fields, content: bytes) -> None:
        number = int(_text(fields["id"]))
        inside = msgspec.json.decode(fields.get("events", Raw(b"[]")), type=list[Fields])
        event_number = number
        if inside:
            event_number = int(_text(inside[0]["id"]))
            self.events.setdefault(event_number, inside[0])
            self.listed[number] = content
        else:
            self.events.setdefault(event_number, _event_around(fields))
        self.markets[number] = {name: value for name, value in fields.items() if name != "events"}
        self.event_of[number] = event_number


class Catalogue:
    """An exhibit of recorded objects. Nobody trades in it; its clock moves, its prices do not."""

    seed = 0

    def __init__(self, now_ms: int) -> None:
        self.register = WorldIndex()
        self.revision = 0
        self._now_ms = now_ms
        self.recorded_events: dict[int, bytes] = {}
        self.recorded_markets: dict[int, bytes] = {}
        self.recorded_listed: dict[int, bytes] = {}
        self.recorded_books: dict[str, bytes] = {}
        self.recorded_infos: dict[str, bytes] = {}

    @classmethod
    def load(cls, paths: Iterable[Path], now: datetime) -> Catalogue:
        """Read recorded files: events, listings of events or markets, books, market rules; ``.json``, ``.jsonl``, ``.gz``.

        Raises CatalogueUnreadable.
        """
        pile = _Pile()
        for path in paths:
            try:
                for value in _values(path):
                    pile.sort(value)
            except (ValueError, KeyError, OSError, EOFError, msgspec.MsgspecError) as error:
                raise CatalogueUnreadable(f"{path} cannot be read as recorded venue data: {error}") from error
        catalogue = cls(to_ms(now))
        try:
            catalogue._exhibit(pile)
        except (ValueError, KeyError, msgspec.MsgspecError) as error:
            raise CatalogueUnreadable(f"A recorded event or market lacks what it needs: {error!r}") from error
        return catalogue

    @property
    def source(self) -> str:
        """Named after the markets in it: the same files are the same source, wherever they lie."""
        return (
            f"catalogue-{zlib.crc32(repr((sorted(self.recorded_markets), sorted(self.recorded_books))).encode()):08x}"
        )

    @property
    def now_ms(self) -> int:
        return self._now_ms

    def step_slices(self, until_ms: int) -> Iterator[None]:
        """The clock moves, nothing else does."""
        self._now_ms = max(self._now_ms, until_ms)
        yield

    def save_slices(self) -> Generator[None, None, bytes]:
        """There is nothing to keep: the files are the world."""
        yield
        return b""

    def exchange(self) -> PracticeExchange:
        """The exchange that serves this catalogue as it was recorded."""
        gamma = GammaRenderer(self.register, self.recorded_events, self.recorded_markets, self.recorded_listed)
        clob = ClobRenderer(self.register, self.recorded_books, self.recorded_infos)
        return PracticeExchange(self, gamma=gamma, clob=clob)

    def _exhibit(self, pile: _Pile) -> None:
        self.recorded_books, self.recorded_infos, self.recorded_listed = pile.books, pile.infos, pile.listed
        markets_of: dict[int, list[int]] = {}
        for number, event_number in pile.event_of.items():
            markets_of.setdefault(event_number, []).append(number)
        for event_number in sorted(pile.events):
            fields, numbers = pile.events[event_number], markets_of.get(event_number, [])
            for number in numbers:
                self.recorded_markets[number] = _encode(pile.markets[number])
            whole = pile.event_bytes.get(event_number)
            self.recorded_events[event_number] = whole or self._with_markets(fields, numbers)
            event = read_event(event_number, self.recorded_events[event_number])
            for number in numbers:
                event.markets.append(read_market(number, event, self.recorded_markets[number], pile.books))
            self.register.tags.update(recorded_tags(self.recorded_events[event_number]))
            self.register.add(event)

    def _with_markets(self, fields: Fields, numbers: list[int]) -> bytes:
        """An event known only from inside its markets gets them back, where a listing of events has them."""
        markets = Raw(b"[" + b",".join([self.recorded_markets[number] for number in numbers]) + b"]")
        whole: Fields = {}
        for name, value in fields.items():
            whole[name] = value
            if name == "commentCount":
                whole["markets"] = markets
        whole.setdefault("markets", markets)
        return _encode(whole)


def _values(path: Path) -> Iterator[Raw]:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        for line in content.splitlines():
            if line.strip():
                yield _compact(line)
    else:
        yield _compact(content)


def _compact(content: bytes) -> Raw:
    """The venue sends no blanks between values; recordings often were written with them. The values stay as they are."""
    return Raw(msgspec.json.format(content, indent=-1))


def _text(raw: Raw) -> str:
    return str(msgspec.json.decode(raw))


def _event_around(market: Fields) -> Fields:
    """The event of a market that was recorded alone: of its own name and number."""
    names = {"id": "id", "ticker": "slug", "slug": "slug", "title": "question", "description": "description"}
    fields = {name: market[source] for name, source in names.items() if source in market}
    same = "startDate endDate image icon active closed archived restricted createdAt updatedAt"
    fields.update({name: market[name] for name in same.split() if name in market})
    numbers = {"liquidity": "liquidityNum", "volume": "volumeNum", "volume24hr": "volume24hr"}
    fields.update({name: market[source] for name, source in numbers.items() if source in market})
    return {**fields, "negRisk": market.get("negRisk", Raw(b"false")), "tags": Raw(b"[]")}
