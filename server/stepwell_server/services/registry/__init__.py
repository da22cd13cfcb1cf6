"""The rules of the registry of models."""
