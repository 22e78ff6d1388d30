"""Strategic merge patches of one pod template: what they make of it, why they are refused, and random ones."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

TEMPLATE: Json = {
    "metadata": {"labels": {"app": "worker", "tier": "batch"}, "finalizers": ["a.dev/x", "a.dev/y", "a.dev/z"]},
    "spec": {
        "restartPolicy": "Never",
        "nodeSelector": {"gpu": "yes"},
        "securityContext": {"runAsUser": 65532, "supplementalGroups": [1, 2], "seccompProfile": {"type": "Localhost"}},
        "tolerations": [{"key": "gpu", "operator": "Exists"}, {"key": "spot", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "registry"}],
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a", "b"]}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
        "volumes": [
            {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "run", "downwardAPI": {"items": [{"path": "run"}]}},
        ],
        "containers": [
            {
                "name": "worker",
                "image": "worker:1",
                "args": ["run", "fast", "now"],
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "C", "value": "3"}],
                "ports": [
                    {"containerPort": 53, "protocol": "TCP", "name": "dns-tcp"},
                    {"containerPort": 53, "protocol": "UDP", "name": "dns"},
                    {"containerPort": 80},
                ],
                "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}, {"name": "run", "mountPath": "/run"}],
                "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
            },
            {"name": "proxy", "image": "proxy:1"},
        ],
    },
}


def worker(**fields: Any) -> Json:
    """A patch of the first container."""
    return {"spec": {"containers": [{"name": "worker", **fields}]}}


def pod(**fields: Any) -> Json:
    """A patch of the pod's spec."""
    return {"spec": fields}


def named(*names: str) -> list[Json]:
    return [{"name": name} for name in names]


@dataclass(frozen=True)
class Case:
    """A patch and what the field at `path` (a list's element by its place) is then; None: it is not there."""

    patch: Json
    path: str
    value: Any


A, B, C = TEMPLATE["spec"]["containers"][0]["env"]
SCRATCH, RUN = TEMPLATE["spec"]["volumes"]
WORKER, PROXY = TEMPLATE["spec"]["containers"]
ENV = "spec.containers.0.env"

