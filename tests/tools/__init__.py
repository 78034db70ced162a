"""Tests of the programs in tools/, run as people and make run them."""
