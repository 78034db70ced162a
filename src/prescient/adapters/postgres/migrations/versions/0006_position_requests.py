"""The schema's sixth step: changes of positions that a venue was asked for."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# ``given`` and ``gained`` are [token id or USD, amount in micro-units]. Hash, body and salt as those of orders.
POSITION_REQUESTS = """
CREATE TABLE position_requests (
    request_id text PRIMARY KEY,
    portfolio_id bigint NOT NULL REFERENCES portfolios,
    kind text NOT NULL CHECK (kind IN ('merge', 'redeem', 'convert')),
    condition_ids text[] NOT NULL,
    given jsonb NOT NULL,
    gained jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'done', 'rejected')),
    reason text NOT NULL DEFAULT '',
    order_hash bytea UNIQUE,
    signed_body bytea,
    salt bigint,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK ((status = 'open') = (ended_at IS NULL))
)
"""

OPEN = "CREATE INDEX position_requests_open ON position_requests (portfolio_id) WHERE status = 'open'"


def upgrade() -> None:
    """Add the table; nothing that exists is changed."""
    op.execute(POSITION_REQUESTS)
    op.execute(OPEN)


def downgrade() -> None:
    """Refuse: the way back is the backup made before the update."""
    raise NotImplementedError("Restore the backup made before the update; the schema only goes forward.")
