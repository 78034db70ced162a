"""Tests of the trading product."""
