"""The runs that are open here: how they begin, what they know of their surroundings, how they end."""
