"""Seeds, days of simulated trading, invariants."""
