"""The one tree of errors. Foreseen answers are values; these are things that are broken or were asked wrongly.

Every message says what was wrong and what to do. One table in the API maps them to HTTP.
"""

from __future__ import annotations

from polymarket_kit.errors import ExitCode, InvalidRequest, PrescientError


class NotFoundError(PrescientError):
    """Something named in the request does not exist (HTTP 404)."""

    code = "not_found"
    exit_code = ExitCode.NOT_FOUND


class PortfolioNotFound(NotFoundError):
    code = "portfolio_not_found"

    def __init__(self, portfolio_id: int) -> None:
        super().__init__(
            f"Portfolio {portfolio_id} does not exist. List them: GET /portfolios/list or `prescient portfolio list`."
        )
        self.portfolio_id = portfolio_id


class ConflictError(PrescientError):
    """The request is well formed but the present state refuses it (HTTP 409)."""

    code = "conflict"
    exit_code = ExitCode.REFUSED


class PortfolioNotActive(ConflictError):
    code = "portfolio_not_active"

    def __init__(self, portfolio_id: int, status: str) -> None:
        cure = (
            "Set its status to active first."
            if status == "paused"
            else "An archived portfolio stays as it is; create another."
        )
        super().__init__(f"Portfolio {portfolio_id} is {status} and does not trade. {cure}")


class NoActivePortfolios(ConflictError):
    code = "no_active_portfolios"

    def __init__(self) -> None:
        super().__init__(
            "No active portfolios found. Create one: POST /portfolios/create or `prescient portfolio create`."
        )


class CycleAlreadyRunning(ConflictError):
    code = "cycle_running"

    def __init__(self, portfolio_id: int, cycle_id: str) -> None:
        super().__init__(
            f"Cycle {cycle_id} is already running for portfolio {portfolio_id}. Wait for it: GET /trading/cycles/{cycle_id}."
        )
        self.cycle_id = cycle_id


class CycleInterrupted(ConflictError):
    """Raised to a cycle that was taken for dead, because the connection that kept it alive was lost for a while."""

    code = "cycle_interrupted"

    def __init__(self, cycle_id: str) -> None:
        super().__init__(
            f"Cycle {cycle_id} was closed meanwhile: its connection to the database was lost. Start another."
        )
        self.cycle_id = cycle_id


class ExecutionRunning(ConflictError):
    code = "execution_running"

    def __init__(self, portfolio_id: int) -> None:
        super().__init__(
            f"Signals of portfolio {portfolio_id} are being executed already. Ask again when that has ended."
        )


class PositionMoved(ConflictError):
    """Raised by the store when a position is not what the booking was computed from: read it again and compute anew."""

    code = "position_moved"

    def __init__(self, token_id: str) -> None:
        super().__init__(
            f"The position in {token_id} changed while it was being booked; nothing was booked. Ask again."
        )


class RequestClosed(ConflictError):
    """Raised by the store for a change of positions that has ended already: it is booked, or it never happened."""

    code = "request_closed"

    def __init__(self, request_id: str) -> None:
        super().__init__(f"Request {request_id} has ended already; nothing was booked again.")


class IdempotencyKeyReused(InvalidRequest):
    code = "idempotency_key_reused"

    def __init__(self) -> None:
        super().__init__("Idempotency-Key", "was used before with another request; send a new key.")


class StoreUnavailable(PrescientError):
    """The database does not answer (HTTP 503)."""

    code = "database_unavailable"

    def __init__(self, detail: str = "") -> None:
        cure = "Check that it runs (`prescient status`) and that POSTGRES_* are right; work goes on by itself when it is back."
        super().__init__(f"Error connecting to database. {cure}{' ' + detail if detail else ''}")


class VenueUnavailable(PrescientError):
    """The venue does not answer, or answers nonsense, after all bounded retries (HTTP 502)."""

    code = "venue_unavailable"


class UnknownVenue(ConflictError):
    """A portfolio names a venue that this installation does not have."""

    code = "unknown_venue"

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no venue {name!r} here. Venues: {', '.join(known)}.")


class VenueElsewhere(ConflictError):
    """Only another process of this installation holds this venue."""

    code = "venue_elsewhere"

    def __init__(self, name: str) -> None:
        super().__init__(f"Venue {name!r} is held by the worker alone: start it with `prescient up` and ask there.")


class VenueOwnerAway(PrescientError):
    """No process holds the venue that a portfolio trades at (HTTP 503)."""

    code = "venue_owner_away"

    def __init__(self, venue: str) -> None:
        super().__init__(
            f"No worker that holds venue {venue!r} runs, so nothing was sent. Start it with `prescient up`; the signals "
            "stay pending."
        )


class ExecutionInterrupted(PrescientError):
    """The process that executed for us has ended in the middle (HTTP 503)."""

    code = "execution_interrupted"

    def __init__(self, venue: str) -> None:
        super().__init__(
            f"The worker that holds venue {venue!r} ended while it executed. What it sent is resolved when it is back."
        )


class ExecutionFailed(PrescientError):
    """The process that executed for us met an error, and says which (HTTP 500)."""

    code = "execution_failed"


class StepUnavailable(PrescientError):
    """Another service of ours does not answer (HTTP 503)."""

    code = "service_unavailable"


class InvariantBroken(PrescientError):
    """Our own books do not agree with themselves: money stops until a person has looked (HTTP 500)."""

    code = "invariant_broken"


class PortTaken(PrescientError):
    """Another process listens on one of our ports. ``holder`` says which, as far as the system tells."""

    code = "port_taken"
    exit_code = ExitCode.REFUSED

    def __init__(self, host: str, port: int, holder: str, wanted_for: str = "") -> None:
        wanted = f", wanted for {wanted_for}," if wanted_for else ""
        super().__init__(
            f"Address already in use: {host}:{port}{wanted} is held by {holder}. Stop it (`prescient down` if it is ours), "
            "or use other ports: PRESCIENT_PORT_SHIFT=100."
        )
        self.port = port
        self.holder = holder


# Every error that one of our services may answer another with, by its code.
BY_CODE: dict[str, type[PrescientError]] = {
    kind.code: kind
    for kind in (
        PrescientError,
        InvalidRequest,
        NotFoundError,
        PortfolioNotFound,
        ConflictError,
        UnknownVenue,
        VenueElsewhere,
        PortfolioNotActive,
        NoActivePortfolios,
        CycleAlreadyRunning,
        CycleInterrupted,
        ExecutionRunning,
        PositionMoved,
        IdempotencyKeyReused,
        StoreUnavailable,
        VenueUnavailable,
        StepUnavailable,
        InvariantBroken,
        PortTaken,
        RequestClosed,
        VenueOwnerAway,
        ExecutionInterrupted,
        ExecutionFailed,
    )
}


def error_from_answer(code: str, message: str, **named: object) -> PrescientError | None:
    """Return the error that a service answered with, or None for a code that is not in the table.

    ``named`` are its other attributes, such as ``cycle_id``; those that are None are left out.
    """
    kind = BY_CODE.get(code)
    if kind is None:
        return None
    # Without the constructor: it composes the message from parts, and here it has been composed already.
    error = kind.__new__(kind, message)
    for name, value in named.items():
        if value is not None:
            setattr(error, name, value)
    return error
