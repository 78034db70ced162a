"""A second opinion on Polymarket's matching and fees, written apart from the exchange it checks."""
