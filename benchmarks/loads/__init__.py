"""What is logged: seeded runs and series, and workloads shaped like training."""
