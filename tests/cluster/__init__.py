"""A real Kubernetes on this machine: control plane, one node, DNS and S3, from pinned binaries and without a registry.

Runs before any virtual environment exists, so it uses the standard library only:
``PYTHONPATH=tests python3 -m cluster up``.
"""
