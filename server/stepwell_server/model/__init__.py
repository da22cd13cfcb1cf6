"""Plain values that travel between transport, services and store; no I/O, no clock here."""
