"""For Python callers: ``create_portfolio({...})`` as the runbook has it, whether the system runs or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from prescient import wiring
from prescient.cli.services import ServiceAway, Services
from prescient.service_table import PAPER_TRADING
from prescient.settings import Settings, read_settings
from prescient.supervisor.backup import database_for_a_while
from prescient.supervisor.last_run import check_database, of_the_run


def create_portfolio(fields: Mapping[str, Any]) -> int:
    """Create a portfolio and return its number.

    ``fields`` are those of POST /portfolios/create, in dollars: name, initial_balance, and as wanted description,
    strategy_type, strategy_config, schedule and current_balance (equal to initial_balance). Asks the running service;
    without one it writes into the database itself, which is started for the while. Raises InvalidRequest, ConflictError,
    ServiceError, and what the database's start raises.
    """
    settings = read_settings()
    check_database(settings)
    settings = of_the_run(settings)
    services = Services(settings.service_ports)
    try:
        answer = services.ask("POST", PAPER_TRADING.name, "/portfolios/create", body=dict(fields))
    except ServiceAway:
        with database_for_a_while(settings):
            return asyncio.run(_create(settings, fields))
    portfolio_id: int = answer["portfolio_id"]
    return portfolio_id


async def _create(settings: Settings, fields: Mapping[str, Any]) -> int:
    from prescient.administration.portfolios import create_portfolio as create
    from prescient.api.inputs import parse_json
    from prescient.api.portfolios import CreateForm

    form = CreateForm.model_validate(parse_json(json.dumps(dict(fields)).encode()))
    async with wiring.open_context(settings, venue_wanted=False) as context:
        portfolio = await create(context, form.portfolio_form())
    return portfolio.portfolio_id
