"""Each fault that must cost at most itself: venue, database, strategy, and everything at once."""
