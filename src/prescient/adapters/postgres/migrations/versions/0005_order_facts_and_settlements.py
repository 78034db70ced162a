"""The schema's fifth step: what is known of each order, how each trade settles, and what is owed once it has settled.

Orders and trades from before have no rows here: their status is as it was kept, and their shares count as settled.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# An order's status is what its facts say. ``data`` holds the fact's amounts in micro-units.
ORDER_FACTS = """
CREATE TABLE order_facts (
    order_id text NOT NULL REFERENCES orders,
    fact_id text NOT NULL,
    kind text NOT NULL CHECK (kind <> ''),
    at timestamptz NOT NULL,
    data jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (order_id, fact_id)
)
"""

FACTS_STAY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_facts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('what was known of an order stays known')
"""

# A trade's way from its match to the chain. ``cost_basis`` and ``mark_value`` are what it added to its position's cost
# and mark, or took from them: enough to undo it exactly.
TRADE_SETTLEMENTS = """
CREATE TABLE trade_settlements (
    trade_id text PRIMARY KEY REFERENCES trades,
    order_id text NOT NULL REFERENCES orders,
    portfolio_id bigint NOT NULL REFERENCES portfolios,
    token_id text NOT NULL,
    side text NOT NULL CHECK (side IN ('BUY', 'SELL')),
    first_number integer NOT NULL CHECK (first_number >= 0),
    fill_count integer NOT NULL CHECK (fill_count > 0),
    size numeric(20, 6) NOT NULL CHECK (size > 0 AND size < 'NaN'),
    cost numeric(20, 6) NOT NULL CHECK (cost >= 0 AND cost < 'NaN'),
    fee numeric(20, 6) NOT NULL CHECK (fee >= 0 AND fee < 'NaN'),
    cost_basis numeric(20, 6) NOT NULL CHECK (cost_basis >= 0 AND cost_basis < 'NaN'),
    mark_value numeric(20, 6) NOT NULL CHECK (mark_value >= 0 AND mark_value < 'NaN'),
    matched_at timestamptz NOT NULL,
    mines_at timestamptz NOT NULL CHECK (mines_at >= matched_at),
    confirms_at timestamptz NOT NULL CHECK (confirms_at >= mines_at),
    fails boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('matched', 'mined', 'confirmed', 'failed')),
    settled_at timestamptz
) WITH (fillfactor = 70)
"""

# What is to be done once shares have settled; done, refused for good or waiting for its next attempt.
OBLIGATIONS = """
CREATE TABLE obligations (
    obligation_id text PRIMARY KEY,
    portfolio_id bigint NOT NULL REFERENCES portfolios,
    kind text NOT NULL CHECK (kind IN ('sell_back', 'merge')),
    data jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    done_at timestamptz,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    last_reason text NOT NULL DEFAULT ''
) WITH (fillfactor = 70)
"""

INDEXES = (
    "CREATE INDEX trade_settlements_unmined ON trade_settlements (portfolio_id, token_id) WHERE state = 'matched'",
    "CREATE INDEX trade_settlements_under_way ON trade_settlements (mines_at) WHERE state IN ('matched', 'mined')",
    "CREATE INDEX obligations_waiting ON obligations (due_at) WHERE done_at IS NULL",
)


def upgrade() -> None:
    """Add the three tables; nothing that exists is changed."""
    for statement in (ORDER_FACTS, FACTS_STAY, TRADE_SETTLEMENTS, OBLIGATIONS, *INDEXES):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: the way back is the backup made before the update."""
    raise NotImplementedError("Restore the backup made before the update; the schema only goes forward.")
