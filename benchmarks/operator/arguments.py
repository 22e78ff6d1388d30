"""What the command line takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.arguments import parse_number

RESULTS = Path("out/bench/operator.jsonl")


def build_parser() -> argparse.ArgumentParser:
    """Describe the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.operator",
        description="Measure the installed operator with many resources, whose pods run on nodes that are not there. "
        "The last line of the output is one JSON object with all figures.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--sizes",
        type=parse_sizes,
        metavar="N,N",
        help="only apply and finish so many, size after size, and compare the seconds per resource",
    )
    what.add_argument(
        "--running",
        type=parse_seconds,
        metavar="S",
        help="only measure what is asked of the API server for so many seconds while all pods run",
    )
    parser.add_argument(
        "--resources", type=parse_number, default=10_000, metavar="N", help="how many; default: %(default)s"
    )
    parser.add_argument(
        "--more",
        type=parse_number,
        default=300,
        metavar="M",
        help="so many are then applied at a steady rate, and the time to their Jobs measured; default: %(default)s",
    )
    parser.add_argument(
        "--rate", type=parse_seconds, default=10.0, metavar="R", help="that many a second; default: %(default)g"
    )
    parser.add_argument(
        "--idle",
        type=parse_seconds,
        default=600.0,
        metavar="S",
        help="so many seconds nothing happens, and what the operator does is measured; default: %(default)g",
    )
    parser.add_argument(
        "--run-seconds", type=parse_seconds, default=1.0, metavar="S", help="each pod runs; default: %(default)g"
    )
    parser.add_argument(
        "--namespace", default="splat-operator", metavar="NAME", help="of the operator; default: %(default)s"
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, metavar="FILE.jsonl", help="takes a line more; default: %(default)s"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.svg", help="draw what the file of results has by then, earlier runs included"
    )
    return parser


def parse_sizes(text: str) -> list[int]:
    """Read numbers between commas: `1000,3000,10000`; raises as `parse_number` does."""
    return [parse_number(part) for part in text.split(",")]


def parse_seconds(text: str) -> float:
    """Read a positive number.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number
