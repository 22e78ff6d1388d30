"""The encoder's benchmark: ours and its peers on the same scenes in one run."""
