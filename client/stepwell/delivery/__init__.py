"""From a log call to the server: what a process writes, and who carries it there, now or later."""
