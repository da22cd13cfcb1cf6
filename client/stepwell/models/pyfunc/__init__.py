"""Models as functions: loaded from any flavor, or made of a class, a function or code of the user's own."""
