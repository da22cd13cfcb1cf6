"""The rules of artifacts: what may be uploaded, read, removed, and what is checked."""
