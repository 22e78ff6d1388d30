"""One story after the other, as far as wanted: `python -m model LIMIT [STORY ...]`."""

from __future__ import annotations

import sys
import time

from model.searching import search
from model.stories import STORIES


def main(limit: int, names: list[str]) -> None:
    """Search, and say what came of it."""
    for name in names or STORIES:
        begun = time.process_time()
        report = search(name, limit=limit)
        seen = f"{report.states} states{', all' if report.is_complete else ''}"
        found = f": {report.broken}, after {report.trace}" if report.broken else ""
        print(f"{name}: {seen}, {time.process_time() - begun:.1f} s{found}", flush=True)


main(int(sys.argv[1]), sys.argv[2:])