CASES: dict[str, Case] = {
    "nothing": Case({}, "spec", TEMPLATE["spec"]),
    "scalar": Case(pod(restartPolicy="OnFailure"), "spec.restartPolicy", "OnFailure"),
    "new scalar": Case(pod(priorityClassName="low"), "spec.priorityClassName", "low"),
    "map": Case(
        {"metadata": {"labels": {"app": "x", "b": "c"}}}, "metadata.labels", {"app": "x", "b": "c", "tier": "batch"}
    ),
    "new map": Case({"metadata": {"annotations": {"a": "b"}}}, "metadata.annotations", {"a": "b"}),
    "null": Case(pod(nodeSelector=None), "spec.nodeSelector", None),
    "null in a map": Case({"metadata": {"labels": {"app": None}}}, "metadata.labels", {"tier": "batch"}),
    "null of nothing": Case(pod(priorityClassName=None), "spec.priorityClassName", None),
    "null in a new map": Case(pod(affinity={"podAffinity": None}), "spec.affinity", {}),
    "null in a new list": Case(pod(initContainers=[{"name": "a", "image": None}]), "spec.initContainers", named("a")),
    "deleted map": Case(pod(securityContext={"$patch": "delete"}), "spec.securityContext", {}),
    "deleted map that is not there": Case(pod(affinity={"$patch": "delete"}), "spec.affinity", None),
    "replaced map": Case(
        pod(securityContext={"$patch": "replace", "runAsUser": 1}), "spec.securityContext", {"runAsUser": 1}
    ),
    "replaced spec": Case(pod(**{"$patch": "replace"}, containers=[PROXY]), "spec", {"containers": [PROXY]}),
    "list of scalars": Case(worker(args=["x"]), "spec.containers.0.args", ["x"]),
    "list of maps that does not merge": Case(
        pod(tolerations=[{"operator": "Exists"}]), "spec.tolerations", [{"operator": "Exists"}]
    ),
    "list in an element": Case(
        pod(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["c"]}]), "spec.hostAliases.0.hostnames", ["c"]
    ),
    "scalars that merge": Case(
        {"metadata": {"finalizers": ["b.dev/new", "a.dev/y"]}},
        "metadata.finalizers",
        ["b.dev/new", "a.dev/x", "a.dev/y", "a.dev/z"],
    ),
    "scalars deleted": Case(
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.dev/y"]}},
        "metadata.finalizers",
        ["a.dev/x", "a.dev/z"],
    ),
    "scalars deleted and added": Case(
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.dev/y", "no"], "finalizers": ["b.dev/new"]}},
        "metadata.finalizers",
        ["b.dev/new", "a.dev/x", "a.dev/z"],
    ),
    "scalars deleted of nothing": Case(pod(**{"$deleteFromPrimitiveList/x": ["a"]}), "spec.x", None),
    "scalars deleted of a list that is replaced otherwise": Case(
        worker(**{"$deleteFromPrimitiveList/args": ["fast"]}), "spec.containers.0.args", ["run", "now"]
    ),
    "integers deleted": Case(
        pod(securityContext={"$deleteFromPrimitiveList/supplementalGroups": [1]}),
        "spec.securityContext.supplementalGroups",
        [2],
    ),
    "scalars ordered": Case(
        {"metadata": {"$setElementOrder/finalizers": ["a.dev/z", "a.dev/x"]}},
        "metadata.finalizers",
        ["a.dev/y", "a.dev/z", "a.dev/x"],
    ),
    "element changed": Case(worker(env=[{"name": "B", "value": "x"}]), ENV, [A, {"name": "B", "value": "x"}, C]),
    "element added comes first": Case(
        worker(env=[{"name": "D", "value": "4"}]), ENV, [{"name": "D", "value": "4"}, A, B, C]
    ),
    "element added after another": Case(
        worker(env=[C, {"name": "D", "value": "4"}]), ENV, [A, B, C, {"name": "D", "value": "4"}]
    ),
    "elements in the patch's order": Case(worker(env=[C, A]), ENV, [B, C, A]),
    "element deleted": Case(worker(env=[{"name": "B", "$patch": "delete"}]), ENV, [A, C]),
    "element deleted that is not there": Case(worker(env=[{"name": "X", "$patch": "delete"}]), ENV, [A, B, C]),
    "element deleted and made anew": Case(
        worker(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}, {"name": "A", "$patch": "delete"}]),
        ENV,
        [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}, B, C],
    ),
    "field of an element deleted": Case(worker(env=[{"name": "A", "value": None}]), f"{ENV}.0", {"name": "A"}),
    "element twice": Case(
        worker(env=[{"name": "D", "value": "4"}, {"name": "D", "value": "5"}]),
        ENV,
        [{"name": "D", "value": "5"}, A, B, C],
    ),
    "list replaced": Case(worker(env=[{"$patch": "replace"}, {"name": "D"}]), ENV, named("D")),
    "list replaced and an element deleted": Case(
        worker(env=[{"name": "A", "$patch": "delete"}, {"name": "D"}, {"$patch": "replace"}]), ENV, named("D")
    ),
    "list emptied": Case(worker(env=[{"$patch": "replace"}]), ENV, []),
    "list deleted": Case(worker(env=None), ENV, None),
    "empty list that merges": Case(worker(env=[]), ENV, [A, B, C]),
    "empty list that does not": Case(worker(args=[]), "spec.containers.0.args", []),
    "new list with directives": Case(
        pod(initContainers=[{"$patch": "replace"}, {"name": "a", "$patch": "delete"}, {"name": "b"}]),
        "spec.initContainers",
        named("b"),
    ),
    "new list with one element twice": Case(
        pod(initContainers=[*named("a"), {"name": "a", "image": "b"}]),
        "spec.initContainers",
        [{"name": "a"}, {"name": "a", "image": "b"}],
    ),
    "container added": Case(pod(containers=named("x")), "spec.containers", [{"name": "x"}, WORKER, PROXY]),
    "container of another name": Case(
        pod(containers=[{"name": "proxy", "image": "p"}]), "spec.containers.1.image", "p"
    ),
    "container deleted": Case(pod(containers=[{"name": "proxy", "$patch": "delete"}]), "spec.containers", [WORKER]),
    "first of two ports of one number": Case(
        worker(ports=[{"containerPort": 53, "name": "x"}]),
        "spec.containers.0.ports",
        [{"containerPort": 53, "protocol": "TCP", "name": "x"}, *WORKER["ports"][1:]],
    ),
    "both ports of one number deleted": Case(
        worker(ports=[{"containerPort": 53, "$patch": "delete"}]), "spec.containers.0.ports", [{"containerPort": 80}]
    ),
    "mount": Case(
        worker(volumeMounts=[{"mountPath": "/run", "readOnly": True}]),
        "spec.containers.0.volumeMounts.1.readOnly",
        True,
    ),
    "resources": Case(
        worker(resources={"limits": {"cpu": 2}}), "spec.containers.0.resources.limits", {"cpu": 2, "memory": "1Gi"}
    ),
    "spread constraint": Case(
        pod(topologySpreadConstraints=[{"topologyKey": "zone", "maxSkew": 2}]),
        "spec.topologySpreadConstraints.0",
        {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
    ),
    "volume of two kinds": Case(
        pod(volumes=[{"name": "scratch", "hostPath": {"path": "/x"}}]),
        "spec.volumes.0",
        {**SCRATCH, "hostPath": {"path": "/x"}},
    ),
    "volume of another kind": Case(
        pod(volumes=[{"name": "scratch", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]),
        "spec.volumes",
        [{"name": "scratch", "hostPath": {"path": "/x"}}, RUN],
    ),
    "keys retained of any map": Case(
        pod(securityContext={"$retainKeys": ["runAsUser", "fsGroup"], "fsGroup": 1, "runAsGroup": None}),
        "spec.securityContext",
        {"runAsUser": 65532, "fsGroup": 1},
    ),
    "order": Case(
        worker(**{"$setElementOrder/env": named("C", "B", "A")}),
        ENV,
        [C, B, A],
    ),
    "order of some": Case(worker(**{"$setElementOrder/env": named("C", "A")}), ENV, [B, C, A]),
    "order with an addition": Case(
        worker(**{"$setElementOrder/env": named("A", "D", "B", "C")}, env=named("D")), ENV, [A, {"name": "D"}, B, C]
    ),
    "order with a deletion": Case(
        worker(**{"$setElementOrder/env": named("C", "B")}, env=[{"name": "A", "$patch": "delete"}]), ENV, [C, B]
    ),
    "order of a new list": Case(
        pod(**{"$setElementOrder/initContainers": named("a", "b")}, initContainers=named("a", "b")),
        "spec.initContainers",
        named("a", "b"),
    ),
    "order of nothing": Case(pod(**{"$setElementOrder/initContainers": named("a")}), "spec.initContainers", None),
}

REFUSED: dict[str, tuple[Any, str]] = {
    "no map": ([], "A patch of a pod template must be a map."),
    "list for a map": (pod(nodeSelector=["a"]), "spec.nodeSelector must be a map."),
    "list for the spec": ({"spec": []}, "spec must be a map."),
    "scalar for a map": (pod(securityContext="none"), "spec.securityContext must be a map."),
    "map for a list": (pod(containers={"name": "worker"}), "spec.containers must be a list."),
    "map for a new list": (pod(initContainers={"name": "a"}), "spec.initContainers must be a list."),
    "map for a list that does not merge": (pod(tolerations={}), "spec.tolerations must be a list."),
    "map for a scalar": (pod(restartPolicy={}), "spec.restartPolicy must be a scalar."),
    "element without its key": (pod(containers=[{"image": "x"}]), "spec.containers has an element without name."),
    "new element without its key": (pod(initContainers=[{}]), "spec.initContainers has an element without name."),
    "deleted element without its key": (
        pod(containers=[{"$patch": "delete"}]),
        "spec.containers has an element without name.",
    ),
    "key that is a map": (worker(env=[{"name": {}}]), "spec.containers.env has an element without name."),
    "key that is true": (
        worker(ports=[{"containerPort": True}]),
        "spec.containers.ports has an element without containerPort.",
    ),
    "element that is no map": (pod(volumes=["scratch"]), "spec.volumes has an element without name."),
    "finalizer that is a map": ({"metadata": {"finalizers": [{}]}}, "metadata.finalizers must be a list of strings."),
    "merge of a map": (
        pod(securityContext={"$patch": "merge"}),
        "spec.securityContext.$patch must be replace or delete.",
    ),
    "merge of a list": (pod(containers=[{"$patch": "merge"}]), "spec.containers.$patch must be replace or delete."),
    "other $patch": (pod(containers=[{"name": "a", "$patch": 1}]), "spec.containers.$patch must be replace or delete."),
    "nothing to replace": (
        pod(affinity={"$patch": "replace", "podAffinity": {}}),
        "spec.affinity is not there yet, so that $patch has nothing to replace or delete.",
    ),
    "fields beside replace in a list": (
        pod(containers=[{"$patch": "replace", "name": "x"}]),
        "spec.containers would lose what stands beside $patch: replace; make that an element of its own.",
    ),
    "directive in a list that does not merge": (
        pod(tolerations=[{"key": "gpu", "$patch": "delete"}]),
        "spec.tolerations is replaced as a whole, so that its elements can have no $patch.",
    ),
    "key that is not retained": (
        pod(securityContext={"$retainKeys": ["runAsUser"], "fsGroup": 1}),
        "spec.securityContext.fsGroup is not among the $retainKeys beside it.",
    ),
    "retained keys that are no list": (pod(**{"$retainKeys": "a"}), "spec.$retainKeys must be a list."),
    "deletions that are no list": (
        worker(**{"$deleteFromPrimitiveList/args": "fast"}),
        "spec.containers.$deleteFromPrimitiveList/args must be a list.",
    ),
    "deletion of maps": (
        pod(**{"$deleteFromPrimitiveList/volumes": ["scratch"]}),
        "spec.volumes is no list of scalars, so that $deleteFromPrimitiveList has no meaning for it.",
    ),
    "deletion of what is added": (
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["a"]}},
        "metadata.finalizers has an element that $deleteFromPrimitiveList deletes.",
    ),
    "order of a list that does not merge": (
        pod(**{"$setElementOrder/tolerations": []}),
        "spec.tolerations is replaced as a whole, so that $setElementOrder has no meaning for it.",
    ),
    "order without an element of the patch": (
        worker(**{"$setElementOrder/env": named("A")}, env=named("D")),
        "spec.containers.env has other elements, or in another order, than its $setElementOrder.",
    ),
    "order that the patch has otherwise": (
        worker(**{"$setElementOrder/env": named("B", "A")}, env=named("A", "B")),
        "spec.containers.env has other elements, or in another order, than its $setElementOrder.",
    ),
    "order without keys": (
        worker(**{"$setElementOrder/env": ["A"]}),
        "spec.containers.env has an element without name.",
    ),
    "unknown directive": (pod(**{"$drop": []}), "spec.$drop is no directive of strategic merge patches."),
    "directive of nothing": (
        pod(**{"$setElementOrder": []}),
        "spec.$setElementOrder is no directive of strategic merge patches.",
    ),
}


