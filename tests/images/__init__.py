"""Builds the project's images from its Dockerfiles without Docker and without a registry.

``python -m images [operator] [worker]``, with ``tests`` on PYTHONPATH and the standard library alone. On a machine with
Docker and the internet the Dockerfiles need nothing of this: their first lines say how.
"""
