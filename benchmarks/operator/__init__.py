"""The operator's benchmark: thousands of resources on a real control plane, their pods on nodes that are not there."""
