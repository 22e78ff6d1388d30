"""The ground: names, times, settings, and the values that the other rooms exchange."""
