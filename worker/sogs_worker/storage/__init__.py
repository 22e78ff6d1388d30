"""Moving bytes: one small contract for stores of objects and its implementations. None knows a format."""
