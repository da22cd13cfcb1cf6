"""MLflow's REST API for experiments, runs and metrics, over the same services as gRPC. See docs/mlflow.md."""
