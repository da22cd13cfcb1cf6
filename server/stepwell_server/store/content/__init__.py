"""Artifacts: their names in PostgreSQL, their bytes in folders and buckets."""
