"""What the API server must refuse, and in which words: one case at least for every rule of the CRD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SMALLEST: dict[str, Any] = {
    "apiVersion": "splats.dev/v1alpha1",
    "kind": "SplatCompression",
    "metadata": {"name": "garden"},
    "spec": {"source": {"uri": "s3://scenes/garden.ply"}, "destination": {"uri": "s3://scenes/compressed/"}},
}

BAD_GLOBS = ("", "/a", "a/", "a//b", "./a", "a/../b", "a**", "**.ply", "***", "a\nb", "a\x7f")
BAD_NAMES = (
    *(
        "",
        "/{path}",
        "{path}/",
        "a//b",
        "..",
        "../{path}",
        "a/.b",
        "{name}",
        "{stem",
        "}",
        "{path:2}",
        "{{path}}",
        "{}",
    ),
    *("a\n", "a\x7f"),
)

NAME_WORDS = "of lowercase letters, digits, hyphens and dots"


@dataclass(frozen=True)
class Refusal:
    """A merge patch of the smallest resource that makes it wrong in one way, and the answer."""

    id: str
    patch: dict[str, Any]
    field: str
    message: str


def _spec(id: str, spec: dict[str, Any], message: str, *, field: str | None = None) -> Refusal:
    """A wrong spec. The field is the message's first word unless it says otherwise."""
    return Refusal(id, {"spec": spec}, field or message.split()[0], message)


def _source(id: str, uri: str, rest: str) -> Refusal:
    return _spec(id, {"source": {"uri": uri}}, f"spec.source.uri {rest}")


def _destination(id: str, uri: str, rest: str) -> Refusal:
    return _spec(id, {"destination": {"uri": uri}}, f"spec.destination.uri {rest}")


_SOURCE_SCHEME = "must start with s3://, https:// or pvc://, for example s3://scenes/garden.ply"
_SOURCE_FORM = (
    "must be s3://bucket/key with a bucket's name of 3 to 63 lowercase letters, digits, dots and hyphens,"
    " for example s3://scenes/garden.ply"
)
_SOURCE_WEB = "must be https://host/path without user, password and blanks, for example https://example.com/garden.ply"
_SOURCE_CLAIM = (
    "must be pvc://claim/path with a claim's name and a path without '.', '..' and empty parts,"
    " for example pvc://scenes/garden.ply"
)
_SOURCE_WEB_SUFFIX = (
    "must end in a scene's file name before any query, for example https://example.com/garden.ply?token=1"
)
_SOURCE_SUFFIX = "must end in a scene's file name, for example s3://scenes/garden.ply"
_DESTINATION_SCHEME = "must start with s3:// or pvc://, for example s3://scenes/compressed/"
_DESTINATION_FORM = (
    "must be s3://bucket/prefix/ with a bucket's name of 3 to 63 lowercase letters, digits, dots and hyphens,"
    " for example s3://scenes/compressed/"
)
_DESTINATION_CLAIM = (
    "must be pvc://claim/folder/ with a claim's name and a path without '.', '..' and empty parts,"
    " for example pvc://scenes/compressed/"
)
_DESTINATION_SUFFIX = (
    "must end in a slash (a prefix), or in .sog or /meta.json (exactly that key); add the slash, for example"
    " s3://scenes/compressed/"
)
_TOLERATION = {"key": "nvidia.com/gpu"}

