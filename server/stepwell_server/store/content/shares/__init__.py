"""Folders that several servers share: whether all of them see the same one, and whether locks work there."""
