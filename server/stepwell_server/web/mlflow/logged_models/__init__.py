"""Logged models in MLflow's REST API."""
