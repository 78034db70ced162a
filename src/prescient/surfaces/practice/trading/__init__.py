"""The practice exchange's trading side: keys, orders and accounts on the wire, over the pure matching engine."""
