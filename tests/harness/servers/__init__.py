"""Servers of ours in processes of their own: plain, with accounts, with certificates."""
