"""The filters of the cycle as request fields, with the runbook's names and defaults."""

from __future__ import annotations

from typing import Any, Self, TypeVar

from pydantic import Field, model_validator

from polymarket_kit.errors import InvalidRequest
from prescient.api.inputs import DollarsMicro, Form, RatioMicro
from prescient.domain.screening import EventFilter, MarketFilter

QueryForm = TypeVar("QueryForm", bound=Form)
BodyForm = TypeVar("BodyForm", bound=Form)

# Ratios in requests; the field types read them as micro-units.
CONVICTION_MIN: Any = 0.5
CONVICTION_MAX: Any = 0.6


class EventFields(Form):
    event_min_liquidity: DollarsMicro = Field(10_000, description="Least liquidity of an event, in dollars")
    event_min_volume: DollarsMicro = Field(50_000, description="Least volume of an event, in dollars")

    def event_filter(self) -> EventFilter:
        return EventFilter(self.event_min_liquidity, self.event_min_volume)


class BandFields(Form):
    min_market_conviction: RatioMicro = Field(
        CONVICTION_MIN, description="Lower end of the band of highest outcome prices"
    )
    max_market_conviction: RatioMicro = Field(CONVICTION_MAX, description="Upper end of the band, included")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_market_conviction > self.max_market_conviction:
            raise InvalidRequest("min_market_conviction", "must not be above max_market_conviction.")
        return self

    def band(self) -> MarketFilter:
        """Return the conviction band alone, which is all that the decision uses: without minimum liquidity and volume."""
        return MarketFilter(0, 0, self.min_market_conviction, self.max_market_conviction)


class CycleFields(EventFields, BandFields):
    min_liquidity: DollarsMicro = Field(10_000, description="Least liquidity of a market, in dollars")
    min_volume: DollarsMicro = Field(50_000, description="Least volume of a market, in dollars")

    def market_filter(self) -> MarketFilter:
        return MarketFilter(self.min_liquidity, self.min_volume, self.min_market_conviction, self.max_market_conviction)


def either(query: QueryForm, form: BodyForm | None) -> QueryForm | BodyForm:
    """Return the parameters of a POST from the URL or the body. Raises InvalidRequest if both have some."""
    if form is None:
        return query
    if query.model_fields_set:
        raise InvalidRequest("body", "give the parameters in the URL or in the body, not in both.")
    return form
