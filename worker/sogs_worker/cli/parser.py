"""The commands and their options; `--help` and a wrong option answer without loading NumPy or torch."""

from __future__ import annotations

import argparse
import os
from typing import Any, NoReturn

from sogs_worker.cli.commands import run_completion, run_compress, run_job, run_sagemaker
from sogs_worker.cli.options import add_choice, add_encoder_options
from sogs_worker.cli.scene_options import ONE_SCENE, add_convert, add_evaluate, add_inspect, add_render
from sogs_worker.errors import UsageError
from sogs_worker.naming import ARCHIVE_SUFFIXES

SHELLS = ("bash", "zsh", "fish", "tcsh")
EXIT_CODES = """\
exit codes: 0 all is well; 64 wrong usage; 65 an input cannot be read; 66 it is not there; 69 a server does not answer;
70 an unexpected fault; 74 reading or writing broke off; 75 told to stop; 77 not permitted; 78 the surroundings are
set up wrongly; 80 an output misses a bound; 81 no GPU; 82 the GPU has too little memory; 130 Ctrl-C. Of several
faults that of the first."""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose refusals have the contract's exit code."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


class _Version(argparse.Action):
    """Prints the version of what is installed, which takes a look at the disk."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print("sogs-worker", version("sogs-worker"))
        except PackageNotFoundError:
            print("sogs-worker, run from its source: it is not installed and so has no version")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    parser = _Parser(
        prog="sogs-worker",
        description="Compress 3D Gaussian splats to SOG.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", nargs=0, action=_Version, help="print the version")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Command)
    _add_compress(commands)
    _add_sagemaker(commands)
    add_convert(commands)
    add_inspect(commands)
    add_evaluate(commands)
    add_render(commands)
    _add_completion(commands)
    run = commands.add_parser("run", help="the Kubernetes Job: everything from the environment", has_levels=False)
    run.set_defaults(command=run_job, quiet=False, verbose=False)
    return parser


class _Command(_Parser):
    """A command's parser, with the options of all commands whose users choose how much is said."""

    def __init__(self, *arguments: Any, has_levels: bool = True, **options: Any) -> None:
        super().__init__(*arguments, **{"formatter_class": argparse.RawDescriptionHelpFormatter, **options})
        if not has_levels:
            return
        words = self.add_mutually_exclusive_group()
        words.add_argument("-q", "--quiet", action="store_true", help="say nothing but results and errors")
        words.add_argument("-v", "--verbose", action="store_true", help="say more, and show where a fault comes from")


def _add_compress(commands: Any) -> None:
    compress = commands.add_parser(
        "compress",
        help="compress scenes to SOG",
        epilog="""\
examples:
  sogs-worker compress garden.ply garden.sog
  sogs-worker compress --preview scans/ tour.zip compressed/
  sogs-worker compress - - < garden.ply > garden.sog
  sogs-worker compress --include '**/iteration_30000/*.ply' --names '{top}' runs/ compressed/
  sogs-worker compress --min-psnr 40 s3://scenes/raw/ s3://scenes/compressed/""",
    )
    compress.add_argument(
        "inputs",
        metavar="IN",
        nargs="+",
        help=f"a scene ({ONE_SCENE}), an archive of scenes ({', '.join(ARCHIVE_SUFFIXES)}), or a folder of both;"
        " a path, s3://bucket/key, s3://bucket/prefix/, https://host/file or - for standard input",
    )
    compress.add_argument(
        "output",
        metavar="OUT",
        help="a folder (a new one ends in /), or for one scene a .sog file, a meta.json if the format has several"
        " files; a path, s3://bucket/prefix/ or - for standard output",
    )
    add_encoder_options(compress, {})
    add_choice(compress)
    compress.add_argument("--preview", action="store_true", help="draw each output, as a PNG beside it")
    compress.add_argument("--psnr", action="store_true", help="measure how much each output looks like its scene")
    compress.add_argument("--min-psnr", type=float, metavar="DB", help="keep no output that looks less like its scene")
    compress.add_argument("--max-bytes", type=int, metavar="N", help="keep no output that is larger")
    compress.add_argument("--min-ratio", type=float, metavar="X", help="keep no output with a smaller ratio")
    there = compress.add_mutually_exclusive_group()
    there.add_argument("-w", "--overwrite", action="store_true", help="replace outputs that are there")
    there.add_argument("--skip-existing", action="store_true", help="make only outputs that are not there")
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
    add_encoder_options(sagemaker, os.environ)
    sagemaker.set_defaults(command=run_sagemaker)


def _add_completion(commands: Any) -> None:
    completion = commands.add_parser(
        "completion",
        has_levels=False,
        help="print the script by which a shell completes this command's options",
        epilog="""\
examples:
  source <(sogs-worker completion bash)    # in ~/.bashrc
  sogs-worker completion zsh > ~/.zfunc/_sogs-worker    # a folder of $fpath, before compinit
  sogs-worker completion fish > ~/.config/fish/completions/sogs-worker.fish""",
    )
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    completion.set_defaults(command=run_completion, quiet=False, verbose=False)
