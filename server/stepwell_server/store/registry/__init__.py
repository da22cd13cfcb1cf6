"""Registered models and their versions in PostgreSQL."""
