"""gRPC and its messages: the way to a server, and calls that are not ingest."""
