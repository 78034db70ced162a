"""Proves that the benches run and that what they time is complete; how fast it is, they print and no test asserts."""
