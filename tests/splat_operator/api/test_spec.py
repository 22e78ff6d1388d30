"""The spec with its defaults, and the connection of each side."""

from __future__ import annotations

from compressions import SPEC
from splat_operator.api.spec import S3, Destination, Encoder, Output, Scheduling, Source, Spec, parse_spec

SECRET, OWN_SECRET = "s3-credentials", "own"


def test_absent_fields_have_the_defaults() -> None:
    assert parse_spec({}) == Spec(output=Output(source=Source(), destination=Destination()), scheduling=Scheduling())


def test_defaults_written_out_are_the_same_as_absent_ones() -> None:
    written_out = {
        "encoder": {"engine": "native", "format": "sog", "quality": "balanced", "shBands": 3, "seed": 0},
        "gpu": {"resourceName": "nvidia.com/gpu", "count": 1},
        "s3": {"addressingStyle": "auto", "insecureSkipTLSVerify": False},
        "resources": {},
        "tolerations": [],
        "suspend": False,
        "retries": 3,
        "ttlSecondsAfterFinished": 86400,
    }
    assert parse_spec(written_out) == parse_spec({})


def test_sides_share_the_connection() -> None:
    output = parse_spec(SPEC).output
    assert output.source.s3 == output.destination.s3 == S3(endpoint="http://s3.example:8333", credentials_secret=SECRET)


def test_side_overrides_the_connection_field_by_field() -> None:
    own = {"uri": "s3://b/k.ply", "s3": {"region": "x", "credentialsSecretRef": {"name": OWN_SECRET}}}
    output = parse_spec({**SPEC, "source": own}).output
    assert output.source.s3 == S3(endpoint="http://s3.example:8333", region="x", credentials_secret=OWN_SECRET)
    assert output.destination.s3.credentials_secret == SECRET


def test_encoder_fields() -> None:
    raw = {"encoder": {"quality": "best", "shBands": 1, "seed": 7, "target": {"maxSplats": 9}}}
    assert parse_spec(raw).output.encoder == Encoder(quality="best", sh_bands=1, seed=7, target={"maxSplats": 9})


def test_what_is_taken_and_how_it_is_called() -> None:
    raw = {"source": {"uri": "s3://b/k/", "include": ["a", "b"]}, "destination": {"uri": "s3://b/o/", "names": "{top}"}}
    output = parse_spec(raw).output
    assert (output.source.include, output.source.exclude) == (("a", "b"), ())
    assert (output.destination.names, parse_spec({}).output.destination.names) == ("{top}", "{path}")


def test_zero_is_not_absent() -> None:
    spec = parse_spec({"retries": 0, "ttlSecondsAfterFinished": 0, "gpu": {"count": 0}, "encoder": {"shBands": 0}})
    assert (spec.retries, spec.ttl_s, spec.scheduling.gpu_count, spec.output.encoder.sh_bands) == (0, 0, 0, 0)
