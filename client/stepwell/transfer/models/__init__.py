"""Logged models in imports: what a source says of them, and how they become models here."""
