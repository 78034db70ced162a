"""One order's way: approved and reserved, sent, answered, booked; and sold back if it must be."""
