"""Accounts, tokens, grants and the audit in PostgreSQL."""
