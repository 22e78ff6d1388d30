"""A pod's life: one run of a Kubernetes Job, from its environment to its termination message."""
