"""The one table of routes: who answers, who may ask, which limits it counts to, whether it is journalled, how it is described.

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
from practice_exchange.faults.order import Fault
from practice_exchange.streams.hub import Streams
from practice_exchange.web.controls import Controls
from practice_exchange.web.route import OBJECT, Effect, Route

READS, CHANGES = Effect.READS, Effect.CHANGES

CONTROLS: tuple[Route, ...] = (
    Route("GET /practice/time", Controls.time, READS, "The exchange's time"),
    Route("GET /practice/status", Controls.status, READS, "What there is, and how fast time passes"),
    Route(
        "POST /practice/advance",
        Controls.advance,
        CHANGES,
        "Let time pass at once",
        body={"type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"]},
    ),
    Route("GET /practice/openapi.json", OpenApi.document, READS, "This document"),
    Route("GET /practice/mode", Modes.show, READS, "What the exchange takes"),
    Route("POST /practice/mode", Modes.set, CHANGES, "Restart, restrict or open the exchange", body=OBJECT),
    Route("GET /practice/limits", Limits.show, READS, "Which rate limits hold"),
    Route("POST /practice/limits", Limits.set, CHANGES, "Set the rate limits", body=OBJECT),
    Route("POST /practice/deposit", ChainAndDataRoutes.deposit, CHANGES, "Give an account play money", body=OBJECT),
    Route("POST /practice/withdraw", ChainAndDataRoutes.withdraw, CHANGES, "Take play money back", body=OBJECT),
    Route("POST /practice/resolve", ChainAndDataRoutes.resolve, CHANGES, "Resolve a market at once", body=OBJECT),
    Route("POST /practice/relayer-key", ChainAndDataRoutes.relayer_key, CHANGES, "A key for the relayer", body=OBJECT),
    Route(
        "POST /practice/watch",
        Streams.watch,
        CHANGES,
        "Bring the markets of some tokens into the trading floor",
        body=OBJECT,
    ),
    Route("GET /practice/faults", FaultControls.show, READS, "Faults that wait to strike"),
    Route("GET /practice/faults/catalogue", FaultControls.kinds, READS, "Every kind of fault that can be asked for"),
    Route("POST /practice/faults", FaultControls.add, CHANGES, "Ask for a fault", body=Fault),
    Route("DELETE /practice/faults", FaultControls.clear, CHANGES, "Call all faults off"),
)
ROUTES: tuple[Route, ...] = (*CLOB, *GAMMA, *CONTROLS, *TRADING, *DATA, *CHAIN)
