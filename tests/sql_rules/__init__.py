"""Holds the SQL of the store to what a distributed PostgreSQL can route: `python -m tests.sql_rules` finds the rest.

Tables whose primary key is led by `run_id` are spread over the machines by it, all others are there as a whole on
each (docs/scaling.md). A statement that says which runs it is about goes to the machines that have them, and to no
other. The rules are in `rules.py`; what does not keep to them yet is listed in `exceptions.py`.
"""
