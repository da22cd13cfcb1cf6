"""The commit: batches gather, one transaction writes them, and who waits is told."""
