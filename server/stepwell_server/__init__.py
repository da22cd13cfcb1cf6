"""The Stepwell server."""
