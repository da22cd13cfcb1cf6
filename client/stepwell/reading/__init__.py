"""Reading: histories in columns, samples, pages of searches, following a run."""
