"""What the command line takes."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.encoders import ROOT
from benchmarks.refined import VARIANTS

SPLAT_TRANSFORM = "tests/viewers/node_modules/.bin/splat-transform"
PEER_LIMIT_S = 600.0
"""Three times what the slowest peer, sogs, took for 500,000 splats on an H100."""


def build_parser(commands: Mapping[str, Callable[[argparse.Namespace], int]]) -> argparse.ArgumentParser:
    """Describe the commands; `commands` are what its words do."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare our encoder with its peers.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(subparsers.add_parser("run", help="encode scenes with ours and the peers, judge, write the report"))
    _add_report(subparsers.add_parser("report", help="write the report of earlier runs anew"))
    _add_ablation(
        subparsers.add_parser("ablation", help="print what each choice of our encoder costs and buys on a scene")
    )
    _add_engines(subparsers.add_parser("engines", help="print bytes, seconds by stage and PSNR of both engines"))
    _add_simplify(subparsers.add_parser("simplify", help="keep a part of the splats by ours and by splat-transform"))
    _add_refine(subparsers.add_parser("refine", help="print how bundles look whose splats are fitted to pictures"))
    _add_crops(subparsers.add_parser("crops", help="draw parts of pictures of a scene beside those of its bundles"))
    _add_transfer(subparsers.add_parser("transfer", help="move an object to and from S3 by ours and other ways"))
    _add_pipeline(subparsers.add_parser("pipeline", help="compress many scenes in S3, beside encoding and moving them"))
    _add_memory(subparsers.add_parser("memory", help="measure the host memory of the Job's entry"))
    for name, command in commands.items():
        subparsers.choices[name].set_defaults(command=command)
    return parser


def parse_limit(text: str) -> float:
    """Read a time limit in seconds.

    Raises:
        argparse.ArgumentTypeError: it is not a positive number.
    """
    return _parse_positive(text, "a time limit; write seconds, such as 600")


def parse_speed(text: str) -> float:
    """Read a speed in MiB/s; raises as `parse_limit` does."""
    return _parse_positive(text, "a speed; write mebibytes per second, such as 12.5")


