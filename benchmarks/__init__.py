"""What Stepwell claims about speed, as programs that print JSON."""
