"""Files that lie outside of Stepwell, at addresses that a user names."""
