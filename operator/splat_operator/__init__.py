"""Kubernetes operator for SplatCompression resources: watches them, runs a Job for each, reports its result."""
