"""What the cluster's start speaks by itself: DNS, AWS signatures, image archives."""

from __future__ import annotations

import hashlib
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from cluster.credentials import Credentials
from cluster.dns import answers_to, build_query
from cluster.oci import write_program_image
from cluster.s3 import signed_headers

# Written down by hand from RFC 1035, section 4.
QUERY = bytes.fromhex("abcd 0100 0001 0000 0000 0000 03 777777 07 6578616d706c65 00 0001 0001")
ANSWER = bytes.fromhex("abcd 8180 0001 0001 0000 0000") + QUERY[12:] + bytes.fromhex("c00c00010001000000050004c0000201")


def test_a_query() -> None:
    assert build_query(0xABCD, "www.example.") == QUERY


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        pytest.param(ANSWER, 1, id="an address"),
        pytest.param(b"\0\0" + ANSWER[2:], 0, id="to another query"),
        pytest.param(ANSWER[:3] + b"\x83" + ANSWER[4:], 0, id="no such name"),
        pytest.param(ANSWER[:8], 0, id="cut off"),
    ],
)
def test_an_answer(answer: bytes, count: int) -> None:
    assert answers_to(QUERY, answer) == count


def test_our_signature_is_the_one_of_the_aws_sdk() -> None:
    now = datetime.now(UTC)
    ours = signed_headers("PUT", "/scenes", Credentials("KEY", "secret", "token"), now)
    request = AWSRequest(
        "PUT", "http://10.250.0.1:20333/scenes", headers={"x-amz-content-sha256": ours["x-amz-content-sha256"]}
    )
    request.context["timestamp"] = ours["x-amz-date"]
    signer = SigV4Auth(BotoCredentials("KEY", "secret"), "s3", "us-east-1")
    request.headers["x-amz-date"] = ours["x-amz-date"]
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert ours["authorization"].endswith(f"Signature={signature}")


def test_an_image_names_what_it_holds(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"\x7fELF")
    write_program_image(tmp_path / "pause.tar", name="localhost/pause:1", program=program)
    with tarfile.open(tmp_path / "pause.tar") as archive:
        files = {member.name: _content(archive, member) for member in archive}
    manifest = _follow(files, json.loads(files["index.json"])["manifests"][0])
    config = json.loads(_blob(files, manifest["config"]))
    layer = _blob(files, manifest["layers"][0])
    assert config["config"]["Entrypoint"] == ["/pause"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    (tmp_path / "layer.tar").write_bytes(layer)
    with tarfile.open(tmp_path / "layer.tar") as archive:
        member = archive.getmember("pause")
        assert (member.mode, _content(archive, member)) == (0o755, b"\x7fELF")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = archive.extractfile(member)
    assert opened
    return opened.read()


def _follow(files: dict[str, bytes], descriptor: dict[str, Any]) -> Any:
    return json.loads(_blob(files, descriptor))


def _blob(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    algorithm, _, digest = descriptor["digest"].partition(":")
    content = files[f"blobs/{algorithm}/{digest}"]
    assert (len(content), hashlib.sha256(content).hexdigest()) == (descriptor["size"], digest)
    return content
