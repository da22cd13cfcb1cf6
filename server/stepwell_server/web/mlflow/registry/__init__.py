"""The registry of models as MLflow's REST API has it."""
