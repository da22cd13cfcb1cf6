"""Artifacts: files to the server or its bucket and back, and the outbox of those that wait.

Named `files`, since `stepwell.artifacts` is the module that scripts import by MLflow's name.
"""