_GENERAL = [
    Refusal(
        "name of 53 characters",
        {"metadata": {"name": "g" * 53}},
        "",
        "metadata.name must be at most 52 characters long; shorten it",
    ),
    _source("source without scheme", "scenes/garden.ply", _SOURCE_SCHEME),
    _source("source in another cloud", "gs://scenes/garden.ply", _SOURCE_SCHEME),
    _source("source over plain http", "http://scenes/garden.ply", _SOURCE_SCHEME),
    _source("source empty", "", _SOURCE_SCHEME),
    _source("source without key", "s3://scenes", _SOURCE_FORM),
    _source("source bucket in capitals", "s3://Scenes/garden.ply", _SOURCE_FORM),
    _source("source bucket too short", "s3://sc/garden.ply", _SOURCE_FORM),
    _source("source with a newline", "s3://scenes/gar\nden.ply", _SOURCE_FORM),
    _source("source of another kind", "s3://scenes/garden.obj", _SOURCE_SUFFIX),
    _source("source is metadata in capitals", "s3://scenes/garden/META.JSON", _SOURCE_SUFFIX),
    _source("source without name", "s3://scenes/.ply", _SOURCE_SUFFIX),
    _source("source is another's metadata", "s3://scenes/garden/notmeta.json", _SOURCE_SUFFIX),
    _source("web source with a password", "https://me:secret@example.com/garden.ply", _SOURCE_WEB),
    _source("web source without path", "https://example.com", _SOURCE_WEB),
    _source("web source with a blank", "https://example.com/my garden.ply", _SOURCE_WEB),
    _source("web source that is a folder", "https://example.com/garden/", _SOURCE_WEB_SUFFIX),
    _source("web source with the name in its query", "https://example.com/get?file=garden.ply", _SOURCE_WEB_SUFFIX),
    _source("claim in capitals", "pvc://Scenes/garden.ply", _SOURCE_CLAIM),
    _source("claim without path", "pvc://scenes", _SOURCE_CLAIM),
    _source("path out of the claim", "pvc://scenes/../garden.ply", _SOURCE_CLAIM),
    _source("path with an empty part", "pvc://scenes//garden.ply", _SOURCE_CLAIM),
    _source("path of another kind", "pvc://scenes/garden.obj", _SOURCE_SUFFIX),
    _spec(
        "S3 for a claim that is read",
        {"source": {"uri": "pvc://scenes/garden.ply", "s3": {"region": "us-east-1"}}},
        "spec.source.s3 has no meaning where spec.source.uri is pvc://; remove it",
    ),
    _spec(
        "S3 for a claim that is written",
        {"destination": {"uri": "pvc://scenes/out/", "s3": {"region": "us-east-1"}}},
        "spec.destination.s3 has no meaning where spec.destination.uri is pvc://; remove it",
    ),
    _spec(
        "S3 where there is none",
        {"source": {"uri": "pvc://raw/a.ply"}, "destination": {"uri": "pvc://out/"}, "s3": {"region": "us-east-1"}},
        "spec.s3 has no meaning where both sides are pvc://; remove it",
    ),
    *(
        _spec(
            f"{name} for a web server",
            {"source": {"uri": "https://example.com/garden.ply", "s3": {name: value}}},
            "spec.source.s3 takes only caSecretRef and insecureSkipTLSVerify where spec.source.uri is https://;"
            " remove the rest",
        )
        for name, value in (
            ("endpoint", "https://s3.example"),
            ("region", "us-east-1"),
            ("addressingStyle", "path"),
            ("credentialsSecretRef", {"name": "reader"}),
        )
    ),
    _spec(
        "checksum of an unbundled scene",
        {"source": {"uri": "s3://scenes/garden/meta.json", "sha256": "a" * 64}},
        "spec.source.sha256 is of one object; remove it where spec.source.uri is an unbundled scene's",
    ),
    _spec(
        "prefix to one key",
        {"source": {"uri": "s3://scenes/raw/"}, "destination": {"uri": "s3://scenes/garden.sog"}},
        "spec.destination.uri must end in a slash where spec.source.uri does; each scene gets a name below it",
    ),
    _spec(
        "checksum of a prefix",
        {"source": {"uri": "s3://scenes/raw/", "sha256": "a" * 64}},
        "spec.source.sha256 is of one object; remove it where spec.source.uri is a prefix",
    ),
    _spec(
        "checksum too short",
        {"source": {"sha256": "ab12"}},
        "spec.source.sha256 must be 64 lowercase hexadecimal digits, as sha256sum prints them",
    ),
    _spec(
        "checksum with a prefix",
        {"source": {"sha256": "sha256:" + "a" * 64}},
        "spec.source.sha256 must be 64 lowercase hexadecimal digits, as sha256sum prints them",
    ),
    *(
        _spec(
            f"{glob!r} in {name}",
            {"source": {"uri": "s3://scenes/raw/", name: ["*.ply", glob]}},
            f"spec.source.{name} must have paths without '.', '..' and empty parts, with ** as a whole part only,"
            " for example **/point_cloud/*.ply",
            field=f"spec.source.{name}[1]",
        )
        for name in ("include", "exclude")
        for glob in BAD_GLOBS
    ),
    *(
        _spec(
            f"{name} for {uri}",
            {"source": {"uri": uri, name: ["*.ply"]}},
            f"spec.source.{name} selects from many scenes, and spec.source.uri is one; remove it, or name a prefix"
            " or an archive",
        )
        for name in ("include", "exclude")
        for uri in (
            "s3://scenes/garden.ply",
            "pvc://raw/a/meta.json",
            "https://a.b/c.ply?d=/",
            "s3://scenes/a.zip?b.ply",
        )
    ),
    *(
        _spec(
            f"{names!r} as names",
            {"destination": {"names": names}},
            "spec.destination.names must be a path of text and {path}, {stem}, {folder} and {top}, without parts that"
            " are empty or begin with a dot, for example {top}",
        )
        for names in BAD_NAMES
    ),
    _spec(
        "names for exactly one key",
        {"destination": {"uri": "s3://scenes/garden.sog", "names": "{top}"}},
        "spec.destination.names is for outputs below a prefix; remove it, or end spec.destination.uri with a slash",
    ),
    _destination("destination without scheme", "/compressed/", _DESTINATION_SCHEME),
    _destination("destination over https", "https://scenes.example/compressed/", _DESTINATION_SCHEME),
    _destination("destination without slash after the bucket", "s3://scenes", _DESTINATION_FORM),
    _destination("destination bucket in capitals", "s3://Scenes/compressed/", _DESTINATION_FORM),
    _destination("destination without the trailing slash", "s3://scenes/compressed", _DESTINATION_SUFFIX),
    _destination("destination key of another kind", "s3://scenes/garden.ply", _DESTINATION_SUFFIX),
    _destination("destination without name", "s3://scenes/.sog", _DESTINATION_SUFFIX),
    _destination("destination claim in capitals", "pvc://Scenes/compressed/", _DESTINATION_CLAIM),
    _destination("destination out of the claim", "pvc://scenes/a/../../compressed/", _DESTINATION_CLAIM),
    _destination("destination path without the trailing slash", "pvc://scenes/compressed", _DESTINATION_SUFFIX),
    _destination("destination of another's metadata", "s3://scenes/garden/notmeta.json", _DESTINATION_SUFFIX),
    *(
        _spec(
            f"{uri} for {name}",
            {"destination": {"uri": f"s3://scenes/{uri}"}, "encoder": {"format": name, "engine": "sogs"}},
            "spec.destination.uri must end in .sog for spec.encoder.format sog and in /meta.json for the others;"
            " correct one of them, or end it with a slash",
        )
        for name, uri in (("sog", "garden/meta.json"), ("sog-unbundled", "garden.sog"), ("sogs-v1", "garden.sog"))
    ),
    _spec(
        "version 1 of the native engine",
        {"encoder": {"format": "sogs-v1"}},
        "spec.encoder.format sogs-v1 is of the engine sogs alone; use sog-unbundled, or set spec.encoder.engine to"
        " sogs",
    ),
    _spec(
        "quality of the original engine",
        {"encoder": {"engine": "sogs", "quality": "best"}},
        "spec.encoder.quality is of the engine native, and sogs has only one; remove it, or set spec.encoder.engine to"
        " native",
    ),
    _spec(
        "a target of the engine sogs",
        {"encoder": {"engine": "sogs", "target": {"maxSplats": 5}}},
        "spec.encoder.target is of the engine native alone; remove it, or set spec.encoder.engine to native",
    ),
    _spec(
        "an empty target",
        {"encoder": {"target": {}}},
        "spec.encoder.target must have exactly one of maxSplats, maxBytes and minPSNR; keep one, or remove"
        " spec.encoder.target",
    ),
    _spec(
        "a target of two bounds",
        {"encoder": {"target": {"maxSplats": 5, "minPSNR": 40}}},
        "spec.encoder.target must have exactly one of maxSplats, maxBytes and minPSNR; keep one, or remove"
        " spec.encoder.target",
    ),
    *(
        _spec(
            f"{quality} without a GPU",
            {"encoder": {"quality": quality}, "gpu": {"count": 0}},
            "spec.encoder.quality compact and smallest fit splats on a GPU; set spec.gpu.count to 1 or choose fast,"
            " balanced or best",
        )
        for quality in ("compact", "smallest")
    ),
    *(
        _spec(
            f"{most!r} splats",
            {"encoder": {"target": {"maxSplats": most}}},
            "spec.encoder.target.maxSplats must be an integer of at least 1 or a percentage from 1% to 100%",
        )
        for most in (0, -1, "0%", "101%", "5", "%", "-5%", "5.5%", "٣%")
    ),
    _spec(
        "original engine on the CPU",
        {"encoder": {"engine": "sogs"}, "gpu": {"count": 0}},
        "spec.encoder.engine sogs runs on a GPU only; set spec.gpu.count to 1 or spec.encoder.engine to native",
    ),
    _spec(
        "GPU without domain",
        {"gpu": {"resourceName": "gpu"}},
        "spec.gpu.resourceName must be a qualified name, for example nvidia.com/gpu",
    ),
    _spec(
        "GPU among the limits",
        {"resources": {"limits": {"nvidia.com/gpu": 1}}},
        "spec.resources must not hold the GPU's resource; set spec.gpu.count and spec.gpu.resourceName instead",
    ),
    _spec(
        "GPU among the requests",
        {"gpu": {"resourceName": "amd.com/gpu"}, "resources": {"requests": {"amd.com/gpu": "1"}}},
        "spec.resources must not hold the GPU's resource; set spec.gpu.count and spec.gpu.resourceName instead",
    ),
    _spec(
        "limit that is no quantity",
        {"resources": {"limits": {"memory": "8Gx"}}},
        "spec.resources.limits must hold quantities, for example memory: 8Gi",
    ),
    _spec(
        "request that is no quantity",
        {"resources": {"requests": {"memory": "much"}}},
        "spec.resources.requests must hold quantities, for example memory: 8Gi",
    ),
    _spec(
        "toleration of nothing",
        {"tolerations": [{"effect": "NoSchedule"}]},
        "a toleration without key in spec.tolerations needs operator: Exists",
        field="spec.tolerations[0]",
    ),
    _spec(
        "toleration of any value with a value",
        {"tolerations": [_TOLERATION | {"operator": "Exists", "value": "present"}]},
        "a toleration with operator Exists in spec.tolerations takes no value; remove it",
        field="spec.tolerations[0]",
    ),
    _spec(
        "toleration for a time without NoExecute",
        {"tolerations": [_TOLERATION | {"effect": "NoSchedule", "tolerationSeconds": 60}]},
        "tolerationSeconds in spec.tolerations needs effect: NoExecute",
        field="spec.tolerations[0]",
    ),
    _spec(
        "pull Secret in capitals",
        {"imagePullSecrets": [{"name": "Registry"}]},
        f"spec.imagePullSecrets must hold Secrets' names, {NAME_WORDS}",
        field="spec.imagePullSecrets[0].name",
    ),
    _spec(
        "image with a blank",
        {"image": "splat-worker :0.1.0"},
        "spec.image must be an image's name without blanks, for example splat-worker:0.1.0",
    ),
    _spec(
        "image empty",
        {"image": ""},
        "spec.image must be an image's name without blanks, for example splat-worker:0.1.0",
    ),
    *(
        _spec(f"{field} in capitals", {field: "GPU"}, f"spec.{field} must be a {kind}'s name, {NAME_WORDS}")
        for field, kind in (
            ("priorityClassName", "PriorityClass"),
            ("runtimeClassName", "RuntimeClass"),
            ("serviceAccountName", "ServiceAccount"),
        )
    ),
]


