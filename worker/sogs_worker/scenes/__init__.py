"""From the objects of a source to outputs that lie hidden at the destination."""
