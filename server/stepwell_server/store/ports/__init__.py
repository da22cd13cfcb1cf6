"""What the services ask of the stores. Every promise a store makes is written here, in the docstrings."""
