"""Networks that fail, HTTP by hand, and neighbours."""
