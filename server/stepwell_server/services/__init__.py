"""The rules: what may be written, what is returned, within which limits."""
