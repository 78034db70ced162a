"""The practice exchange: a local stand-in for the venue, with a seeded world of markets behind the venue's own wire."""
