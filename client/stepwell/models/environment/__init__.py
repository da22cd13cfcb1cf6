"""What a model needs to run again: found without loading it anew, written as pip and conda read it."""
