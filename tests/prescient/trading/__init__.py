"""Use cases of the trading floor over the memory store, the paper venue and a simulated clock."""
