"""What people write to find runs and experiments: one grammar, parsed into expressions. No SQL here."""
