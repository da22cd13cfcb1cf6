"""Experiments, runs, their data sets, and searching them."""
