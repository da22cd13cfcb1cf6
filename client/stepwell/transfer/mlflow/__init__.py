"""What MLflow has stored: its folders, its SQLite databases, its servers."""
