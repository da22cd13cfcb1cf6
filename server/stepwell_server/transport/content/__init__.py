"""Artifacts on the wire: their list, their content, and where they lie."""
