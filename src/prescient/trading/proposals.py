"""Decide, one market: ask the strategy and believe nothing it says, so that its faults cost that market and no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from polymarket_kit.model import Side
from polymarket_kit.rules import MARKET_MAKER_STEP_MICRO
from polymarket_kit.values import MICRO, MICRO_MAX
from prescient.domain.market import Market
from prescient.domain.signal import MarketView, Pass, Proposal
from prescient.ports.strategy import Strategy

log = structlog.get_logger(__name__)

STRATEGY_ERROR = "strategy_error"
SETTING = "strategy_type"
REASON_LENGTH_MAX = 200
# One leg per outcome is usual; whoever proposes more than this has lost count.
PROPOSALS_MAX = 20
FAULTS_LOGGED_MAX = 10


def ask_strategy(
    strategy: Strategy, view: MarketView, config: dict[str, Any], known_faults: set[str]
) -> Sequence[Proposal] | Pass:
    """Return what the strategy proposes or why it passes; its exceptions and nonsense are a Pass ``strategy_error``.

    ``known_faults`` keeps what was logged, so that a fault on every market fills the table of decisions, not the log.
    """
    try:
        answer = strategy.decide(view, config)
        wrong = _what_is_wrong(answer, view.market)
    except Exception as error:  # noqa: BLE001  # a user's own code: whatever it raises must not end the cycle
        reason = printable(f"{type(error).__name__}: {error}")
        _log_once(strategy, view.market, reason, known_faults, error)
        return Pass(STRATEGY_ERROR, reason, SETTING)
    if wrong:
        _log_once(strategy, view.market, wrong, known_faults, None)
        return Pass(STRATEGY_ERROR, wrong, SETTING)
    return answer


def printable(text: str) -> str:
    """Cut to a line that a log and a table can show."""
    return "".join(char if char.isprintable() else "?" for char in text[:REASON_LENGTH_MAX])


def _what_is_wrong(answer: object, market: Market) -> str:
    """Say in words what makes an answer unusable, or nothing."""
    if isinstance(answer, Pass):
        good = answer.code and all(_is_text(text) for text in (answer.code, answer.number, answer.setting))
        return (
            "" if good else f"its Pass must have a code and printable texts of at most {REASON_LENGTH_MAX} characters"
        )
    if isinstance(answer, str | Mapping) or not isinstance(answer, Sequence):
        return f"it must return a list of Proposal or a Pass, not {type(answer).__name__}"
    if not 1 <= len(answer) <= PROPOSALS_MAX:
        return f"it must return 1 to {PROPOSALS_MAX} proposals, or a Pass, not {len(answer)} proposals"
    wrong = [_wrong_proposal(proposal, market) for proposal in answer]
    return next((text for text in wrong if text), "")


def _wrong_proposal(proposal: object, market: Market) -> str:
    if not isinstance(proposal, Proposal):
        return f"it must return Proposal objects, not {type(proposal).__name__}"
    if not isinstance(proposal.token_id, str) or market.outcome_of(proposal.token_id) is None:
        return "it proposed a token that is not one of the market's"
    side: object = proposal.side
    if not isinstance(side, Side):
        return "side must be Side.BUY or Side.SELL"
    if not _is_whole(proposal.score_micro, 0, MICRO):
        return f"score_micro must be a whole number from 0 to {MICRO}"
    if not _is_whole(proposal.reference_price_micro, 1, MICRO - 1):
        return f"reference_price_micro must be a whole number above 0 and below {MICRO}"
    if not _is_whole(proposal.size_micro, 0 if side is Side.BUY else MARKET_MAKER_STEP_MICRO, MICRO_MAX):
        return f"size_micro must be a whole number from 0 up, for a SELL from {MARKET_MAKER_STEP_MICRO} up"
    return (
        "" if _is_text(proposal.reason) else f"reason must be printable text of at most {REASON_LENGTH_MAX} characters"
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= REASON_LENGTH_MAX


def _is_whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _log_once(strategy: Strategy, market: Market, reason: str, known: set[str], error: Exception | None) -> None:
    if reason in known or len(known) >= FAULTS_LOGGED_MAX:
        return
    known.add(reason)
    log.error(STRATEGY_ERROR, strategy=strategy.name, market_id=market.market_id, reason=reason, exc_info=error)
