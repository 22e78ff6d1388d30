"""Options that several commands have, or that belong together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from sogs_worker.engines.parameters import ENGINES, FORMATS, QUALITIES, Parameters


def add_choice(compress: argparse.ArgumentParser) -> None:
    """Add the options about which scenes are taken, and what their outputs are called."""
    compress.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="GLOB",
        help="take only scenes whose path below IN matches, such as '**/point_cloud/*.ply'; may be repeated",
    )
    compress.add_argument(
        "--exclude", action="append", default=[], metavar="GLOB", help="leave out scenes whose path matches"
    )
    compress.add_argument(
        "--names",
        default="{path}",
        metavar="PATTERN",
        help="of outputs in a folder: text with {path}, {stem}, {folder} or {top}; default: %(default)s",
    )


def add_encoder_options(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the options that decide the output; `environment` has other defaults, such as SPLATS_SH_BANDS."""
    default = Parameters()

    def add(option: str, standard: str | int, meaning: str) -> None:
        value = environment.get(f"SPLATS_{option.upper().replace('-', '_')}", standard)
        parser.add_argument(f"--{option}", type=type(standard), default=value, help=f"{meaning}; default: %(default)s")

    add("engine", default.engine, f"the encoder: {' or '.join(ENGINES)} (docs/engines.md)")
    add_device(parser, environment.get("SPLATS_DEVICE", "auto"))
    add("format", default.format, f"{FORMATS[0]}, one file a scene; {' or '.join(FORMATS[1:])}, a folder a scene")
    add("quality", default.quality, " or ".join(QUALITIES))
    add("sh-bands", default.sh_bands, "most SH bands to keep, 0 to 3")
    add("seed", default.seed, "of all random draws")
    parser.add_argument(
        "--target-splats",
        metavar="N",
        help="most splats that an output has, or a percentage of its scene's such as 50%%; the rest are merged where"
        " views show it least",
    )
    parser.add_argument(
        "--target-bytes",
        metavar="N",
        help="most bytes of an output: as many splats are kept as they allow, found by a few encodings",
    )
    parser.add_argument(
        "--target-psnr",
        metavar="DB",
        help="least PSNR of an output's pictures: as few splats are kept as have it, found by a few encodings",
    )
    bounds = ("splats", "bytes", "psnr")
    parser.set_defaults(default_targets=[environment.get(f"SPLATS_TARGET_{bound.upper()}") for bound in bounds])


def add_device(parser: argparse.ArgumentParser, default: str = "auto") -> None:
    """Add the option that says what computes."""
    meaning = "auto (a GPU where there is one), cuda or cpu; default: %(default)s"
    parser.add_argument("--device", default=default, help=meaning)
