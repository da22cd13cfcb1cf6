"""What a log brings beside points, and what of it is refused, written inside the commit's transaction."""
