"""Tables that are logged: rows added to rows, pictures in them, the forms they are read in."""
