"""Tokens that say where a page ended."""
