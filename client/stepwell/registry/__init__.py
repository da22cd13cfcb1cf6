"""The registry of models, as the client sees it: entities, calls, and how a model of a run becomes a version."""
