"""The client's commands of `stepwell`. click is imported here and nowhere else in the client."""
