"""Files that wait for the server, and how they get there."""
