"""The contract between Stepwell clients and servers: generated stubs beside their .proto files."""
