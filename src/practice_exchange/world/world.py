"""The practice world: pure, seeded, moved step by step; the same seed and steps give the same bytes in any process."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Protocol, cast

import msgspec

from practice_exchange.world import state
from practice_exchange.world.catalogue import EventWriter, chance_of
from practice_exchange.world.history import invent_past, invent_volume
from practice_exchange.world.index import WorldIndex
from practice_exchange.world.latent_probability import advance_belief, probabilities
from practice_exchange.world.lifecycle import advance_life, next_stage_ms
from practice_exchange.world.state import EventState
from practice_exchange.world.timestamps import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, to_datetime, to_ms
from practice_exchange.world.traders import requote, visit

FIRST_EVENT = 100_001
FIRST_MARKET = 600_001
# Part of the first events that have already ended when the world starts.
ENDED_SHARE = 0.04
# Closed events stay readable for this long.
CLOSED_KEPT_MS = 45 * DAY_MS
# One slice of a step visits about this many markets: a millisecond of work, up to ten where all of them are traded.
SLICE_MARKETS = 40
# Traders come once for about this much traded money.
USD_PER_VISIT = 1_500
SAVE_SLICE_EVENTS = 60
PACE_MIN_MS = 20_000
PACE_MAX_MS = 4 * HOUR_MS


class WorldView(Protocol):
    """What the routes need of a world, seeded or recorded."""

    seed: int
    register: WorldIndex
    revision: int

    @property
    def source(self) -> str:
        """The name under which a database keeps what is traded here."""
        ...

    @property
    def now_ms(self) -> int: ...

    def step_slices(self, until_ms: int) -> Iterator[None]: ...

    def save_slices(self) -> Generator[None, None, bytes]: ...


class _Saved(msgspec.Struct):
    """A checkpoint. ``version`` changes whenever an older one can no longer be continued."""

    version: int
    seed: int
    now_ms: int
    next_event: int
    next_market: int
    breadth: float
    tick_ms: int
    static: bool
    events: list[msgspec.Raw]


CHECKPOINT_VERSION = 1


class CheckpointUnreadable(ValueError):
    """The checkpoint is damaged or of another version; the world must not quietly start anew."""


class World:
    """Hundreds of events with hidden outcomes and simulated traders.

    ``tick`` is the longest stretch that traders act through at once: finer is truer, coarser is faster. ``static``
    worlds have a clock but no traders: large catalogues for measuring. ``breadth`` widens the events with
    several options. Raises ValueError for a naive ``start``.
    """

    def __init__(
        self,
        seed: int,
        events: int = 300,
        start: datetime | None = None,
        *,
        tick: timedelta = timedelta(hours=1),
        static: bool = False,
        breadth: float = 1.0,
    ) -> None:
        if start is None:
            raise ValueError("a world needs the moment at which it starts")
        self.seed = seed
        self.static = static
        self.revision = 0
        self.register = WorldIndex()
        self._now_ms = to_ms(start)
        self._breadth = breadth
        self._tick_ms = max(tick // timedelta(milliseconds=1), SECOND_MS)
        self._writer = EventWriter(seed, breadth)
        self._next_event, self._next_market = FIRST_EVENT, FIRST_MARKET
        self._streams: dict[int, Random] = {}
        self._due: list[tuple[int, int]] = []
        ages = Random(f"{seed}/ages")
        for _ in range(events):
            ended = ages.random() < ENDED_SHARE and not static
            self._list(age=1.0 + 0.05 * ages.random() if ended else 0.97 * ages.random())

    @property
    def source(self) -> str:
        return f"practice-{self.seed}"

    @property
    def now_ms(self) -> int:
        return self._now_ms

    @property
    def now(self) -> datetime:
        return to_datetime(self._now_ms)

    # --- time

    def step(self, until: datetime) -> None:
        """Move to ``until`` tick by tick; a moment in the past changes nothing."""
        for _ in self.step_slices(to_ms(until)):
            pass

    def step_slices(self, until_ms: int) -> Iterator[None]:
        """Like ``step``, in slices of a few milliseconds; between them every market is whole and may be read."""
        while self._now_ms < until_ms:
            before_ms = self._now_ms
            self._now_ms = min(until_ms, (before_ms // self._tick_ms + 1) * self._tick_ms)
            if not self.static:
                yield from self._tick(before_ms, self._now_ms)

    def _tick(self, from_ms: int, to_ms: int) -> Iterator[None]:
        due, work = self._due, 0
        relist: list[str] = []
        while due and due[0][0] <= to_ms:
            number = heapq.heappop(due)[1]
            event = self.register.events.get(number)
            if event is None:
                continue
            self._advance(event, from_ms, to_ms)
            if not event.replaced and event.end_ms <= to_ms:
                event.replaced = True
                relist.append(event.recipe)
            self.revision += 1
            work += len(event.markets)
            if work >= SLICE_MARKETS:
                work = 0
                yield
        for recipe in relist:
            self._list(recipe=recipe)
        self._forget(to_ms)
        yield

    def _advance(self, event: EventState, from_ms: int, to_ms: int) -> None:
        """Run an event's traders and lifecycle, then schedule its next visit."""
        rng = self._streams[event.number]
        if event.last_ms < event.end_ms:
            if event.end_ms <= to_ms:
                moment_ms = event.end_ms
            else:
                moment_ms = max(event.due_ms, from_ms, to_ms - int(rng.expovariate(1 / event.pace_ms)))
            self._trade(event, moment_ms, rng)
        advance_life(event, to_ms, rng)
        if event.last_ms < event.end_ms:
            self._schedule(event, min(event.end_ms, to_ms + 1 + int(rng.expovariate(1 / event.pace_ms))))
            return
        stage_ms = next_stage_ms(event)
        if stage_ms is None:
            del self._streams[event.number]
            self._schedule(event, event.closed_ms + CLOSED_KEPT_MS)
        else:
            self._schedule(event, max(stage_ms, to_ms + 1))

    def _trade(self, event: EventState, moment_ms: int, rng: Random) -> None:
        elapsed_ms = moment_ms - event.last_ms
        for belief in event.beliefs:
            advance_belief(belief, event.last_ms, moment_ms, rng)
        chances = [probabilities(belief) for belief in event.beliefs]
        event.last_ms = moment_ms
        for market in event.markets:
            if market.stage == state.OPEN and market.active and market.accepting_orders:
                chance = sum(chances[market.belief][market.first : market.beyond])
                visit(market, chance, elapsed_ms, moment_ms, rng)

    def _schedule(self, event: EventState, due_ms: int) -> None:
        event.due_ms = due_ms
        heapq.heappush(self._due, (due_ms, event.number))

    def _forget(self, now_ms: int) -> None:
        """Drop events that have been closed for so long that nobody can still hold them."""
        gone = [e for e in self.register.events.values() if e.closed and e.closed_ms + CLOSED_KEPT_MS <= now_ms]
        for event in gone:
            self.register.remove(event)
            self.revision += 1
            self._streams.pop(event.number, None)

    # --- listing

    def _list(self, recipe: str = "", age: float | None = None) -> None:
        """List one more event, now or as if it had been listed before the world began."""
        number, now_ms = self._next_event, self._now_ms
        event = self._writer.write(number, self._next_market, now_ms, recipe, age)
        self._next_event += 1
        self._next_market += len(event.markets)
        rng = Random(f"{self.seed}/traders/{number}")
        self._streams[number] = rng
        self.register.add(event)
        self._open_books(event, rng)
        if self.static:
            return
        daily_usd = sum(market.daily_volume_micro for market in event.markets) / 1_000_000
        event.pace_ms = int(min(max(DAY_MS / (daily_usd / USD_PER_VISIT + 1), PACE_MIN_MS), PACE_MAX_MS))
        if event.end_ms <= now_ms:
            advance_life(event, now_ms, rng)
            stage_ms = next_stage_ms(event)
            event.replaced = True
            self._schedule(event, event.closed_ms + CLOSED_KEPT_MS if stage_ms is None else max(stage_ms, now_ms + 1))
        else:
            self._schedule(event, min(event.end_ms, now_ms + 1 + int(rng.expovariate(1 / event.pace_ms))))

    def _open_books(self, event: EventState, rng: Random) -> None:
        """First quotes, and for an event older than the world the past that it would have had."""
        now_ms = self._now_ms
        moment_ms = min(now_ms, event.end_ms)
        if event.end_ms <= now_ms:
            for belief in event.beliefs:
                advance_belief(belief, event.end_ms - DAY_MS, event.end_ms, rng)
        event.last_ms = moment_ms
        for market in event.markets:
            chance = chance_of(event, market)
            if market.maker is not None:
                requote(market, int(chance * 1_000_000), rng)
            if moment_ms - event.listed_ms > MINUTE_MS and not self.static:
                invent_volume(market, moment_ms, rng)
                invent_past(market, moment_ms, rng)
            elif self.static:
                market.volume.total_micro = market.daily_volume_micro * 10
            if market.trading and market.maker is not None and not self.static:
                visit(market, chance, 10 * MINUTE_MS, moment_ms, rng)
            market.changed_ms = moment_ms - int(rng.random() * 30_000)
            market.revision += 1
        self.revision += 1

    # --- checkpoints

    def save(self) -> bytes:
        """Everything needed to go on exactly as this world would."""
        slices = self.save_slices()
        while True:
            try:
                next(slices)
            except StopIteration as done:
                return cast(bytes, done.value)

    def save_slices(self) -> Generator[None, None, bytes]:
        """Like ``save``, in slices of a few milliseconds, during which the world must not move."""
        parts: list[msgspec.Raw] = []
        for number, event in self.register.events.items():
            stream = self._streams.get(number)
            if stream is not None:
                _, numbers, event.randomness_spare = stream.getstate()
                event.randomness = list(numbers)
            parts.append(msgspec.Raw(msgspec.msgpack.encode(event)))
            event.randomness, event.randomness_spare = [], None
            if len(parts) % SAVE_SLICE_EVENTS == 0:
                yield
        saved = _Saved(
            version=CHECKPOINT_VERSION,
            seed=self.seed,
            now_ms=self._now_ms,
            next_event=self._next_event,
            next_market=self._next_market,
            breadth=self._breadth,
            tick_ms=self._tick_ms,
            static=self.static,
            events=parts,
        )
        return msgspec.msgpack.encode(saved)

    @classmethod
    def load(cls, checkpoint: bytes) -> World:
        """Continue a saved world. Raises CheckpointUnreadable."""
        try:
            saved = msgspec.msgpack.decode(checkpoint, type=_Saved)
            events = [msgspec.msgpack.decode(part, type=EventState) for part in saved.events]
        except msgspec.DecodeError as error:
            raise CheckpointUnreadable(f"the checkpoint cannot be read: {error}") from error
        if saved.version != CHECKPOINT_VERSION:
            raise CheckpointUnreadable(f"the checkpoint is of version {saved.version}, not {CHECKPOINT_VERSION}")
        world = cls(saved.seed, 0, to_datetime(saved.now_ms), static=saved.static, breadth=saved.breadth)
        world._now_ms, world._tick_ms = saved.now_ms, saved.tick_ms
        world._next_event, world._next_market = saved.next_event, saved.next_market
        for event in events:
            world.register.add(event)
            if event.randomness:
                rng = Random()
                rng.setstate((3, tuple(event.randomness), event.randomness_spare))
                event.randomness, event.randomness_spare = [], None
                world._streams[event.number] = rng
            if event.due_ms:
                world._due.append((event.due_ms, event.number))
        heapq.heapify(world._due)
        return world
