"""The runbook, line by line."""
