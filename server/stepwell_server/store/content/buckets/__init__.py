"""Content in buckets: what all of them have in common, and what each kind does in its own way."""
