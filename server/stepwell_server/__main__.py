"""`python -m stepwell_server`: the same as `stepwell server`."""

from stepwell_server.cli import server

server(prog_name="stepwell server")
