"""The schema's fourth step: orders that rest, with their place in the queue as it was kept last."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INTENTS = """
ALTER TABLE orders
    ADD COLUMN post_only boolean NOT NULL DEFAULT false,
    ADD COLUMN expiration_s bigint NOT NULL DEFAULT 0 CHECK (expiration_s >= 0)
"""

# One row as long as an order rests; what the order itself asks for stands in ``orders``.
RESTING_ORDERS = """
CREATE TABLE resting_orders (
    order_id text PRIMARY KEY REFERENCES orders,
    first_token_id text NOT NULL,
    second_token_id text NOT NULL,
    joined_ms bigint NOT NULL,
    expires_ms bigint NOT NULL,
    size numeric(20, 6) NOT NULL CHECK (size > 0 AND size < 'NaN'),
    filled numeric(20, 6) NOT NULL CHECK (filled >= 0 AND filled <= size),
    fill_count integer NOT NULL CHECK (fill_count >= 0),
    ahead numeric(20, 6) NOT NULL CHECK (ahead >= 0 AND ahead < 'NaN'),
    shown numeric(20, 6) NOT NULL CHECK (shown >= 0 AND shown < 'NaN'),
    held_cash numeric(20, 6) NOT NULL CHECK (held_cash >= 0 AND held_cash < 'NaN'),
    in_gap boolean NOT NULL,
    model jsonb NOT NULL DEFAULT '[]',
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70)
"""


def upgrade() -> None:
    """Add what an order that may rest asks for, and the table of those that do."""
    op.execute(INTENTS)
    op.execute(RESTING_ORDERS)


def downgrade() -> None:
    """Refuse: the way back is the backup made before the update."""
    raise NotImplementedError("Restore the backup made before the update; the schema only goes forward.")
