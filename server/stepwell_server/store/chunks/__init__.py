"""The stored form of points: chunks and blocks, built from batches, written, and read back."""