def value_at(document: Any, path: str) -> Any:
    """What `path` leads to; None where it leads to nothing."""
    for name in path.split("."):
        document = document[int(name)] if isinstance(document, list) else document.get(name)
    return document


def random_patch(source: random.Random) -> Json:
    """Mostly of fields that the template has, with all directives, and right."""
    container = {
        "name": source.choice(["worker", "proxy", "new"]),
        **_some(
            source,
            image="worker:2",
            args=source.sample(["a", "b"], 2),
            resources={"limits": source.choice([{"cpu": None}, {"cpu": "2"}])},
            env=_elements(source, "name", ["A", "B", "C", "D", "E"], value="9"),
            ports=_elements(source, "containerPort", [53, 80, 81], name="new"),
            volumeMounts=_elements(source, "mountPath", ["/scratch", "/run", "/new"], readOnly=True),
        ),
    }
    spec = _some(
        source,
        containers=source.choice([[container], [container, {"name": "proxy", "$patch": "delete"}]]),
        tolerations=source.choice([None, [], [{"key": "new"}]]),
        securityContext=source.choice([{"$patch": "replace", "fsGroup": 1}, {"$patch": "delete"}, {"runAsUser": None}]),
        imagePullSecrets=_elements(source, "name", ["registry", "other", "third"]),
        hostAliases=_elements(source, "ip", ["10.0.0.1", "10.0.0.2"], hostnames=["c"]),
        volumes=_elements(source, "name", ["scratch", "run", "new"], emptyDir={"medium": "Memory"}),
        nodeSelector=source.choice([None, {}, {"gpu": None, "zone": "a"}]),
    )
    metadata = _some(source, **_finalizers(source), labels=source.choice([{"app": None}, {"app": "x", "new": "y"}]))
    return {"metadata": metadata, "spec": spec}


def _some(source: random.Random, **fields: Any) -> Json:
    return {name: value for name, value in fields.items() if source.random() < 0.5}


def _finalizers(source: random.Random) -> Json:
    first, second, *rest = source.sample(["a.dev/x", "a.dev/y", "a.dev/z", "b.dev/new"], 4)
    return source.choice(
        [
            {"finalizers": [first, second]},
            {"finalizers": [first], "$deleteFromPrimitiveList/finalizers": rest},
            {"$setElementOrder/finalizers": [first, second]},
        ]
    )


def _elements(source: random.Random, key: str, identities: list[Any], **fields: Any) -> list[Json]:
    chosen = source.sample(identities, source.randint(0, len(identities)))
    elements = [{key: identity, **source.choice([{}, fields, {"$patch": "delete"}])} for identity in chosen]
    return [*elements, {"$patch": "replace"}] if source.random() < 0.1 else elements
