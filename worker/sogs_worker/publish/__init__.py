"""All outputs of a run or none: hidden objects first, then their names, their provenance and the manifest."""
