"""The commands on single scenes, and their options."""

from __future__ import annotations

from typing import Any

from sogs_worker.cli.commands import run_convert, run_evaluate, run_inspect, run_render
from sogs_worker.cli.options import add_device
from sogs_worker.cli.viewpoint import parse_size, parse_vector
from sogs_worker.naming import SCENE_SUFFIXES

ONE_SCENE = f"{', '.join(SCENE_SUFFIXES)}, or an unbundled scene's meta.json"
READABLE = "a path, s3://bucket/key, https://host/file or - for standard input"
WRITABLE = "a path, s3://bucket/key or - for standard output"
CAMERAS = (
    "a JSON list of objects with world_to_camera (4x4), K (3x3), width, height, name; the cameras.json of a trainer,"
    " with position, rotation, fx, fy, width, height, img_name; a transforms.json of nerfstudio, instant-ngp or NeRF;"
    " or images.bin or images.txt of a COLMAP model, with its cameras file beside it"
)


def _add_overwrite(parser: Any) -> None:
    parser.add_argument("-w", "--overwrite", action="store_true", help="replace what is there")


def add_convert(commands: Any) -> None:
    """Describe `convert`."""
    convert = commands.add_parser(
        "convert",
        aliases=["decompress"],
        help="write a scene as PLY, compressed PLY, SPZ or GLB",
        epilog="example:\n  sogs-worker convert garden.sog garden.spz",
    )
    convert.add_argument("scene", metavar="IN", help=f"{ONE_SCENE}; {READABLE}")
    convert.add_argument(
        "output", metavar="OUT", help=f"ends in .ply, .compressed.ply, .spz or .glb; {WRITABLE}, a PLY"
    )
    _add_overwrite(convert)
    convert.set_defaults(command=run_convert)


def add_inspect(commands: Any) -> None:
    """Describe `inspect`."""
    inspect = commands.add_parser(
        "inspect", help="tell what a scene file holds", epilog="example:\n  sogs-worker inspect --json garden.sog"
    )
    inspect.add_argument("scene", metavar="IN", help=f"{ONE_SCENE}; {READABLE}")
    inspect.add_argument("--json", action="store_true", help="one JSON object")
    inspect.set_defaults(command=run_inspect)


def add_render(commands: Any) -> None:
    """Describe `render`."""
    render = commands.add_parser(
        "render",
        help="draw a scene file as PNG",
        epilog="""\
examples:
  sogs-worker render garden.sog garden.png
  sogs-worker render --cameras cameras.json --camera DSC0042 --size 800x600 garden.sog garden.png
  sogs-worker render --position 0,-1,-4 --look-at 0,0,0 --background white garden.sog garden.png""",
    )
    render.add_argument("scene", metavar="IN", help=f"{ONE_SCENE}; {READABLE}")
    render.add_argument("output", metavar="OUT", help=f"ends in .png; {WRITABLE}")
    _add_overwrite(render)
    render.add_argument("--cameras", metavar="FILE", help=f"draw from a camera of this file: {CAMERAS}")
    render.add_argument("--camera", metavar="NAME", help="name or number, from 0, of that camera; default: the first")
    render.add_argument(
        "--size", type=parse_size, metavar="WxH", help="of the picture, pixels; default: the camera's, or 800x600"
    )
    render.add_argument("--position", type=parse_vector, metavar="X,Y,Z", help="draw from here, in the scene's units")
    render.add_argument("--look-at", type=parse_vector, metavar="X,Y,Z", dest="target", help="towards here")
    render.add_argument(
        "--up", type=parse_vector, metavar="X,Y,Z", help="what is up in the scene; default: 0,-1,0, as trainers have it"
    )
    render.add_argument(
        "--background", default="black", metavar="COLOUR", help="a name or #rrggbb; default: %(default)s"
    )
    add_device(render)
    render.set_defaults(command=run_render)


def add_evaluate(commands: Any) -> None:
    """Describe `evaluate`."""
    evaluate = commands.add_parser(
        "evaluate",
        help="measure how much a scene looks like another, drawn: PSNR and SSIM",
        epilog="example:\n  sogs-worker evaluate --cameras cameras.json garden.ply garden.sog",
    )
    evaluate.add_argument("reference", metavar="A", help=f"the reference: {ONE_SCENE}; {READABLE}")
    evaluate.add_argument("other", metavar="B", help="the scene that is judged, as A")
    evaluate.add_argument(
        "--views",
        type=int,
        metavar="N",
        help="views on an orbit of A; default: 6, and 4 from within a room. With --cameras: the first N",
    )
    evaluate.add_argument(
        "--cameras",
        metavar="FILE",
        help=f"draw from these: {CAMERAS}",
    )
    add_device(evaluate)
    evaluate.add_argument("--json", action="store_true", help="one JSON object, with each view's values")
    evaluate.set_defaults(command=run_evaluate)
