"""What each command does. What loads NumPy or torch is imported by the command that needs it."""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from pathlib import Path

from sogs_worker.cli.viewpoint import Viewpoint
from sogs_worker.engines.parameters import Parameters, parse_parameters
from sogs_worker.engines.target import FIELDS as TARGETS
from sogs_worker.errors import UsageError

MAX_VIEWS = 1000


def run_compress(options: argparse.Namespace) -> int:
    """Compress scenes."""
    parameters = read_parameters(options)
    from sogs_worker.cli.compress import Existing, Request, compress
    from sogs_worker.cli.streams import STREAM
    from sogs_worker.scenes.make import Recipe
    from sogs_worker.source.names import parse_pattern
    from sogs_worker.source.selection import parse_selection
    from sogs_worker.task.gate import Gate

    gate = Gate(options.min_psnr, options.max_bytes, options.min_ratio)
    request = Request(
        options.inputs,
        # A folder that is there needs no slash.
        f"{options.output}/" if options.output != STREAM and Path(options.output).is_dir() else options.output,
        Recipe(parameters, preview=options.preview, gate=gate, measures=options.psnr),
        options.device,
        selection=parse_selection(options.include, options.exclude),
        names=parse_pattern(options.names),
        existing=Existing.REPLACE if options.overwrite else Existing.SKIP if options.skip_existing else Existing.REFUSE,
        as_json=options.json,
        is_quiet=options.quiet,
    )
    return compress(request)


def run_sagemaker(options: argparse.Namespace) -> int:
    """Run the container of a SageMaker Processing job."""
    from sogs_worker.sagemaker import run_processing
    from sogs_worker.scenes.accelerator import load_encoder

    parameters = read_parameters(options)
    return run_processing(
        Path(options.input),
        Path(options.output),
        parameters=parameters,
        load_encoder=lambda: load_encoder(options.device, parameters),
        is_quiet=options.quiet,
    )


def read_parameters(options: argparse.Namespace) -> Parameters:
    """Check the options of the encoder."""
    fields = {name: getattr(options, name) for name in ("engine", "format", "quality", "seed")}
    texts = [options.target_splats, options.target_bytes, options.target_psnr]
    if texts == [None] * len(TARGETS):
        texts = options.default_targets
    target = {name: _number(text) for name, text in zip(TARGETS, texts, strict=True) if text is not None}
    if len(target) > 1:
        raise UsageError("--target-splats, --target-bytes and --target-psnr exclude each other; keep one")
    return parse_parameters({**fields, "shBands": options.sh_bands, **({"target": target} if target else {})})


def _number(text: str) -> int | float | str:
    """Read a number; what is none is for the parser of the run document, where a percentage is text too."""
    for read in (int, float):
        with suppress(ValueError):
            return read(text)
    return text


def run_convert(options: argparse.Namespace) -> int:
    """Write a scene in another format."""
    from sogs_worker.cli.convert import convert_scene
    from sogs_worker.cli.streams import results_stream

    facts = convert_scene(options.scene, options.output, replaces=options.overwrite)
    print(facts, file=results_stream(options.output))
    return 0


def run_completion(options: argparse.Namespace) -> int:
    """Print a shell's script."""
    from sogs_worker.cli.completion import build_script
    from sogs_worker.cli.parser import build_parser

    print(build_script(build_parser(), options.shell))
    return 0


def run_inspect(options: argparse.Namespace) -> int:
    """Tell what a scene file holds."""
    from sogs_worker.cli.inspect import format_description, inspect_scene

    description = inspect_scene(options.scene)
    print(json.dumps(description) if options.json else format_description(description))
    return 0


def run_evaluate(options: argparse.Namespace) -> int:
    """Measure how much a scene looks like another."""
    if options.views is not None and not 1 <= options.views <= MAX_VIEWS:
        raise UsageError(f"--views must be an integer from 1 to {MAX_VIEWS}, got {options.views}")
    from sogs_worker.cli.evaluate import evaluate_scenes
    from sogs_worker.engines.device import resolve_device
    from sogs_worker.evaluate import format_evaluation

    evaluation = evaluate_scenes(
        options.reference,
        options.other,
        cameras=options.cameras,
        count=options.views,
        device=resolve_device(options.device),
    )
    print(json.dumps(evaluation, allow_nan=False) if options.json else format_evaluation(evaluation))
    return 0


def run_render(options: argparse.Namespace) -> int:
    """Draw a scene file as PNG."""
    from sogs_worker.cli.render import Drawing, render_scene
    from sogs_worker.cli.streams import results_stream
    from sogs_worker.engines.device import resolve_device

    names = ("cameras", "camera", "size", "position", "target", "up")
    viewpoint = Viewpoint(**{name: getattr(options, name) for name in names})
    drawing = Drawing(viewpoint, options.background, resolve_device(options.device))
    facts = render_scene(options.scene, options.output, drawing, replaces=options.overwrite)
    print(facts, file=results_stream(options.output))
    return 0


def run_job(_options: argparse.Namespace) -> int:
    """Run the Kubernetes Job."""
    from sogs_worker.job import supervisor

    return int(supervisor.main())
