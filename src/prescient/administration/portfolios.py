"""Portfolios as people manage them: create, change, pause, archive; never deleted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from polymarket_kit.errors import InvalidRequest
from polymarket_kit.values import MICRO
from prescient.administration.schedule import parse_schedule
from prescient.domain.portfolio import NewPortfolio, Portfolio, PortfolioStatus
from prescient.ports.context import TradingContext
from prescient.trading.strategy_config import check

NAME_LENGTH_MAX = 100
DESCRIPTION_LENGTH_MAX = 1_000
BALANCE_MIN_MICRO = MICRO
BALANCE_MAX_MICRO = 1_000_000_000 * MICRO
DEFAULT_NAME = "Default Portfolio"
DEFAULT_BALANCE_MICRO = 10_000 * MICRO
DEFAULT_STRATEGY = "majority"
DEFAULT_VENUE = "paper"


@dataclass(frozen=True, slots=True)
class PortfolioForm:
    """A portfolio as a person asks for it (runbook: create_portfolio). ``current_balance_micro`` may repeat the initial one."""

    name: str
    initial_balance_micro: int
    strategy_type: str = DEFAULT_STRATEGY
    description: str = ""
    current_balance_micro: int | None = None
    strategy_config: dict[str, Any] = field(default_factory=dict)
    schedule: str = ""
    venue: str = DEFAULT_VENUE


async def create_portfolio(context: TradingContext, form: PortfolioForm) -> Portfolio:
    """Check the form and create the portfolio with its opening entry. Raises InvalidRequest, ConflictError on a taken name.

    ``form.venue`` must be one that this installation has; it stays the portfolio's for good.
    """
    if form.current_balance_micro not in (None, form.initial_balance_micro):
        raise InvalidRequest(
            "current_balance", "a new portfolio starts with its initial_balance; leave it out or make them equal"
        )
    if not BALANCE_MIN_MICRO <= form.initial_balance_micro <= BALANCE_MAX_MICRO:
        raise InvalidRequest("initial_balance", "must be from 1 to 1,000,000,000 dollars")
    strategy = context.strategies.get(form.strategy_type)
    if strategy is None:
        raise InvalidRequest("strategy_type", f"must be one of {', '.join(sorted(context.strategies))}")
    if form.venue not in context.venue_names:
        raise InvalidRequest("venue", f"must be one of {', '.join(context.venue_names)}")
    new = NewPortfolio(
        name=_text("name", form.name, NAME_LENGTH_MAX, required=True),
        strategy_type=form.strategy_type,
        initial_balance_micro=form.initial_balance_micro,
        description=_text("description", form.description, DESCRIPTION_LENGTH_MAX),
        strategy_config=check(strategy, form.strategy_config),
        venue=form.venue,
        schedule=parse_schedule(form.schedule).text,
    )
    return await context.store.create_portfolio(new, context.clock.now())


async def change_portfolio(context: TradingContext, portfolio_id: int, changes: dict[str, Any]) -> Portfolio:
    """Change name, description, strategy_type, strategy_config, schedule or status."""
    present = await context.store.portfolio(portfolio_id)
    checked = dict(changes)
    if "name" in changes:
        checked["name"] = _text("name", changes["name"], NAME_LENGTH_MAX, required=True)
    if "description" in changes:
        checked["description"] = _text("description", changes["description"], DESCRIPTION_LENGTH_MAX)
    if "schedule" in changes:
        checked["schedule"] = parse_schedule(changes["schedule"]).text
    if "status" in changes:
        checked["status"] = PortfolioStatus(changes["status"])
    if "strategy_type" in changes or "strategy_config" in changes:
        name = changes.get("strategy_type", present.strategy_type)
        strategy = context.strategies.get(name)
        if strategy is None:
            raise InvalidRequest("strategy_type", f"must be one of {', '.join(sorted(context.strategies))}")
        # Another strategy does not understand the old one's own keys, so it starts from its defaults unless told.
        kept = present.strategy_config if name == present.strategy_type else {}
        checked["strategy_config"] = check(strategy, changes.get("strategy_config", kept))
    return await context.store.change_portfolio(portfolio_id, checked, context.clock.now())


async def archive_portfolio(context: TradingContext, portfolio_id: int) -> Portfolio:
    """Take a portfolio out of trading for good; its rows stay. Open positions are still marked and settled."""
    return await context.store.change_portfolio(portfolio_id, {"status": PortfolioStatus.ARCHIVED}, context.clock.now())


async def ensure_first_portfolio(context: TradingContext) -> Portfolio | None:
    """Make the default portfolio if there never was one, so that a first start has something to trade with."""
    if await context.store.ever_had_portfolio():
        return None
    form = PortfolioForm(DEFAULT_NAME, DEFAULT_BALANCE_MICRO, DEFAULT_STRATEGY, "Made at the first start")
    return await create_portfolio(context, form)


def _text(field_name: str, value: str, length_max: int, *, required: bool = False) -> str:
    text = value.strip()
    if required and not text:
        raise InvalidRequest(field_name, "must not be empty")
    # NUL and lone surrogates would reach the database and fail there; control characters forge log lines.
    if len(text) > length_max or any(not (char.isprintable() or char in "\n\t") for char in text):
        raise InvalidRequest(field_name, f"must be printable text of at most {length_max} characters")
    return text
