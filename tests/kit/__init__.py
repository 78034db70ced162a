"""Tests of the kit: values, fees, signatures and messages."""
