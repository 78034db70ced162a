"""A venue that answers as a live one may on its worst day: a small real one, with its own memory of what happened."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from polymarket_kit.model import OrderType
from prescient.domain.order import (
    RESTING_STATUSES,
    Accepted,
    ApprovedOrder,
    Fill,
    OrderStatus,
    Rejected,
    Submission,
    Unknown,
    Wire,
)
from prescient.domain.order_state import Fact, FactKind, answered
from prescient.domain.venue_answers import (
    Canceled,
    Cancellation,
    Done,
    NotCanceled,
    PositionOutcome,
    PositionRequest,
    RequestKind,
    UpdatesMissed,
    VenueUpdate,
)
from prescient.ports.clock import Clock
from prescient.ports.venue import Venue

Answer = TypeVar("Answer")

LOST = Unknown("the connection closed before the answer came")
KILLED = Rejected("not_filled", "order couldn't be fully filled. FOK orders are fully filled or killed.")
NOT_FOUND = Rejected("not_found", "the venue does not know this order")


@dataclass
class VenueWorld:
    """What really happened at the venue; it outlives the process that asks."""

    orders: dict[str, Submission] = field(default_factory=dict)
    requests: dict[str, PositionOutcome] = field(default_factory=dict)
    # Every arrival, by id, in order: what was sent twice is here twice.
    arrived: list[str] = field(default_factory=list)
    # What waits to be told to who listens now; None breaks the stream.
    news: asyncio.Queue[Fact | None] = field(default_factory=asyncio.Queue)
    # How what is told goes wrong, by its number from 1.
    telling: dict[int, str] = field(default_factory=dict)
    told: int = 0
    _late: list[Fact] = field(default_factory=list)

    def fill(self, order_id: str, fill: Fill, status: OrderStatus = OrderStatus.FILLED) -> None:
        """Somebody takes an order that rests, or one that was already taken off as its owner saw it."""
        order = self.orders[order_id]
        assert isinstance(order, Accepted)
        filled = replace(order, fills=(*order.fills, fill), status=status)
        self.tell(*answered(order_id, filled, order.time)[len(order.fills) : len(filled.fills)])
        self.orders[order_id] = filled

    def tell(self, *facts: Fact) -> None:
        """``lose``: never told. ``double``: twice. ``late``: after the next one. ``break``: the stream breaks instead."""
        for fact in facts:
            self.told += 1
            mishap = self.telling.get(self.told, "")
            if mishap == "late":
                self._late.append(fact)
                continue
            heard = {"lose": (), "double": (fact, fact), "break": (None,)}.get(mishap, (fact,))
            for one in (*heard, *self._late):
                self.news.put_nowait(one)
            self._late.clear()

    def forget_news(self) -> None:
        """What was not told by now is not told any more."""
        self._late.clear()
        while not self.news.empty():
            self.news.get_nowait()


class ScriptedVenue:
    """Matches like ``matching`` does; what it says of it follows a script, by method and number of the call from 1.

    ``lose``: it happens, and nobody hears of it. ``drop``: it does not even happen. ``raise``: it happens, and the adapter
    breaks. ``late``: the answer takes a minute. ``refuse``: it is refused. ``double``: it arrives twice. ``fill``: the
    order is filled before its cancel arrives.
    """

    def __init__(
        self,
        matching: Venue,
        clock: Clock,
        *,
        name: str = "scripted",
        signs: bool = True,
        world: VenueWorld | None = None,
        rests_at_matching: bool = False,
    ) -> None:
        self.name = name
        self.world = world or VenueWorld()
        self._matching = matching
        self._clock = clock
        self._signs = signs
        # Whether limit orders lie in the queue of the venue that matches, which then tells of them.
        self._rests_at_matching = rests_at_matching
        self._script: dict[tuple[str, int], str] = {}
        self._always: dict[str, str] = {}
        self.calls: dict[str, int] = defaultdict(int)

    def on(self, method: str, number: int, mishap: str) -> ScriptedVenue:
        self._script[method, number] = mishap
        return self

    def always(self, method: str, mishap: str) -> ScriptedVenue:
        self._always[method] = mishap
        return self

    def well(self) -> None:
        """Nothing goes wrong from now on."""
        self._script.clear()
        self._always.clear()

    def restarted(self) -> ScriptedVenue:
        """The adapter of the next process: it remembers nothing, the venue everything."""
        return ScriptedVenue(self._matching, self._clock, name=self.name, signs=self._signs, world=self.world)

    async def prepare(self, order: ApprovedOrder) -> Wire | None:
        if await self._mishap("prepare") == "raise":
            raise ConnectionError("no nonce")
        return _wire(order.intent.order_id) if self._signs else None

    async def submit(self, order: ApprovedOrder) -> Submission:
        assert not self._signs or order.wire == _wire(order.intent.order_id), "sent before it was committed"
        mishap = await self._mishap("submit")
        if mishap == "refuse":
            self.world.arrived.append(order.intent.order_id)
            return self.world.orders.setdefault(order.intent.order_id, KILLED)
        if mishap != "drop":
            for _ in range(2 if mishap == "double" else 1):
                await self._arrive(order)
        return await self._said(mishap, self.world.orders.get(order.intent.order_id, NOT_FOUND))

    async def cancel(self, order: ApprovedOrder) -> Cancellation:
        mishap, order_id = await self._mishap("cancel"), order.intent.order_id
        if mishap == "fill":
            size, price = order.intent.size_micro, order.intent.limit_price_micro
            self.world.fill(order_id, Fill(price, size, size * price // 1_000_000, 0))
        there = self.world.orders.get(order_id)
        if isinstance(there, Accepted) and there.status in RESTING_STATUSES and mishap != "drop":
            if self._rests_at_matching:
                return await self._said(mishap, await self._matching.cancel(order))
            self.world.orders[order_id] = replace(there, status=OrderStatus.CANCELED)
            self.world.tell(Fact(FactKind.CANCELED, order_id, self._clock.now()))
            return await self._said(mishap, Canceled())
        return await self._said(mishap, NotCanceled("it is matched or cancelled already"))

    async def resolve(self, order: ApprovedOrder) -> Submission:
        mishap = await self._mishap("resolve")
        if self._signs and order.wire is None:
            return Rejected("not_sent", "it was never signed, so it was never sent")
        return await self._said(mishap, self.world.orders.get(order.intent.order_id, NOT_FOUND))

    async def updates(self) -> AsyncGenerator[VenueUpdate]:
        self.calls["updates"] += 1
        self.world.forget_news()
        yield UpdatesMissed()
        while (fact := await self.world.news.get()) is not None:
            yield fact
        raise ConnectionResetError("the venue's stream broke off")

    async def prepare_request(self, request: PositionRequest) -> Wire | None:
        return _wire(request.request_id) if self._signs else None

    async def merge(self, request: PositionRequest) -> PositionOutcome:
        return await self._change(request, RequestKind.MERGE)

    async def redeem(self, request: PositionRequest) -> PositionOutcome:
        return await self._change(request, RequestKind.REDEEM)

    async def convert(self, request: PositionRequest) -> PositionOutcome:
        return await self._change(request, RequestKind.CONVERT)

    async def resolve_request(self, request: PositionRequest) -> PositionOutcome:
        mishap = await self._mishap("resolve_request")
        return await self._said(mishap, self.world.requests.get(request.request_id, NOT_FOUND))

    async def _change(self, request: PositionRequest, kind: RequestKind) -> PositionOutcome:
        assert request.kind is kind
        mishap = await self._mishap(kind.value)
        self.world.arrived.append(request.request_id)
        if mishap == "refuse":
            return self.world.requests.setdefault(request.request_id, Rejected("reverted", "execution reverted"))
        if mishap != "drop":
            self.world.requests.setdefault(request.request_id, Done(request.gained, f"0x{len(self.world.arrived)}"))
        return await self._said(mishap, self.world.requests.get(request.request_id, NOT_FOUND))

    async def _arrive(self, order: ApprovedOrder) -> None:
        """One order is taken once, however often it arrives: the venue knows it by its hash."""
        self.world.arrived.append(order.intent.order_id)
        if order.intent.order_id in self.world.orders:
            return
        if order.intent.order_type in (OrderType.GTC, OrderType.GTD) and not self._rests_at_matching:
            answer: Submission = Accepted(order.intent.order_id, OrderStatus.OPEN, (), self._clock.now())
        else:
            answer = await self._matching.submit(order)
        self.world.orders[order.intent.order_id] = answer
        self.world.tell(*answered(order.intent.order_id, answer, self._clock.now()))

    async def _mishap(self, method: str) -> str:
        self.calls[method] += 1
        return self._script.get((method, self.calls[method]), self._always.get(method, ""))

    async def _said(self, mishap: str, truth: Answer) -> Answer | Unknown:
        if mishap == "raise":
            raise ConnectionResetError("the adapter did not expect this")
        if mishap == "late":
            await self._clock.sleep(60)
        return LOST if mishap in ("lose", "drop") else truth


def _wire(name: str) -> Wire:
    digest = hashlib.sha256(name.encode()).digest()
    return Wire(digest, name.encode(), int.from_bytes(digest[:7], "big"))
