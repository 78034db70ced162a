"""The schema's seventh step: executions that one process asks of the one that holds the portfolio's venue."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

EXECUTION_REQUESTS = """
CREATE TABLE execution_requests (
    request_id text PRIMARY KEY,
    venue text NOT NULL,
    cycle_id text NOT NULL,
    portfolio_id bigint NOT NULL REFERENCES portfolios,
    -- Null: all that are pending.
    signal_ids text[],
    requested_at timestamptz NOT NULL,
    claimed_by text,
    claimed_at timestamptz,
    ended_at timestamptz,
    report jsonb,
    error jsonb,
    CHECK ((claimed_by IS NULL) = (claimed_at IS NULL))
)
"""

OPEN = "CREATE INDEX execution_requests_open ON execution_requests (venue, requested_at) WHERE ended_at IS NULL"


def upgrade() -> None:
    """Add the table; nothing that exists is changed."""
    op.execute(EXECUTION_REQUESTS)
    op.execute(OPEN)


def downgrade() -> None:
    """Refuse: the way back is the backup made before the update."""
    raise NotImplementedError("Restore the backup made before the update; the schema only goes forward.")
