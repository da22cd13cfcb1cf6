"""What runs log, on the wire: streams of batches, and who writes."""
