"""The search compiler: the one place that composes SQL. Everything that a caller says travels as a parameter."""
