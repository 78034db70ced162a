"""Orders' facts in PostgreSQL: appended in the transaction that acts on them, read back to compute an order's status."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from prescient.adapters.postgres.connection import json_text
from prescient.adapters.postgres.store.base import StoreBase
from prescient.domain.order_state import Fact, FactKind

# The rows of given facts, for statements that insert them: the order's id comes from the statement around it.
GIVEN = """
unnest(${0}::text[], ${1}::text[], ${2}::timestamptz[], ${3}::text[]) AS given (fact_id, kind, at, data)
"""

READ = "SELECT kind, at, data::text FROM order_facts WHERE order_id = $1 ORDER BY at, fact_id"


class FactMethods(StoreBase):
    """The part of ``Store`` that tells what is known of an order."""

    async def facts(self, order_id: str) -> list[Fact]:
        rows = await self._database.rows(READ, order_id)
        return [fact_of(order_id, row["kind"], row["at"], row["data"]) for row in rows]


def given(first: int) -> str:
    """Return ``GIVEN`` with its four parameters numbered from ``first``."""
    return GIVEN.format(first, first + 1, first + 2, first + 3)


def columns_of(facts: Sequence[Fact]) -> tuple[list[str], list[str], list[datetime], list[str]]:
    """Return facts as the four arrays of ``GIVEN``."""
    return (
        [fact.fact_id for fact in facts],
        [fact.kind.value for fact in facts],
        [fact.time for fact in facts],
        [json_text(_data_of(fact)) for fact in facts],
    )


def fact_of(order_id: str, kind: str, time: datetime, data: str) -> Fact:
    return Fact(FactKind(kind), order_id, time, **msgspec.json.decode(data))


def _data_of(fact: Fact) -> dict[str, Any]:
    """What a fact says beyond its kind and time; what is zero or empty is left out."""
    values = {
        "fill_id": fact.fill_id,
        "price_micro": fact.price_micro,
        "size_micro": fact.size_micro,
        "cost_micro": fact.cost_micro,
        "fee_micro": fact.fee_micro,
        "text": fact.text,
    }
    return {name: value for name, value in values.items() if value}
