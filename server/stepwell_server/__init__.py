"""The Stepwell server."""

import os

# gRPC's hooks around fork run in the children that become PostgreSQL, and can fail there; no child of ours uses gRPC.
# Before gRPC is imported, because that reads it.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# Everybody who reaches the port can cause lines of lower levels, one with each greeting over TLS that fails.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
