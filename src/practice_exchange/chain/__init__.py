"""The little of a chain that the venue's clients need: approvals, splits, merges, redemptions, transfers, conversions."""
