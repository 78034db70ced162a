"""What becomes of shares without an order: complete sets merge, resolved markets pay."""
