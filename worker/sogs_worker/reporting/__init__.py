"""How a run tells of itself: progress and log lines."""
