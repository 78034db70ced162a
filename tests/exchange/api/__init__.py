"""The practice exchange: its world, its wire, its faults, and the venue's own clients against it."""
