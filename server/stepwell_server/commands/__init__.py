"""Commands for people who keep a Stepwell server: they work on its database, while it runs or not."""
