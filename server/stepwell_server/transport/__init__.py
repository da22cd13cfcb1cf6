"""gRPC in, gRPC out: the only importer of grpc and stepwell_api."""
