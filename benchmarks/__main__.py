"""The command line of the benchmark. Tables go to standard output, progress and errors to standard error."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.ablation import measure_variants
from benchmarks.encoders import ROOT, Encoder, original_sogs, our_encoders, splat_transform
from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe_machine
from benchmarks.nvml import find_gpu
from benchmarks.process import run_measured
from benchmarks.quality import Judge
from benchmarks.report import write_report
from benchmarks.results import append_row, read_run, start_results
from benchmarks.run import Bench, run_scene
from benchmarks.scenes import Scene, format_count, open_scene, open_scenes, parse_count
from benchmarks.table import format_row
from benchmarks.tile import write_tiled
from benchmarks.variants import format_ablation

SPLAT_TRANSFORM = "tests/viewers/node_modules/.bin/splat-transform"
EXAMPLE = ROOT / "examples" / "make_scene.py"
EXAMPLE_LIMIT_S = 120
DEFAULT_SIZES = ["8k", "30k", "120k"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
    except OSError as error:
        print(f"benchmarks: {error.filename}: {error.strerror}; free space or name other folders", file=sys.stderr)
    except KeyboardInterrupt:
        print("benchmarks: interrupted; `python -m benchmarks report` shows what is done", file=sys.stderr)
    return 1


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare our encoder with its peers.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="encode scenes with ours and the peers, judge, write the report"))
    report = commands.add_parser("report", help="write the report of earlier runs anew")
    report.add_argument("results", metavar="RESULTS.jsonl", nargs="+", type=Path)
    report.add_argument("--out", default="docs", type=Path, help="folder of bench.md and pictures/; default: docs")
    report.set_defaults(command=make_report)
    ablation = commands.add_parser("ablation", help="print what each choice of our encoder costs and buys on a scene")
    ablation.add_argument("scene", metavar="SCENE.ply", type=Path)
    _add_tools(ablation)
    ablation.set_defaults(command=run_ablation)
    return parser


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
        "--limit", metavar="S", type=float, help="seconds a peer may take; default: 10 times ours, at least 60"
    )
    run.add_argument("--sogs", metavar="COMMAND", default="", help="the original encoder's command, sogs-compress")
    run.add_argument("--gpu", default="auto", help="splat-transform's device: auto, a number or cpu; default: auto")
    run.add_argument("--time-only", action="store_true", help="do not decode and judge the bundles")
    run.add_argument(
        "--results", default="out/bench/results.jsonl", type=Path, help="keeps the rows; default: %(default)s"
    )
    run.add_argument("--out", default="docs", type=Path, help="folder of bench.md and pictures/; default: docs")
    _add_tools(run)
    run.set_defaults(command=run_benchmark)


def _add_tools(command: argparse.ArgumentParser) -> None:
    worker = f"{shlex.quote(sys.executable)} -m sogs_worker"
    command.add_argument("--worker", metavar="COMMAND", default=worker, help="our command; default: this Python's")
    command.add_argument("--splat-transform", metavar="COMMAND", default=str(ROOT / SPLAT_TRANSFORM))
    command.add_argument(
        "--evaluator",
        metavar="COMMAND",
        help="judges {scene} and {decoded}, printing JSON with psnrMean and psnrWorst; default: sogs-worker evaluate",
    )
    command.add_argument(
        "--work", default="out/bench", type=Path, help="folder of bundles and results; default: %(default)s"
    )


def run_benchmark(options: argparse.Namespace) -> int:
    """Run everything, keep each row as it is done, write and print the report."""
    gpu = find_gpu()
    scenes = _prepare_scenes(options)
    encoders = _choose_encoders(options, has_gpu=gpu is not None)
    judge = None if options.time_only else _judge(options)
    bench = Bench(encoders, judge, options.work, options.limit, gpu)
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    start_results(options.results, machine=str(describe_machine(gpu.name if gpu else "")), command=command)
    for scene in scenes:
        for row in run_scene(bench, scene):
            append_row(options.results, row)
            print(format_row(row), file=sys.stderr, flush=True)
    return _report([options.results], options.out)


def make_report(options: argparse.Namespace) -> int:
    """Write and print the report of results there are."""
    return _report(options.results, options.out)


def _report(results: Sequence[Path], out: Path) -> int:
    page = write_report([read_run(path) for path in results], out)
    print(page.read_text())
    print(f"benchmarks: written to {page}", file=sys.stderr)
    return 0


def run_ablation(options: argparse.Namespace) -> int:
    """Print the table of docs/encoder.md."""
    scene = open_scene(options.scene)
    folder = options.work / "ablation" / scene.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(format_ablation(list(measure_variants(shlex.split(options.worker), _judge(options), scene, folder))))
    return 0


def _judge(options: argparse.Namespace) -> Judge:
    worker, converter = shlex.split(options.worker), shlex.split(options.splat_transform)
    decoders = {"splat-transform": [*converter, "-w", "-g", "cpu"], "our own decoder": [*worker, "decompress"]}
    default = [*worker, "evaluate", "{scene}", "{decoded}", "--json"]
    return Judge(decoders, shlex.split(options.evaluator) if options.evaluator else default)


def _choose_encoders(options: argparse.Namespace, *, has_gpu: bool) -> list[Encoder]:
    encoders = [
        *our_encoders(shlex.split(options.worker)),
        splat_transform(shlex.split(options.splat_transform), gpu=options.gpu),
        original_sogs(shlex.split(options.sogs), has_gpu=has_gpu),
    ]
    chosen = [encoder for encoder in encoders if any(text in encoder.name for text in options.only)]
    if not chosen:
        names = ", ".join(encoder.name for encoder in encoders)
        raise BenchmarkError(f"--only {' '.join(options.only)}: no encoder is called so; there are {names}")
    return chosen


def _prepare_scenes(options: argparse.Namespace) -> list[Scene]:
    """Return the named scenes and those made to size, which are written first; the default sizes if none is named."""
    sizes = options.sizes or ([] if options.scenes else DEFAULT_SIZES)
    counts = [parse_count(text) for text in sizes]
    folder = options.work / "scenes"
    folder.mkdir(parents=True, exist_ok=True)
    base = options.base or folder / "example.ply"
    if counts and not options.base:
        usage = run_measured([sys.executable, EXAMPLE, base], limit_s=EXAMPLE_LIMIT_S)
        if usage.failure:
            raise BenchmarkError(f"{EXAMPLE}: {usage.failure}")
    made = [folder / f"{base.stem}-{format_count(count)}.ply" for count in counts]
    for count, path in zip(counts, made, strict=True):
        write_tiled(base, path, count, seed=options.seed)
    return open_scenes([*options.scenes, *made])


if __name__ == "__main__":
    sys.exit(main())
