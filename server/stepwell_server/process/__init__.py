"""Running a process of the server: its logs, figures, signals and limits.

`worker` and `workers` stand above, beside `app`: they start whole servers.
"""
