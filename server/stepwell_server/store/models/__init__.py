"""Logged models in PostgreSQL."""
