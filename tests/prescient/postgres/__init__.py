"""PostgreSQL itself: the server that comes along, the schema, and what only a real database does."""
