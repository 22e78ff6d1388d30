"""Processes forked from one that has imported what is slow to import: torch, or the Kubernetes client.

Each is a process of its own, with its own environment and streams. What differs from a command is that no new
interpreter begins: tests of the start itself execute the command.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from multiprocessing.reduction import DupFd
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")


def start_warm(
    function: Callable[..., None],
    *arguments: Any,
    imported: Sequence[str],
    environment: Mapping[str, str],
    streams: Sequence[int],
) -> ForkServerProcess:
    """Call a function of a module in a process of its own, which is returned.

    Args:
        function: what to call; how it ends is how the process does.
        arguments: what it gets.
        imported: modules that the first call imports for all.
        environment: of the process, and nothing else.
        streams: file descriptors of its standard input, output and error.
    """
    _CONTEXT.set_forkserver_preload([*imported])
    duplicates = [DupFd(stream) for stream in streams]
    process = _CONTEXT.Process(target=_enter, args=(function, arguments, dict(environment), duplicates))
    process.start()
    return process


def _enter(
    function: Callable[..., None], arguments: Sequence[Any], environment: Mapping[str, str], streams: Sequence[Any]
) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream.detach(), number)
    replace_environment(environment)
    function(*arguments)


def replace_environment(environment: Mapping[str, str]) -> None:
    """Let this process have no other variables than these."""
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # what TMPDIR says is asked for again
