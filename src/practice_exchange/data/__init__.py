"""The venue's Data API: positions, closed positions, trades, activity and value of every account."""
