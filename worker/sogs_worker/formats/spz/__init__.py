"""SPZ, versions 1 to 4."""
