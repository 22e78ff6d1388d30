"""Moving bytes: in parts, in parallel, again where it failed, and whole."""
