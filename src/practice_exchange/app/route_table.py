"""The one table of routes: handler, log-in, limits, journal and OpenAPI shapes of every operation.

Dispatch, the OpenAPI document, both kinds of rate limits, the journal, read-only keys and restricted modes follow from
these rows. To add a route, write its handler and its row.
"""

from __future__ import annotations

from practice_exchange.app.chain_and_data_routes import ChainAndDataRoutes
from practice_exchange.app.limits import Limits
from practice_exchange.app.modes import Modes
from practice_exchange.app.openapi import OpenApi
from practice_exchange.app.routes_public import CLOB, DATA, GAMMA
from practice_exchange.app.routes_trading import CHAIN, TRADING
from practice_exchange.faults.controls import FaultControls
from practice_exchange.faults.kinds import Fault
from practice_exchange.streams.hub import Streams
from practice_exchange.web.controls import Controls
from practice_exchange.web.route import OBJECT, Effect, Route

READS, CHANGES = Effect.READS, Effect.CHANGES

CONTROLS: tuple[Route, ...] = (
    Route("GET /practice/time", Controls.time, READS),
    Route("GET /practice/status", Controls.status, READS),
    Route(
        "POST /practice/advance",
        Controls.advance,
        CHANGES,
        body={"type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"]},
    ),
    Route("GET /practice/openapi.json", OpenApi.document, READS),
    Route("GET /practice/mode", Modes.show, READS),
    Route("POST /practice/mode", Modes.set, CHANGES, body=OBJECT),
    Route("GET /practice/limits", Limits.show, READS),
    Route("POST /practice/limits", Limits.set, CHANGES, body=OBJECT),
    Route("POST /practice/deposit", ChainAndDataRoutes.deposit, CHANGES, body=OBJECT),
    Route("POST /practice/withdraw", ChainAndDataRoutes.withdraw, CHANGES, body=OBJECT),
    Route("POST /practice/resolve", ChainAndDataRoutes.resolve, CHANGES, body=OBJECT),
    Route("POST /practice/relayer-key", ChainAndDataRoutes.relayer_key, CHANGES, body=OBJECT),
    Route("POST /practice/watch", Streams.watch, CHANGES, body=OBJECT),
    Route("GET /practice/faults", FaultControls.show, READS),
    Route("GET /practice/faults/catalogue", FaultControls.kinds, READS),
    Route("POST /practice/faults", FaultControls.add, CHANGES, body=Fault),
    Route("DELETE /practice/faults", FaultControls.clear, CHANGES),
)
ROUTES: tuple[Route, ...] = (*CLOB, *GAMMA, *CONTROLS, *TRADING, *DATA, *CHAIN)
