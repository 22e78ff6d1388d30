"""The commands: build, build-kwok, up, down, env, status, load-image, pack, unpack."""

import argparse
import sys
from pathlib import Path

from cluster.cache import Cache, default_cache
from cluster.container_runtime import load_image
from cluster.environment import exports
from cluster.errors import ClusterError
from cluster.go_groups import FAKE_NODES
from cluster.gpus import are_real_wanted
from cluster.lifecycle import build, build_besides, describe, down, pack, unpack, up


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit code: 0 done, 1 refused or failed, 2 usage, 130 interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(default_cache(), arguments))
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cluster: interrupted; the next command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cluster", description="A real Kubernetes with S3 on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "build", _build, "build what is missing, start nothing")
    _add(commands, "build-kwok", _build_kwok, "build what fakes nodes for the benchmark of the operator")
    _add(commands, "up", _up, "build what is missing, start the cluster, wait until it is ready")
    _add(commands, "down", _down, "end the cluster; images and binaries stay in the cache")
    _add(commands, "env", _env, "print shell exports: PATH, KUBECONFIG, S3 endpoint and keys")
    _add(commands, "status", _status, "print what runs; exit code 1 unless all of it does")
    load = _add(commands, "load-image", _load_image, "import OCI archives for pods to use")
    load.add_argument("archives", nargs="+", type=Path, metavar="TAR")
    packed = _add(commands, "pack", _pack, "build what is missing and write all programs into one file")
    packed.add_argument("archive", type=Path, metavar="TAR")
    unpacked = _add(commands, "unpack", _unpack, "use the programs of such a file and build nothing")
    unpacked.add_argument("archive", type=Path, metavar="TAR")
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: object, text: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    return command


def _build(cache: Cache, _: argparse.Namespace) -> int:
    build(cache, real_gpus=bool(are_real_wanted()))
    return 0


def _build_kwok(cache: Cache, _: argparse.Namespace) -> int:
    build_besides(cache, FAKE_NODES)
    return 0


def _up(cache: Cache, _: argparse.Namespace) -> int:
    up(cache, real_gpus=are_real_wanted())
    return 0


def _down(cache: Cache, _: argparse.Namespace) -> int:
    down(cache)
    return 0


def _env(cache: Cache, _: argparse.Namespace) -> int:
    print(exports(cache))
    return 0


def _status(cache: Cache, _: argparse.Namespace) -> int:
    lines, ready = describe(cache)
    print("\n".join(lines))
    return 0 if ready else 1


def _pack(cache: Cache, arguments: argparse.Namespace) -> int:
    pack(cache, arguments.archive, real_gpus=bool(are_real_wanted()))
    return 0


def _unpack(cache: Cache, arguments: argparse.Namespace) -> int:
    unpack(cache, arguments.archive)
    return 0


def _load_image(cache: Cache, arguments: argparse.Namespace) -> int:
    for archive in arguments.archives:
        print(load_image(cache, archive).strip())
    return 0
