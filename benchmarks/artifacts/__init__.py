"""Files up and down, beside the bare libraries."""
