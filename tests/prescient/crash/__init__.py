"""kill -9 at every persisted step and at any instant: what is found afterwards is whole, and trading goes on."""
