"""The practice exchange's websockets: books and prints for everybody, orders and trades for their owners."""
