"""The schema's third step: which source of markets the database holds, in its only row."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SOURCE = """
CREATE TABLE source (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    name text NOT NULL
)
"""


def upgrade() -> None:
    """Make the table; whoever opens the database first writes its row."""
    op.execute(SOURCE)


def downgrade() -> None:
    """Refuse: the way back is the backup made before the update."""
    raise NotImplementedError("Restore the backup made before the update; the schema only goes forward.")
