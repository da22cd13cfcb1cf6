"""How is measured: pairs in turns, processor time, what surrounds a figure."""
