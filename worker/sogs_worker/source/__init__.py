"""Where scenes come from: objects, folders and archives."""
