"""Several pods, one source: who does what, and one result of all."""
