"""The commands of `stepwell models` that are about the registry."""
