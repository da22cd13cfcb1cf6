"""Moving runs in and out in bulk: export to Parquet, import from it, from MLflow and from TensorBoard."""
