"""`python -m splat_operator`: the operator as a process, with JSON logs, until SIGTERM."""

from __future__ import annotations

import logging
import os
import sys

import kopf

from splat_operator.api.environment import SettingsError, read_settings
from splat_operator.main import Operator, register


def main() -> int:
    """Run the operator; returns the exit code (sysexits.h)."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"splat-operator: {error}.\n")
        return os.EX_CONFIG
    kopf.configure(log_format=kopf.LogFormat.JSON)
    logging.getLogger().setLevel(settings.log_level.upper())
    register(Operator(settings))
    kopf.run(
        standalone=True,
        clusterwide=not settings.watch_namespaces,
        namespaces=settings.watch_namespaces,
    )
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
