"""What a run records: kept on disk first, then delivered to MLflow."""
