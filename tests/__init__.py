"""The tests."""

