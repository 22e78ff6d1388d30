"""The original SOGS packages as an engine."""
