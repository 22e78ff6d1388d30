"""Questions over objects already observed: each module answers one, and asks nobody."""
