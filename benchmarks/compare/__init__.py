"""Stepwell beside its peers, on one PostgreSQL with the same settings, in one run."""
