"""The files that keep what is logged until the server has committed it. README.md draws them."""
