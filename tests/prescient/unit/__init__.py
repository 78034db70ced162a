"""Pure code, unit by unit."""
