"""The registry of models on the wire."""
