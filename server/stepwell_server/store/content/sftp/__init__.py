"""Content on a server that speaks SFTP."""
