"""What goes on in the background or by command: compaction and removal."""
