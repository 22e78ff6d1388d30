"""The edge to the API server: one look at the objects of a resource, and the execution of what is to be done."""
