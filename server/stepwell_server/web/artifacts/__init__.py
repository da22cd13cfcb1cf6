"""How artifacts are sent over HTTP, whoever asks: types, ranges, conditions, archives; and our own route for it."""
