"""The Connect protocol: the same services over HTTP."""
