"""The script by which a shell completes commands, options and what they take; shtab writes it from the parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import shtab

from sogs_worker.engines.device import DEVICES
from sogs_worker.engines.parameters import ENGINES, FORMATS, QUALITIES

VALUES: dict[str, Sequence[str]] = {
    "engine": ENGINES,
    "format": FORMATS,
    "quality": QUALITIES,
    "sh_bands": ("0", "1", "2", "3"),
    "device": DEVICES,
}
"""What is checked after argparse, by the names that the parser has for it."""
FILES = ("inputs", "input", "scene", "reference", "other", "output", "cameras")


def build_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Write the script; what an option may be is added to the parser, whose own refusals say more than argparse's."""
    for action in _actions(parser):
        if action.dest in VALUES:
            action.choices = VALUES[action.dest]
        elif action.dest in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in {id(each): each for each in action.choices.values()}.values():
                yield from _actions(command)