def parse_number(text: str) -> int:
    """Read how many of something, at least one; raises as `parse_limit` does."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text} is not a number of them; write 1 or more")
    return int(text)


def _parse_positive(text: str, meaning: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not {meaning}")
    return number


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "scenes", metavar="SCENE.ply", nargs="*", type=Path, help="a cameras.json beside one has its views"
    )
    run.add_argument(
        "--sizes", metavar="N", nargs="+", default=[], help="also scenes of these sizes, such as 100k 1.5m"
    )
    run.add_argument(
        "--base", metavar="BASE.ply", type=Path, help="what they are tiled from; default: the example scene"
    )
    run.add_argument("--seed", type=int, default=0, help="of the tiling; default: %(default)s")
    run.add_argument(
        "--only", metavar="TEXT", nargs="+", default=[""], help="only encoders with one of these in the name"
    )
    run.add_argument(
        "--limit",
        metavar="S",
        type=parse_limit,
        default=PEER_LIMIT_S,
        help="seconds after which a peer is stopped on a scene, which its row then says; default: %(default).0f",
    )
    run.add_argument("--sogs", metavar="COMMAND", default="", help="the original encoder's command, sogs-compress")
    run.add_argument("--gpu", default="auto", help="splat-transform's device: auto, a number or cpu; default: auto")
    run.add_argument("--time-only", action="store_true", help="do not decode and judge the bundles")
    run.add_argument(
        "--results",
        metavar="FILE.jsonl",
        default="out/bench/results.jsonl",
        type=Path,
        help="keeps the rows, all of which are reported: those of earlier commands stay, unless machine, scene and "
        "encoder are the same; default: %(default)s",
    )
    _add_out(run)
    _add_tools(run)


def _add_memory(memory: argparse.ArgumentParser) -> None:
    memory.add_argument("scenes", metavar="SCENE.ply", nargs="+", type=Path)
    memory.add_argument("--work", default="out/bench/memory", type=Path, help="folder of files; default: %(default)s")


def _add_report(report: argparse.ArgumentParser) -> None:
    report.add_argument("results", metavar="RESULTS.jsonl", nargs="+", type=Path)
    _add_out(report)


def _add_ablation(ablation: argparse.ArgumentParser) -> None:
    ablation.add_argument("scene", metavar="SCENE.ply", type=Path)
    ablation.add_argument(
        "--cameras",
        metavar="FILE.json",
        type=Path,
        help="views to judge from, as `sogs-worker evaluate` takes them; default: a cameras.json beside the scene, "
        "else an orbit",
    )
    ablation.add_argument(
        "--only",
        metavar="TEXT",
        nargs="+",
        default=[""],
        help="only variants with one of these in the name, and the first, which all are compared with",
    )
    _add_tools(ablation)


def _add_engines(engines: argparse.ArgumentParser) -> None:
    engines.description = "The engine sogs needs an NVIDIA GPU and the original packages (docs/engines.md)."
    engines.add_argument(
        "scenes", metavar="SCENE.ply", nargs="+", type=Path, help="a cameras.json beside one has its views"
    )
    _add_tools(engines)


def _add_simplify(simplify: argparse.ArgumentParser) -> None:
    simplify.add_argument(
        "scenes", metavar="SCENE.ply", nargs="+", type=Path, help="a cameras.json beside one has its views"
    )
    simplify.add_argument(
        "--percent", metavar="P", nargs="+", type=parse_number, default=[50, 25], help="to keep; default: 50 25"
    )
    simplify.add_argument("--gpu", default="cpu", help="splat-transform's device: a number or cpu; default: cpu")
    _add_tools(simplify)


def _add_refine(refine: argparse.ArgumentParser) -> None:
    refine.add_argument(
        "scenes", metavar="SCENE.ply", nargs="+", type=Path, help="a cameras.json beside one has its views"
    )
    refine.add_argument(
        "--variants", metavar="NAME", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="default: all of them"
    )
    _add_tools(refine)


def _add_crops(crops: argparse.ArgumentParser) -> None:
    crops.add_argument("scene", metavar="SCENE.ply", type=Path, help="a cameras.json beside it has its views")
    crops.add_argument(
        "--variants", metavar="NAME", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="default: all of them"
    )
    crops.add_argument(
        "--out", metavar="PICTURE", type=Path, default="out/bench/crops.webp", help="default: %(default)s"
    )
    _add_tools(crops)


def _add_transfer(transfer: argparse.ArgumentParser) -> None:
    transfer.description = "The server and the keys are those of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on."
    transfer.add_argument("--bucket", default="scenes", help="takes the object; default: %(default)s")
    transfer.add_argument("--mebibytes", metavar="N", type=int, default=2048, help="its size; default: %(default)s")
    transfer.add_argument("--rounds", metavar="N", type=int, default=3, help="the best of N; default: %(default)s")
    transfer.add_argument(
        "--work", default="out/bench/transfer", type=Path, help="folder of files; default: %(default)s"
    )


def _add_pipeline(pipeline: argparse.ArgumentParser) -> None:
    pipeline.description = "The server and the keys are those of AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on."
    pipeline.add_argument("--bucket", default="scenes", help="takes scenes and bundles; default: %(default)s")
    pipeline.add_argument("--scenes", metavar="N", type=parse_number, default=10, help="how many; default: %(default)s")
    pipeline.add_argument("--splats", metavar="N", default="50k", help="of each scene; default: %(default)s")
    pipeline.add_argument(
        "--mebibytes-per-second",
        metavar="R",
        type=parse_speed,
        help="the second table row's limit of speed; default: with it, transfers take as long as encoding",
    )
    pipeline.add_argument(
        "--rounds", metavar="N", type=parse_number, default=3, help="the best of N; default: %(default)s"
    )
    pipeline.add_argument(
        "--work", default="out/bench/pipeline", type=Path, help="folder of files; default: %(default)s"
    )


def _add_out(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", default="docs", type=Path, help="folder of bench.md and pictures/; default: docs")


def _add_tools(command: argparse.ArgumentParser) -> None:
    worker = f"{shlex.quote(sys.executable)} -m sogs_worker"
    command.add_argument("--worker", metavar="COMMAND", default=worker, help="our command; default: this Python's")
    command.add_argument(
        "--splat-transform",
        metavar="COMMAND",
        default=str(ROOT / SPLAT_TRANSFORM),
        help="PlayCanvas' converter, which also decodes for the judgement; default: the one in tests/viewers",
    )
    command.add_argument(
        "--evaluator",
        metavar="COMMAND",
        help="judges {scene} and {decoded}, printing JSON with psnrMean and psnrWorst; default: sogs-worker evaluate",
    )
    command.add_argument(
        "--work", default="out/bench", type=Path, help="folder of bundles and results; default: %(default)s"
    )
