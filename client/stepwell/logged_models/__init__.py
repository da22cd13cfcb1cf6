"""Logged models: calls, saving folders as models, and which files a model URI means."""