def _s3(path: str) -> list[Refusal]:
    """What is wrong in each of the three places that describe a connection; `path` is one, as spec.source.s3."""

    def case(id: str, s3: dict[str, Any], message: str, field: str | None = None) -> Refusal:
        patch: dict[str, Any] = {"s3": s3}
        for name in reversed(path.split(".")[1:-1]):
            patch = {name: patch}
        return _spec(f"{path}: {id}", patch, f"{path}{message}", field=field)

    endpoint = (
        ".endpoint must be an http:// or https:// URL without user, query and fragment, for example"
        " https://s3.example:8333"
    )
    name = f".name must be a Secret's name, {NAME_WORDS}"
    return [
        case("endpoint without scheme", {"endpoint": "s3.example:8333"}, endpoint),
        case("endpoint with a password", {"endpoint": "http://me:secret@s3.example"}, endpoint),
        case("endpoint with a query", {"endpoint": "http://s3.example/?region=x"}, endpoint),
        case("endpoint without host", {"endpoint": "http://"}, endpoint),
        case("region in capitals", {"region": "US"}, ".region must be a region's name, for example us-east-1"),
        case("CA Secret in capitals", {"caSecretRef": {"name": "CA"}}, f".caSecretRef{name}"),
        case("credentials Secret empty", {"credentialsSecretRef": {"name": ""}}, f".credentialsSecretRef{name}"),
        case(
            "CA that is not looked at",
            {"caSecretRef": {"name": "ca"}, "insecureSkipTLSVerify": True},
            f".insecureSkipTLSVerify and {path}.caSecretRef exclude each other; remove one of them",
            field=path,
        ),
    ]


