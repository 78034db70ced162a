"""The schema's second step: the venue's catalogue, why things were dropped, value over time, and who runs what.

Catalogue and snapshots keep amounts as bigint micro-units, for speed: the names of these columns end in ``_micro``.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

EVENTS = """
CREATE TABLE events (
    event_id text PRIMARY KEY,
    title text NOT NULL,
    slug text NOT NULL,
    active boolean NOT NULL,
    closed boolean NOT NULL,
    liquidity_micro bigint NOT NULL,
    volume_micro bigint NOT NULL,
    volume_24h_micro bigint NOT NULL,
    start_time timestamptz,
    end_time timestamptz,
    negative_risk boolean NOT NULL,
    tags text[] NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 50)
"""

# Outcomes are three arrays of equal length. No foreign key to events: a page writes both in one transaction, and
# checking 30,000 rows one by one costs more than writing them.
MARKETS = """
CREATE TABLE markets (
    market_id text PRIMARY KEY,
    event_id text NOT NULL,
    condition_id text NOT NULL,
    question text NOT NULL,
    slug text NOT NULL,
    token_ids text[] NOT NULL,
    outcome_names text[] NOT NULL,
    outcome_prices bigint[] NOT NULL,
    active boolean NOT NULL,
    closed boolean NOT NULL,
    accepting_orders boolean NOT NULL,
    order_book_enabled boolean NOT NULL,
    liquidity_micro bigint NOT NULL,
    volume_micro bigint NOT NULL,
    volume_24h_micro bigint NOT NULL,
    tick_micro bigint NOT NULL,
    minimum_size_micro bigint NOT NULL,
    fee_rate_micro bigint NOT NULL,
    fee_exponent integer NOT NULL,
    fee_taker_only boolean NOT NULL,
    fee_rebate_rate_micro bigint NOT NULL,
    negative_risk boolean NOT NULL,
    best_bid_micro bigint,
    best_ask_micro bigint,
    last_trade_micro bigint,
    end_time timestamptz,
    game_start_time timestamptz,
    seconds_delay integer NOT NULL,
    resolution text NOT NULL CHECK (resolution IN ('open', 'ended', 'proposed', 'disputed', 'resolved')),
    category text NOT NULL,
    group_title text NOT NULL,
    placeholder boolean NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 50)
"""

CYCLE_MARKETS = """
CREATE TABLE cycle_markets (
    cycle_id text NOT NULL,
    number integer NOT NULL,
    market_id text NOT NULL,
    PRIMARY KEY (cycle_id, number)
)
"""

# Their partitions, one per UTC day, lie in a schema of their own and are made and dropped by ``partitions.py``.
MARKET_SNAPSHOTS = """
CREATE TABLE market_snapshots (
    timestamp timestamptz NOT NULL,
    source text NOT NULL,
    market_id text NOT NULL,
    condition_id text NOT NULL,
    token_id text NOT NULL,
    outcome text NOT NULL,
    best_bid_micro bigint CHECK (best_bid_micro BETWEEN 0 AND 1000000),
    best_ask_micro bigint CHECK (best_ask_micro BETWEEN 0 AND 1000000),
    bid_depth_micro bigint NOT NULL CHECK (bid_depth_micro >= 0),
    ask_depth_micro bigint NOT NULL CHECK (ask_depth_micro >= 0),
    catalogue_price_micro bigint CHECK (catalogue_price_micro BETWEEN 0 AND 1000000)
) PARTITION BY RANGE (timestamp)
"""

DECISIONS = """
CREATE TABLE decisions (
    timestamp timestamptz NOT NULL,
    sequence bigint NOT NULL DEFAULT nextval('decision_sequence'),
    cycle_id text NOT NULL,
    step text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    passed boolean NOT NULL,
    code text NOT NULL,
    number text NOT NULL,
    setting text NOT NULL,
    portfolio_id bigint
) PARTITION BY RANGE (timestamp)
"""

CONSUMPTION = """
CREATE TABLE paper_consumption (
    token_id text NOT NULL,
    side text NOT NULL,
    levels jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (token_id, side)
) WITH (fillfactor = 50)
"""

HISTORY_COLUMNS = """
    timestamp timestamptz NOT NULL,
    balance numeric(20, 6) NOT NULL CHECK (balance >= 0 AND balance < 'NaN'),
    total_invested numeric(20, 6) NOT NULL CHECK (total_invested >= 0 AND total_invested < 'NaN'),
    realized_pnl numeric(20, 6) NOT NULL CHECK (realized_pnl < 'NaN'),
    unrealized_pnl numeric(20, 6) NOT NULL CHECK (unrealized_pnl < 'NaN'),
    total_profit_loss numeric(20, 6) GENERATED ALWAYS AS (realized_pnl + unrealized_pnl) STORED,
    total_value numeric(20, 6) NOT NULL CHECK (total_value >= 0 AND total_value < 'NaN'),
    open_positions integer NOT NULL,
    trades integer NOT NULL,
    cycle_id text NOT NULL
"""

HISTORY = (
    """
CREATE TABLE portfolio_history (
    portfolio_id bigint NOT NULL REFERENCES portfolios,
    snapshot_date date NOT NULL,"""
    + HISTORY_COLUMNS
    + """,
    PRIMARY KEY (portfolio_id, snapshot_date)
) WITH (fillfactor = 50)
"""
)

# ``ledger_entry_id`` is the last entry whose effect the balance holds: the next snapshot adds up from there.
EQUITY = (
    """
CREATE TABLE portfolio_equity (
    equity_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    portfolio_id bigint NOT NULL REFERENCES portfolios,
    snapshot_date date NOT NULL,
    ledger_entry_id bigint NOT NULL,"""
    + HISTORY_COLUMNS
    + ")"
)

LEASES = """
CREATE TABLE leases (
    name text PRIMARY KEY,
    epoch bigint NOT NULL,
    holder text NOT NULL,
    taken_at timestamptz NOT NULL
)
"""

HEARTBEATS = """
CREATE TABLE heartbeats (
    name text PRIMARY KEY,
    beat_at timestamptz NOT NULL,
    detail jsonb NOT NULL
) WITH (fillfactor = 50)
"""

INDEXES = (
    "CREATE INDEX ON markets (event_id)",
    "CREATE INDEX ON markets (condition_id)",
    "CREATE INDEX ON market_snapshots (market_id, timestamp)",
    # A cycle's rows lie together, so a block range index finds them and costs next to nothing to keep.
    "CREATE INDEX ON decisions USING brin (cycle_id) WITH (pages_per_range = 16, autosummarize = on)",
    "CREATE INDEX ON decisions (subject_id)",
    "CREATE INDEX ON decisions (portfolio_id, timestamp, sequence) WHERE portfolio_id IS NOT NULL",
    "CREATE INDEX ON portfolio_equity (portfolio_id, timestamp)",
    "CREATE INDEX ON portfolio_equity (portfolio_id, equity_id)",
)


def upgrade() -> None:
    for statement in (
        "CREATE SCHEMA IF NOT EXISTS partitions",
        EVENTS,
        MARKETS,
        CYCLE_MARKETS,
        MARKET_SNAPSHOTS,
        "CREATE SEQUENCE decision_sequence",
        DECISIONS,
        CONSUMPTION,
        HISTORY,
        EQUITY,
        LEASES,
        HEARTBEATS,
        *INDEXES,
    ):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Going back is a restore of the backup made before the update.")
