"""What runs: passes over a queue, what they are measured by, and how the process is seen from outside."""
