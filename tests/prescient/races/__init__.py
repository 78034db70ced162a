"""Races between processes for the same cash and the same shares, on PostgreSQL."""
