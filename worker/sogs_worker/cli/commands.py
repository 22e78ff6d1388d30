"""The command line. Results go to standard output, progress and errors to standard error; exit codes: docs/job.md."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from sogs_worker.cli.output import INTERRUPTED, format_size, print_fault, print_outcome
from sogs_worker.cli.targets import check_output, plan_outputs
from sogs_worker.engines.parameters import FORMATS, Parameters, parse_parameters
from sogs_worker.errors import InterruptedRunError, UsageError, WorkerError
from sogs_worker.files import make_folder
from sogs_worker.naming import ARCHIVE_SUFFIXES, SCENE_SUFFIXES

if TYPE_CHECKING:
    from sogs_worker.cli.addresses import Copies

# What loads NumPy or torch is imported by the command that needs it: `--help` and a wrong option answer at once.
MAX_VIEWS = 1000
ONE_SCENE = f"{', '.join(SCENE_SUFFIXES)}, or an unbundled scene's meta.json"


class _Parser(argparse.ArgumentParser):
    """An argument parser whose refusals have the contract's exit code."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Expected failures are one sentence, never a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    # Threads that wait for each other must sleep, not spin: where others use the same cores, spinning takes several
    # times as long. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        options = build_parser().parse_args(arguments)
        return int(options.command(options))
    except WorkerError as error:
        print_fault(error)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"sogs-worker: {INTERRUPTED}", file=sys.stderr)
        return InterruptedRunError.exit_code


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    parser = _Parser(prog="sogs-worker", description="Compress 3D Gaussian splats to SOG.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_compress(commands)
    _add_sagemaker(commands)
    decompress = commands.add_parser("decompress", help="write the scene of a bundle as PLY")
    decompress.add_argument("bundle", metavar="BUNDLE", help=".sog, or the meta.json of an unbundled scene")
    decompress.add_argument("output", metavar="OUT.ply")
    decompress.set_defaults(command=run_decompress)
    inspect = commands.add_parser("inspect", help="tell what a scene file holds")
    inspect.add_argument("file", metavar="FILE")
    inspect.add_argument("--json", action="store_true", help="one JSON object")
    inspect.set_defaults(command=run_inspect)
    _add_evaluate(commands)
    render = commands.add_parser("render", help="draw a scene file as PNG")
    render.add_argument("file", metavar="FILE", help=ONE_SCENE)
    render.add_argument("output", metavar="OUT.png")
    render.add_argument("--device", default="auto", help="auto (a GPU where there is one), cuda or cpu")
    render.set_defaults(command=run_render)
    run = commands.add_parser("run", help="the Kubernetes Job: everything from the environment")
    run.set_defaults(command=run_job)
    return parser


def _add_compress(commands: Any) -> None:
    compress = commands.add_parser("compress", help="compress scenes to SOG")
    compress.add_argument(
        "inputs",
        metavar="IN",
        nargs="+",
        help=f"a scene ({ONE_SCENE}), an archive of scenes ({', '.join(ARCHIVE_SUFFIXES)}), or a folder of both;"
        " a path, s3://bucket/key, s3://bucket/prefix/ or https://host/file",
    )
    compress.add_argument(
        "output",
        metavar="OUT",
        help="a folder ending in /, or for one scene a .sog file, a meta.json if the format has several files;"
        " a path or s3://bucket/prefix/",
    )
    _add_encoder_options(compress, {})
    compress.add_argument("--json", action="store_true", help="results and progress as JSON lines")
    compress.set_defaults(command=run_compress)


def _add_sagemaker(commands: Any) -> None:
    sagemaker = commands.add_parser(
        "sagemaker",
        help="the SageMaker Processing job: all scenes of a folder",
        epilog="The environment has the options' defaults: SPLATS_QUALITY for --quality, and so on.",
    )
    sagemaker.add_argument("--input", default="/opt/ml/processing/input", help="default: %(default)s")
    sagemaker.add_argument("--output", default="/opt/ml/processing/output", help="default: %(default)s")
    _add_encoder_options(sagemaker, os.environ)
    sagemaker.set_defaults(command=run_sagemaker)


def _add_encoder_options(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the options that decide the output; `environment` has other defaults, such as SPLATS_SH_BANDS."""
    default = Parameters()

    def add(option: str, standard: str | int, meaning: str) -> None:
        value = environment.get(f"SPLATS_{option.upper().replace('-', '_')}", standard)
        parser.add_argument(f"--{option}", type=type(standard), default=value, help=f"{meaning}; default: %(default)s")

    add("engine", default.engine, "the encoder")
    add("device", "auto", "auto (a GPU where there is one), cuda or cpu")
    add("format", default.format, f"{FORMATS[0]}, one file a scene; {' or '.join(FORMATS[1:])}, a folder a scene")
    add("quality", default.quality, "fast, balanced or best")
    add("sh-bands", default.sh_bands, "most SH bands to keep, 0 to 3")
    add("seed", default.seed, "of all random draws")


def _add_evaluate(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="measure how much a scene looks like another, drawn: PSNR and SSIM")
    evaluate.add_argument("reference", metavar="A", help=f"the reference: {ONE_SCENE}")
    evaluate.add_argument("other", metavar="B", help="the scene that is judged, as A")
    evaluate.add_argument(
        "--views", type=int, metavar="N", help="views on an orbit of A; default: 6. With --cameras: the first N"
    )
    evaluate.add_argument(
        "--cameras",
        metavar="FILE",
        help="draw from these: a JSON list of objects with world_to_camera (4x4), K (3x3), width, height, name",
    )
    evaluate.add_argument("--device", default="auto", help="auto (a GPU where there is one), cuda or cpu")
    evaluate.add_argument("--json", action="store_true", help="one JSON object, with each view's values")
    evaluate.set_defaults(command=run_evaluate)


def run_compress(options: argparse.Namespace) -> int:
    """Compress scenes one after the other; return the exit code of the first fault, after the others are done."""
    parameters = read_parameters(options)
    check_output(options.output, len(options.inputs), parameters.format)
    from sogs_worker.cli.addresses import working_copies
    from sogs_worker.reporting.display import message_writer

    tell = message_writer(as_json=options.json)
    with working_copies(options.inputs, options.output, os.environ, tell) as copies:
        return compress_copies(copies, parameters, options)


def compress_copies(copies: Copies, parameters: Parameters, options: argparse.Namespace) -> int:
    """Compress what is here now."""
    from sogs_worker.source.local import find_scenes

    scenes, faults = find_scenes(copies.inputs, Path(copies.output))
    targets = plan_outputs([(scene.path, scene.origin) for scene in scenes], copies.output, parameters.format)
    copies.check_targets([scene.path for scene in scenes], targets)
    faults = [*copies.faults, *faults]
    for fault in faults:
        print_fault(fault, copies.told)
    if not scenes:
        return faults[0].exit_code
    from sogs_worker.scenes.accelerator import load_encoder

    device = load_encoder(options.device, parameters.engine)
    from sogs_worker.cli.batch import compress_scenes
    from sogs_worker.reporting.display import showing_progress

    with showing_progress(as_json=options.json) as progress:
        pairs = list(zip(scenes, targets, strict=True))
        work = compress_scenes(pairs, parameters=parameters, device=device, progress=progress, send=copies.send)
        for outcome in work:
            with progress.aside():
                print_outcome(outcome, device, copies.told, as_json=options.json)
            if isinstance(outcome.result, WorkerError):
                faults.append(outcome.result)
    return faults[0].exit_code if faults else 0


def run_sagemaker(options: argparse.Namespace) -> int:
    """Run the container of a SageMaker Processing job."""
    from sogs_worker.sagemaker import run_processing
    from sogs_worker.scenes.accelerator import load_encoder

    parameters = read_parameters(options)
    return run_processing(
        Path(options.input),
        Path(options.output),
        parameters=parameters,
        load_encoder=lambda: load_encoder(options.device, parameters.engine),
    )


def read_parameters(options: argparse.Namespace) -> Parameters:
    """Check the options of the encoder."""
    fields = {name: getattr(options, name) for name in ("engine", "format", "quality", "seed")}
    return parse_parameters({**fields, "shBands": options.sh_bands})


def run_decompress(options: argparse.Namespace) -> int:
    """Write the scene of a bundle as PLY."""
    from sogs_worker.formats.ply.file import write_ply
    from sogs_worker.formats.sog.file import read_sog

    source, target = Path(options.bundle), Path(options.output)
    if target.suffix.lower() != ".ply":
        raise UsageError(f"{target}: the output must end in .ply")
    splats = read_sog(source)
    make_folder(target.parent)
    write_ply(target, splats)
    print(f"{target}  {format_size(target.stat().st_size)}  {len(splats):,} splats")
    return 0


def run_inspect(options: argparse.Namespace) -> int:
    """Tell what a scene file holds."""
    from sogs_worker.cli.inspect import format_description, inspect_file

    description = inspect_file(Path(options.file))
    print(json.dumps(description) if options.json else format_description(description))
    return 0


def run_evaluate(options: argparse.Namespace) -> int:
    """Measure how much a scene looks like another."""
    if options.views is not None and not 1 <= options.views <= MAX_VIEWS:
        raise UsageError(f"--views must be an integer from 1 to {MAX_VIEWS}, got {options.views}")
    from sogs_worker.engines.device import resolve_device
    from sogs_worker.evaluate import evaluate_files, format_evaluation

    evaluation = evaluate_files(
        Path(options.reference),
        Path(options.other),
        cameras=None if options.cameras is None else Path(options.cameras),
        count=options.views,
        device=resolve_device(options.device),
    )
    print(json.dumps(evaluation, allow_nan=False) if options.json else format_evaluation(evaluation))
    return 0


def run_render(options: argparse.Namespace) -> int:
    """Draw a scene file as PNG."""
    target = Path(options.output)
    if target.suffix.lower() != ".png":
        raise UsageError(f"{target}: the output must end in .png")
    from sogs_worker.encode.clean import drop_unusable
    from sogs_worker.engines.device import resolve_device
    from sogs_worker.files import replacing
    from sogs_worker.formats import read_scene
    from sogs_worker.render import preview_png

    device = resolve_device(options.device)
    splats, _ = drop_unusable(read_scene(Path(options.file)))
    picture = preview_png(splats, device=device)
    make_folder(target.parent)
    with replacing(target) as file:
        file.write(picture)
    print(f"{target}  {format_size(len(picture))}  {len(splats):,} splats")
    return 0


def run_job(_options: argparse.Namespace) -> int:
    """Run the Kubernetes Job."""
    from sogs_worker.job import supervisor

    return int(supervisor.main())


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt  # which nobody on the way takes for a fault of an input or of a request
