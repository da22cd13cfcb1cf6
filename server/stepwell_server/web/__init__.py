"""HTTP beside gRPC, over the same services."""
