"""TLS of the server: which certificate it shows, and to whom it answers."""