def _encryption(path: str, spec: dict[str, Any]) -> Refusal:
    return _spec(
        f"{path}: KMS key without KMS",
        spec,
        f"{path}.serverSideEncryption.kmsKeyId needs type aws:kms; change the type or remove the key",
        field=f"{path}.serverSideEncryption",
    )


_KEY_WITHOUT_KMS = {"s3": {"serverSideEncryption": {"type": "AES256", "kmsKeyId": "alias/scenes"}}}

_CONNECTIONS = [
    *_s3("spec.s3"),
    *_s3("spec.source.s3"),
    *_s3("spec.destination.s3"),
    _encryption("spec.s3", _KEY_WITHOUT_KMS),
    _encryption("spec.destination.s3", {"destination": _KEY_WITHOUT_KMS}),
    _spec(
        "encryption of what is read",
        {"source": {"s3": {"serverSideEncryption": {"type": "AES256"}}}},
        "spec.source.s3.serverSideEncryption has no meaning for what is read; set"
        " spec.destination.s3.serverSideEncryption",
    ),
]

_RUNS = [
    *(
        Refusal(
            f"two pods for a name {words}",
            {"metadata": {"name": name}, "spec": {"source": {"uri": "s3://scenes/raw/"}, "parallelism": 2}},
            "",
            "metadata.name must be at most 48 characters long and without dots for spec.parallelism above 1;"
            " shorten it",
        )
        for words, name in (("of 49 characters", "g" * 49), ("with a dot", "garden.v2"))
    ),
    *(
        _spec(
            f"two pods for {uri}",
            {"source": {"uri": uri}, "parallelism": 2},
            "spec.parallelism above 1 divides the scenes below a prefix; end spec.source.uri with a slash or remove"
            " spec.parallelism",
        )
        for uri in ("s3://scenes/garden.ply", "pvc://scenes/garden.zip", "https://example.com/garden.ply")
    ),
    _spec(
        "queue in capitals",
        {"queueName": "GPUs"},
        f"spec.queueName must be a LocalQueue's name, {NAME_WORDS}",
    ),
    _spec(
        "priority class in capitals",
        {"queuePriorityClassName": "High"},
        f"spec.queuePriorityClassName must be a WorkloadPriorityClass's name, {NAME_WORDS}",
    ),
    *(
        _spec(
            f"managed by {name!r}",
            {"managedBy": name},
            "spec.managedBy must be a domain, a slash and a name, for example splats.dev/splat-operator",
        )
        for name in ("me", "example.com/", "/me", "")
    ),
]

MANAGER_STAYS = "spec.managedBy cannot be changed; delete this resource and apply it again"
"""To a change, which the others are not."""

REFUSALS = [*_GENERAL, *_CONNECTIONS, *_RUNS]

TWO_REFUSALS = {
    "KMS key without KMS for what is read": (
        {"spec": {"source": _KEY_WITHOUT_KMS}},
        [
            "spec.source.s3.serverSideEncryption.kmsKeyId needs type aws:kms; change the type or remove the key",
            "spec.source.s3.serverSideEncryption has no meaning for what is read; set"
            " spec.destination.s3.serverSideEncryption",
        ],
    ),
}
"""What is wrong in two ways at once: all the answers, in any order."""
