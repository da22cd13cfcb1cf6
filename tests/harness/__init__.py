"""Real servers for tests, cheaply."""
