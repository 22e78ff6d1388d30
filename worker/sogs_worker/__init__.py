"""Encoder and decoder of SOG bundles for 3D Gaussian splats, on the command line and as a Kubernetes Job."""
