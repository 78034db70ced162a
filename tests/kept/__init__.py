"""What an earlier version of the program has kept, and the tests that every later one opens it."""
