"""The shape of a row of the route table, the request that handlers get, and the index that finds a route."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, NamedTuple

from practice_exchange.web.query import Query
from practice_exchange.web.responses import Answer

OBJECT: dict[str, Any] = {"type": "object"}
# Gets what its log-in proves, if anything, then the request.
Handler = Callable[..., Answer]


class Request(NamedTuple):
    """A request as its handler sees it; names in ``headers`` are lower case."""

    method: str
    # Below its area ("/order" of "/clob/order"), as the client signed it.
    path: str
    # What stands in place of the pattern's ``{...}``, or "".
    name: str
    query: Query
    body: bytes
    headers: Mapping[str, str]


class Login(StrEnum):
    """Who may ask, and what the handler gets before the request."""

    # Anybody: nothing.
    NONE = ""
    # A wallet's signature (L1): the claim that it proves.
    WALLET = "wallet"
    # An API key's signature (L2): the key.
    KEY = "key"
    # The same, or a read-only key without a signature: the key.
    KEY_OR_READ_ONLY = "key or read-only key"
    # An API key's signature, or a wallet's where no key is named: the address.
    KEY_OR_WALLET = "key or wallet"
    # A builder's key or an API key, checked by the handler: nothing.
    BUILDER = "builder"
    # A builder's or a relayer's key, checked by the handler: nothing.
    RELAYER = "relayer"


class Effect(Enum):
    """Whether the write-ahead journal gets a request before it is handled. There is no default."""

    # Changes nothing that a checkpoint keeps.
    READS = "reads"
    CHANGES = "changes"
    # Changes something only if a signed transaction is in the body.
    SENDS_TRANSACTIONS = "sends transactions"


class Metered(Enum):
    """What a request takes from its signer's buckets, and which restricted modes refuse it."""

    NONE = "none"
    ORDER = "order"
    # As many orders as the body lists.
    ORDERS = "orders"
    CANCEL = "cancel"
    # As many cancels as the body lists.
    CANCELS = "cancels"
    # One cancel, and one more for each order that turns out to be canceled.
    CANCEL_ALL = "cancel all"


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One operation, and the method of a part of the exchange that answers it; its docstring is the summary.

    ``operation`` is method and path; a name in braces may stand at the end of the path. ``limits`` names, parted by
    commas, the address limits it counts to besides those of its area and of all. For the OpenAPI document, ``answer``
    and ``body`` are a struct or a schema, and ``query`` names the parameters.
    """

    operation: str
    handler: Handler
    effect: Effect
    answer: Any = field(default_factory=lambda: OBJECT)
    query: str = ""
    body: Any = None
    login: Login = Login.NONE
    limits: str = ""
    metered: Metered = Metered.NONE

    def __post_init__(self) -> None:
        if not isinstance(self.effect, Effect):
            raise TypeError(f"{self.operation} does not say whether it changes anything")
        if not self.summary:
            raise ValueError(f"{self.operation} has a handler without a docstring")
        if not self.path.startswith("/") or "{" in self.path.rpartition("/")[0]:
            raise ValueError(f"{self.operation} is not a method and a path with at most one name, at its end")
        if self.metered is not Metered.NONE and (self.effect is not Effect.CHANGES or self.login is not Login.KEY):
            raise ValueError(f"{self.operation} is metered by signer, so it changes something and needs an API key")

    @property
    def method(self) -> str:
        return self.operation.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.operation.partition(" ")[2]

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.handler.__doc__ or "").partition("\n")[0].removesuffix(".")

    @property
    def area(self) -> str:
        """The first segment of the path: "clob" of "/clob/order"."""
        return self.path.split("/", 2)[1]


class RouteIndex:
    """Finds the route of a request: by its exact path first, then by the patterns that end in a name."""

    # HEAD is answered as GET in these areas where anybody may ask.
    HEAD_AREAS = frozenset({"clob", "gamma", "data"})

    def __init__(self, routes: Sequence[Route]) -> None:
        """Raises ValueError where two routes have the same operation."""
        self.routes = tuple(routes)
        self._limits = {each.operation: tuple(each.limits.split(", ")) if each.limits else () for each in routes}
        self._exact: dict[str, Route] = {}
        self._patterns: dict[str, list[tuple[str, Route]]] = {}
        for route in routes:
            self._add(route.method, route)
            if route.method == "GET" and route.login is Login.NONE and route.area in self.HEAD_AREAS:
                self._add("HEAD", route)
        for patterns in self._patterns.values():
            # The longer one first: a slug's path also begins like an id's.
            patterns.sort(key=lambda pattern: -len(pattern[0]))

    def _add(self, method: str, route: Route) -> None:
        start, brace, _ = route.path.partition("{")
        if brace:
            self._patterns.setdefault(method, []).append((start, route))
            return
        operation = f"{method} {start.rstrip('/')}"
        if operation in self._exact:
            raise ValueError(f"two routes are {operation}")
        self._exact[operation] = route

    def find(self, method: str, path: str) -> tuple[Route, str] | None:
        """The route of a path and the name at the path's end, or None where nothing is served."""
        route = self._exact.get(f"{method} {path}")
        if route is not None:
            return route, ""
        path = path.rstrip("/")
        route = self._exact.get(f"{method} {path}")
        if route is not None:
            return route, ""
        for start, named in self._patterns.get(method, ()):
            if path.startswith(start):
                return named, path[len(start) :]
        return None

    def limits(self, method: str, path: str) -> tuple[str, ...]:
        """The address limits that a request counts to besides those of its area."""
        found = self.find(method, path)
        return self._limits[found[0].operation] if found is not None else ()
