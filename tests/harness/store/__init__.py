"""PostgreSQL, its pooler, and what tests put into a store by hand."""
