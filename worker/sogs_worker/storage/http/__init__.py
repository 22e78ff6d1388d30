"""Objects behind web servers, which can be read only."""
