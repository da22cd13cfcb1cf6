"""Event files of TensorBoard: records with checksums, their messages, the runs that they tell of."""
