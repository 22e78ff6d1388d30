"""The command line of the benchmark. Tables go to standard output, progress and errors to standard error."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from benchmarks.ablation import measure_variants
from benchmarks.arguments import build_parser
from benchmarks.encoders import ROOT, Encoder, original_sogs, our_encoders, splat_transform
from benchmarks.engines import format_rows as format_engine_rows
from benchmarks.engines import measure_engines
from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe_machine
from benchmarks.nvml import find_gpu
from benchmarks.process import run_measured
from benchmarks.quality import Judge
from benchmarks.refined import RefinedRow, encode_variant, measure_refinement
from benchmarks.refined import format_rows as format_refined
from benchmarks.results import keep_row, read_rows
from benchmarks.run import Bench, run_scene
from benchmarks.scenes import Scene, format_count, open_scene, open_scenes, parse_count
from benchmarks.simplification import SimplifiedRow, measure_simplification
from benchmarks.simplification import format_rows as format_simplified
from benchmarks.table import format_row
from benchmarks.tile import write_tiled
from benchmarks.transfer import format_rows, measure_transfers
from benchmarks.variants import format_ablation, format_variant

Row = TypeVar("Row", SimplifiedRow, RefinedRow)

EXAMPLE = ROOT / "examples" / "make_scene.py"
EXAMPLE_LIMIT_S = 120
DEFAULT_SIZES = ["8k", "30k", "120k"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser(COMMANDS).parse_args(arguments)
    try:
        return int(options.command(options))
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
    except OSError as error:
        print(f"benchmarks: {error.filename}: {error.strerror}; free space or name other folders", file=sys.stderr)
    except KeyboardInterrupt:
        print("benchmarks: interrupted; `python -m benchmarks report FILE.jsonl` shows what is done", file=sys.stderr)
    return 1


def run_benchmark(options: argparse.Namespace) -> int:
    """Run everything, keep each row as it is done, write and print the report."""
    if options.results.exists():
        read_rows(options.results)  # refused before work starts, if it is not one of ours
    gpu = find_gpu()
    scenes = _prepare_scenes(options)
    encoders = _choose_encoders(options, has_gpu=gpu is not None)
    judge = None if options.time_only else _judge(options)
    bench = Bench(encoders, judge, options.work, options.limit, gpu)
    machine = str(describe_machine(gpu.name if gpu else ""))
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    for scene in scenes:
        for row in run_scene(bench, scene):
            keep_row(options.results, replace(row, machine=machine, command=command))
            print(format_row(row), file=sys.stderr, flush=True)
    return _report([options.results], options.out)


def make_report(options: argparse.Namespace) -> int:
    """Write and print the report of results there are."""
    return _report(options.results, options.out)


def _report(results: Sequence[Path], out: Path) -> int:
    try:
        from benchmarks.report import write_report  # here, since a machine that measures may do without matplotlib
    except ModuleNotFoundError as error:
        files = " ".join(map(str, results))
        raise BenchmarkError(
            f"{error.name} is not installed, which the plots need; the rows are in {files}: "
            "copy them to where it is, and run `python -m benchmarks report` there"
        ) from error
    rows = [row for path in results for row in read_rows(path)]
    if not rows:
        raise BenchmarkError(f"{results[0]}: has no rows; run `python -m benchmarks run` first")
    page = write_report(rows, out)
    print(page.read_text())
    print(f"benchmarks: written to {page}", file=sys.stderr)
    return 0


def run_ablation(options: argparse.Namespace) -> int:
    """Print the table of docs/encoder.md, and each row as it is done."""
    scene = open_scene(options.scene, options.cameras)
    folder = options.work / "ablation" / scene.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    variants = []
    for variant in measure_variants(shlex.split(options.worker), _judge(options), scene, folder, only=options.only):
        variants.append(variant)
        print(f"{scene.name}: {format_variant(variant)}", file=sys.stderr, flush=True)
    print(format_ablation(variants))
    return 0


def run_engines(options: argparse.Namespace) -> int:
    """Print the table of docs/engines.md."""
    folder = options.work / "engines"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for row in measure_engines(open_scenes(options.scenes), _judge(options), folder):
        rows.append(row)
        print(json.dumps(asdict(row)), file=sys.stderr, flush=True)
    gpu = find_gpu()
    print(describe_machine(gpu.name if gpu else ""), format_engine_rows(rows), sep="\n\n")
    return 0


def run_simplify(options: argparse.Namespace) -> int:
    """Print the table of docs/quality.md."""
    options.work.mkdir(parents=True, exist_ok=True)
    converter = [*shlex.split(options.splat_transform), "-g", options.gpu]
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        judge, scenes = _judge(options), open_scenes(options.scenes)
        measured = measure_simplification(
            scenes, options.percent, converter, judge.evaluator, Path(folder), has_gpu=find_gpu() is not None
        )
        return _print_table(measured, format_simplified)


def run_refine(options: argparse.Namespace) -> int:
    """Print the table of docs/quality.md for scenes that are fitted to pictures."""
    options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        judge, scenes, worker = _judge(options), open_scenes(options.scenes), shlex.split(options.worker)
        measured = measure_refinement(scenes, options.variants, worker, judge.evaluator, Path(folder))
        return _print_table(measured, format_refined)


def run_crops(options: argparse.Namespace) -> int:
    """Draw the pictures of docs/quality.md."""
    from benchmarks.crops import draw_crops  # loads torch

    options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        bundles = {}
        scene = open_scene(options.scene)
        for number, variant in enumerate(options.variants):
            bundles[variant] = Path(folder) / f"{number}.sog"
            usage = encode_variant(scene, variant, shlex.split(options.worker), bundles[variant])
            if usage.failure:
                raise BenchmarkError(f"{scene.name}, {variant}: {usage.failure}")
        draw_crops(scene, bundles, options.out)
    print(f"benchmarks: written to {options.out}", file=sys.stderr)
    return 0


def _print_table(measured: Iterable[Row], format_rows: Callable[[list[Row]], str]) -> int:
    """Tell each row as it is done, then the machine and the table."""
    rows = []
    for row in measured:
        rows.append(row)
        print(json.dumps(asdict(row)), file=sys.stderr, flush=True)
    gpu = find_gpu()
    print(describe_machine(gpu.name if gpu else ""), format_rows(rows), sep="\n\n")
    return 0


def run_transfer(options: argparse.Namespace) -> int:
    """Print the table of the ways to move an object."""
    rows = measure_transfers(options.work, bucket=options.bucket, mebibytes=options.mebibytes, rounds=options.rounds)
    print(format_rows(rows, options.mebibytes))
    return 0


def run_pipeline(options: argparse.Namespace) -> int:
    """Print the table of a run of many scenes."""
    from benchmarks.pipeline import (
        Course,
        format_rounds,
        measure_pipeline,
        server_endpoint,
        write_scenes,
    )  # needs boto3

    options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        course = Course(options.bucket, server_endpoint(), "cuda" if find_gpu() else "cpu", Path(folder).resolve())
        base = course.work / "example.ply"
        _write_example(base)
        write_scenes(course, base, scenes=options.scenes, splats=parse_count(options.splats))
        rounds = measure_pipeline(course, rounds=options.rounds, mebibytes_per_second=options.mebibytes_per_second)
        print(format_rounds([*rounds]))
    return 0


def run_memory(options: argparse.Namespace) -> int:
    """Print the table of the memory that runs take."""
    from benchmarks.memory import format_rows, measure_memory
    from benchmarks.pipeline import Course  # needs boto3

    options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        course = Course("", "", "cuda" if find_gpu() else "cpu", Path(folder).resolve())
        print(format_rows([*measure_memory(course, options.scenes)]))
    return 0


def _judge(options: argparse.Namespace) -> Judge:
    worker, converter = shlex.split(options.worker), shlex.split(options.splat_transform)
    decoders = {"splat-transform": [*converter, "-w", "-g", "cpu"], "our own decoder": [*worker, "decompress", "-w"]}
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
        _write_example(base)
    made = [folder / f"{base.stem}-{format_count(count)}.ply" for count in counts]
    for count, path in zip(counts, made, strict=True):
        write_tiled(base, path, count, seed=options.seed)
    return open_scenes([*options.scenes, *made])


def _write_example(path: Path) -> None:
    usage = run_measured([sys.executable, EXAMPLE, path], limit_s=EXAMPLE_LIMIT_S)
    if usage.failure:
        raise BenchmarkError(f"{EXAMPLE}: {usage.failure}")


COMMANDS = {
    "run": run_benchmark,
    "report": make_report,
    "ablation": run_ablation,
    "engines": run_engines,
    "simplify": run_simplify,
    "refine": run_refine,
    "crops": run_crops,
    "transfer": run_transfer,
    "pipeline": run_pipeline,
    "memory": run_memory,
}


if __name__ == "__main__":
    sys.exit(main())
