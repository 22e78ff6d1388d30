"""Pods that meet the Pod Security Standards' profile "restricted", and pods that do not: a good one, edited."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

APPARMOR = "container.apparmor.security.beta.kubernetes.io/worker"


def good_context(**fields: Any) -> Json:
    """A container's security context."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, **fields}


GOOD: Json = {
    "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [{"name": "worker", "image": "worker:1", "securityContext": good_context()}],
    "initContainers": [{"name": "setup", "image": "setup:1", "securityContext": good_context()}],
    "volumes": [{"name": "data", "emptyDir": {}}],
}

Edits = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A pod and the phrases about it."""

    edits: Edits
    """Values by the paths of their fields in the spec; a part that is a number is a place in a list."""
    phrases: tuple[str, ...] = ()
    is_valid: bool = True
    """Whether the API server takes the pod where no profile is enforced."""
    annotations: tuple[tuple[str, str], ...] = ()
    is_stricter: bool = False
    """Whether the API server lets the pod in all the same."""

    @property
    def spec(self) -> Json:
        return edited(self.edits)


def edited(edits: Edits) -> Json:
    """The good pod's spec with these fields."""
    spec = copy.deepcopy(GOOD)
    for path, value in edits.items():
        *parents, name = path.split(".")
        holder: Any = spec
        for parent in parents:
            if isinstance(holder, dict) and holder.get(parent) is None:
                holder[parent] = {}
            holder = holder[int(parent)] if isinstance(holder, list) else holder[parent]
        holder[name] = copy.deepcopy(value)
    return spec


WORKER = "containers.0"
CONTEXT = "containers.0.securityContext"
SETUP = "initContainers.0.securityContext"
NO_ROOT = "securityContext.runAsNonRoot"
NO_SECCOMP: Edits = {"securityContext.seccompProfile": None}
UNTIL_SECCOMP = ("init container setup: securityContext.seccompProfile is not set",)


def worker(*phrases: str) -> tuple[str, ...]:
    return tuple(f"container worker: {phrase}" for phrase in phrases)


def volume(source: str, value: Json, *, is_good: bool = False, is_valid: bool = True) -> Case:
    edits = {"volumes": [{"name": "data", source: value}]}
    return Case(edits, () if is_good else (f"volume data: {source}",), is_valid)


def probe(path: str, action: str, host: str) -> Case:
    """A handler of the only container, an init container having none here."""
    phrases = worker(f'{path}.{action}.host is "{host}"') if host else ()
    return Case({f"{WORKER}.{path}": {action: {"port": 80, "host": host}}}, phrases)


SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced": "1",
    "net.ipv4.ip_local_port_range": "1 2",
    "net.ipv4.ip_local_reserved_ports": "1",
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "1 2",
    "net.ipv4.tcp_fin_timeout": "1",
    "net.ipv4.tcp_keepalive_intvl": "1",
    "net.ipv4.tcp_keepalive_probes": "1",
    "net.ipv4.tcp_keepalive_time": "1",
    "net.ipv4.tcp_notsent_lowat": "1",
    "net.ipv4.tcp_rmem": "1 2 3",
    "net.ipv4.tcp_slow_start_after_idle": "0",
    "net.ipv4.tcp_syncookies": "1",
    "net.ipv4.tcp_wmem": "1 2 3",
}
GOOD_VOLUMES: dict[str, Json] = {
    "configMap": {"name": "x"},
    "csi": {"driver": "x.dev"},
    "downwardAPI": {},
    "emptyDir": {},
    "ephemeral": {
        "volumeClaimTemplate": {
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        }
    },
    "image": {"reference": "x:1"},
    "persistentVolumeClaim": {"claimName": "x"},
    "projected": {"sources": []},
    "secret": {"secretName": "x"},
}
BAD_VOLUMES: dict[str, Json] = {
    "hostPath": {"path": "/x"},
    "gcePersistentDisk": {"pdName": "x"},
    "awsElasticBlockStore": {"volumeID": "x"},
    "gitRepo": {"repository": "x"},
    "nfs": {"server": "x", "path": "/x"},
    "iscsi": {"targetPortal": "x", "iqn": "iqn.2001-04.com.example:x", "lun": 0},
    "glusterfs": {"endpoints": "x", "path": "x"},
    "rbd": {"monitors": ["x"], "image": "x"},
    "flexVolume": {"driver": "x/y"},
    "cinder": {"volumeID": "x"},
    "cephfs": {"monitors": ["x"]},
    "flocker": {"datasetName": "x"},
    "fc": {"targetWWNs": ["x"], "lun": 0},
    "azureFile": {"secretName": "x", "shareName": "x"},
    "vsphereVolume": {"volumePath": "x"},
    "quobyte": {"registry": "x:1", "volume": "x"},
    "azureDisk": {"diskName": "x", "diskURI": "https://x/y", "kind": "Shared"},
    "portworxVolume": {"volumeID": "x"},
    "photonPersistentDisk": {"pdID": "x"},
    "scaleIO": {"gateway": "x", "system": "x", "secretRef": {"name": "x"}, "volumeName": "x"},
    "storageos": {"volumeName": "x"},
}
# The same for the pod and for a container, as the path goes on below securityContext.
CONTEXTS: dict[str, tuple[Any, str]] = {
    "seLinuxOptions.type": ("spc_t", '"spc_t"'),
    "seLinuxOptions.user": ("system_u", '"system_u"'),
    "seLinuxOptions.role": ("system_r", '"system_r"'),
    "seccompProfile.type": ("Unconfined", '"Unconfined"'),
    "appArmorProfile.type": ("Unconfined", '"Unconfined"'),
    "runAsNonRoot": (False, "false"),
    "runAsUser": (0, "0"),
}
GOOD_CONTEXTS: dict[str, Any] = {
    "seLinuxOptions.type": "container_t",
    "seLinuxOptions.level": "s0",
    "seccompProfile": {"type": "Localhost", "localhostProfile": "x.json"},
    "appArmorProfile": {"type": "Localhost", "localhostProfile": "x"},
    "appArmorProfile.type": "RuntimeDefault",
    "runAsUser": 1,
    "runAsGroup": 0,
    "seccompProfile.type": "RuntimeDefault",
    "seLinuxOptions": {"type": "", "user": "", "role": ""},
}
MALFORMED: dict[str, tuple[Any, str]] = {
    "hostNetwork": ("yes", "hostNetwork is not a boolean"),
    "securityContext": ([], "securityContext is not a map"),
    "securityContext.runAsUser": ("root", "securityContext.runAsUser is not a whole number"),
    "securityContext.sysctls": ([1], "securityContext.sysctls has an element that is not a map"),
    "volumes": ({"data": {}}, "volumes is not a list"),
    "volumes.0.emptyDir": (True, "volume data: emptyDir is not a map"),
    "containers": ("worker", "containers is not a list"),
    "initContainers": ([None], "initContainers has an element that is not a map"),
    f"{CONTEXT}": (1, "container worker: securityContext is not a map"),
    f"{CONTEXT}.privileged": (1, "container worker: securityContext.privileged is not a boolean"),
    f"{CONTEXT}.capabilities.add": ("ALL", "container worker: securityContext.capabilities.add is not a list"),
    f"{CONTEXT}.capabilities.drop": ("ALL", "container worker: securityContext.capabilities.drop is not a list"),
    f"{CONTEXT}.runAsUser": (True, "container worker: securityContext.runAsUser is not a whole number"),
    f"{CONTEXT}.seccompProfile": ("x", "container worker: securityContext.seccompProfile is not a map"),
    f"{WORKER}.ports": ([{"hostPort": "80"}], "container worker: port None: hostPort is not a whole number"),
    f"{WORKER}.livenessProbe": ("x", "container worker: livenessProbe is not a map"),
    "os.name": (1, "os.name is not a string"),
}

CASES: dict[str, Case] = {
    "good": Case({}),
    **{
        f"{field} is true": Case({field: True}, (f"{field} is true",))
        for field in ("hostNetwork", "hostPID", "hostIPC")
    },
    **{f"{field} is false": Case({field: False}) for field in ("hostNetwork", "hostPID", "hostIPC", "hostUsers")},
    "privileged": Case(
        {f"{CONTEXT}.privileged": True, f"{CONTEXT}.allowPrivilegeEscalation": None},
        worker("securityContext.privileged is true", "securityContext.allowPrivilegeEscalation is not false"),
    ),
    "privileged without escalation": Case(
        {f"{CONTEXT}.privileged": True}, worker("securityContext.privileged is true"), is_valid=False
    ),
    "not privileged": Case({f"{CONTEXT}.privileged": False}),
    "init container": Case(
        {f"{SETUP}.allowPrivilegeEscalation": True},
        ("init container setup: securityContext.allowPrivilegeEscalation is not false",),
    ),
    "ephemeral container": Case(
        {"ephemeralContainers": [{"name": "debug", "image": "x", "securityContext": good_context(runAsUser=0)}]},
        ("ephemeral container debug: securityContext.runAsUser is 0",),
        is_valid=False,
    ),
    "no security context": Case(
        {CONTEXT: None},
        worker(
            "securityContext.capabilities.drop lacks ALL",
            "securityContext.allowPrivilegeEscalation is not false",
        ),
    ),
    "nothing dropped": Case({f"{CONTEXT}.capabilities": {}}, worker("securityContext.capabilities.drop lacks ALL")),
    "something dropped": Case(
        {f"{CONTEXT}.capabilities.drop": ["NET_RAW"]}, worker("securityContext.capabilities.drop lacks ALL")
    ),
    "all dropped in small letters": Case(
        {f"{CONTEXT}.capabilities.drop": ["all"]}, worker("securityContext.capabilities.drop lacks ALL")
    ),
    "all and something dropped": Case({f"{CONTEXT}.capabilities.drop": ["NET_RAW", "ALL"]}),
    "allowed capability": Case({f"{CONTEXT}.capabilities.add": ["NET_BIND_SERVICE"]}),
    "capability of the baseline": Case(
        {f"{CONTEXT}.capabilities.add": ["CHOWN", "NET_BIND_SERVICE"]},
        worker("securityContext.capabilities.add has CHOWN"),
    ),
    "capabilities": Case(
        {f"{CONTEXT}.capabilities.add": ["SYS_ADMIN", "NET_RAW"]},
        worker("securityContext.capabilities.add has SYS_ADMIN", "securityContext.capabilities.add has NET_RAW"),
    ),
    **{f"volume {source}": volume(source, value, is_good=True) for source, value in GOOD_VOLUMES.items()},
    **{f"volume {source}": volume(source, value) for source, value in BAD_VOLUMES.items()},
    "volume without a source": Case({"volumes": [{"name": "data"}]}),
    "volume of null": Case({"volumes": [{"name": "data", "hostPath": None, "emptyDir": {}}]}),
    "volume of two sources": Case(
        {"volumes": [{"name": "data", "hostPath": {"path": "/x"}, "emptyDir": {}}]},
        ("volume data: hostPath",),
        is_valid=False,
    ),
    "port": Case({f"{WORKER}.ports": [{"containerPort": 80, "hostPort": 0}, {"containerPort": 81}]}),
    "host port": Case(
        {f"{WORKER}.ports": [{"containerPort": 80}, {"name": "x", "containerPort": 81, "hostPort": 82}]},
        worker("ports has hostPort 82"),
    ),
    **{
        f"AppArmor annotation {value}": Case({}, annotations=((APPARMOR, value),))
        for value in ("runtime/default", "localhost/x")
    },
    "AppArmor annotation": Case(
        {}, (f'annotation {APPARMOR} is "unconfined"',), annotations=((APPARMOR, "unconfined"),)
    ),
    "other annotation": Case({}, annotations=(("example.dev/apparmor", "unconfined"),)),
    **{
        f"pod's {field}": Case({f"securityContext.{field}": value}, (f"securityContext.{field} is {words}",))
        for field, (value, words) in CONTEXTS.items()
    },
    **{
        f"container's {field}": Case({f"{CONTEXT}.{field}": value}, worker(f"securityContext.{field} is {words}"))
        for field, (value, words) in CONTEXTS.items()
    },
    **{
        f"pod's good {field} {value}": Case({f"securityContext.{field}": value})
        for field, value in GOOD_CONTEXTS.items()
    },
    **{
        f"container's good {field} {value}": Case({f"{CONTEXT}.{field}": value})
        for field, value in GOOD_CONTEXTS.items()
    },
    "seccomp profile without a type": Case(
        {"securityContext.seccompProfile": {}}, ("securityContext.seccompProfile.type is null",), is_valid=False
    ),
    "seccomp profile of neither": Case(
        NO_SECCOMP, (*worker("securityContext.seccompProfile is not set"), *UNTIL_SECCOMP)
    ),
    "seccomp profile of one container": Case(
        {**NO_SECCOMP, f"{CONTEXT}.seccompProfile.type": "RuntimeDefault"}, UNTIL_SECCOMP
    ),
    "seccomp profile of all containers": Case(
        {
            **NO_SECCOMP,
            f"{CONTEXT}.seccompProfile.type": "RuntimeDefault",
            f"{SETUP}.seccompProfile.type": "RuntimeDefault",
        }
    ),
    "runAsNonRoot of neither": Case(
        {NO_ROOT: None},
        (
            "container worker: securityContext.runAsNonRoot is not true",
            "init container setup: securityContext.runAsNonRoot is not true",
        ),
    ),
    "runAsNonRoot of all containers": Case(
        {NO_ROOT: None, f"{CONTEXT}.runAsNonRoot": True, f"{SETUP}.runAsNonRoot": True}
    ),
    "runAsNonRoot of all containers against the pod": Case(
        {NO_ROOT: False, f"{CONTEXT}.runAsNonRoot": True, f"{SETUP}.runAsNonRoot": True},
        ("securityContext.runAsNonRoot is false",),
    ),
    "root of the pod, another of the containers": Case(
        {"securityContext.runAsUser": 0, f"{CONTEXT}.runAsUser": 1, f"{SETUP}.runAsUser": 1},
        ("securityContext.runAsUser is 0",),
    ),
    "root in a user namespace": Case(
        {"hostUsers": False, "securityContext.runAsUser": 0}, ("securityContext.runAsUser is 0",), is_stricter=True
    ),
    "root of a container in a user namespace": Case(
        {"hostUsers": False, f"{CONTEXT}.runAsNonRoot": False},
        worker("securityContext.runAsNonRoot is false"),
        is_stricter=True,
    ),
    "root without a user namespace": Case(
        {"hostUsers": True, "securityContext.runAsUser": 0}, ("securityContext.runAsUser is 0",)
    ),
    "procMount": Case({f"{CONTEXT}.procMount": "Default"}),
    "unmasked procMount": Case(
        {"hostUsers": False, f"{CONTEXT}.procMount": "Unmasked"}, worker('securityContext.procMount is "Unmasked"')
    ),
    **{
        f"sysctl {name}": Case({"securityContext.sysctls": [{"name": name, "value": value}]})
        for name, value in SAFE_SYSCTLS.items()
    },
    "sysctl": Case(
        {"securityContext.sysctls": [{"name": "net.core.somaxconn", "value": "1"}]},
        ("securityContext.sysctls has net.core.somaxconn",),
    ),
    "sysctl with slashes": Case(
        {"securityContext.sysctls": [{"name": "kernel/shm_rmid_forced", "value": "1"}]},
        ("securityContext.sysctls has kernel/shm_rmid_forced",),
    ),
    **{
        f"{action} of {name} to {host or 'the pod'}": probe(name, action, host)
        for name in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop")
        for action in ("httpGet", "tcpSocket")
        for host in ("", "127.0.0.1")
    },
    "command of a probe": Case({f"{WORKER}.livenessProbe": {"exec": {"command": ["x"]}}}),
    "Windows": Case(
        {
            "os": {"name": "windows"},
            "securityContext": {"runAsNonRoot": True},
            CONTEXT: None,
            SETUP: None,
        }
    ),
    "Windows as anyone": Case(
        {"os": {"name": "windows"}, "securityContext": None, CONTEXT: None, SETUP: None},
        (
            "container worker: securityContext.runAsNonRoot is not true",
            "init container setup: securityContext.runAsNonRoot is not true",
        ),
    ),
    "Windows on the host": Case(
        {
            "os": {"name": "windows"},
            "hostNetwork": True,
            "securityContext": {"runAsNonRoot": True, "windowsOptions": {"hostProcess": True}},
            CONTEXT: None,
            SETUP: None,
        },
        ("hostNetwork is true", "securityContext.windowsOptions.hostProcess is true"),
    ),
    "Windows container on the host": Case(
        {
            "os": {"name": "windows"},
            "hostNetwork": True,
            "securityContext": {"runAsNonRoot": True},
            CONTEXT: {"windowsOptions": {"hostProcess": True}},
            SETUP: {"windowsOptions": {"hostProcess": True}},
        },
        (
            "hostNetwork is true",
            "container worker: securityContext.windowsOptions.hostProcess is true",
            "init container setup: securityContext.windowsOptions.hostProcess is true",
        ),
    ),
    "Linux by name": Case(
        {"os": {"name": "linux"}, CONTEXT: None},
        worker("securityContext.capabilities.drop lacks ALL", "securityContext.allowPrivilegeEscalation is not false"),
    ),
    **{
        f"{path} malformed": Case({path: value}, (phrase,), is_valid=False)
        for path, (value, phrase) in MALFORMED.items()
    },
}

CHOICES: dict[str, tuple[Any, ...]] = {
    "hostNetwork": (True, False),
    "hostPID": (True, False),
    "securityContext": (None, {"seccompProfile": {"type": "Localhost", "localhostProfile": "x"}}),
    "volumes": tuple([{"name": "data", **source}] for source in ({}, {"hostPath": {"path": "/"}}, {"image": {}})),
    "securityContext.sysctls": tuple(
        [{"name": name, "value": "1"}] for name in ("kernel.msgmax", "net.ipv4.tcp_syncookies")
    ),
    **{
        f"{prefix}.{field}": values
        for prefix in ("securityContext", CONTEXT, SETUP)
        for field, values in {
            "runAsNonRoot": (True, False, None),
            "runAsUser": (0, 1, None),
            "seccompProfile": (None, {"type": "Unconfined"}, {"type": "RuntimeDefault"}),
            "appArmorProfile": (None, {"type": "Unconfined"}, {"type": "RuntimeDefault"}),
            "seLinuxOptions": (None, {}, {"type": "container_kvm_t"}, {"user": "x"}, {"level": "s0"}),
        }.items()
    },
    **{
        f"{prefix}.{field}": values
        for prefix in (CONTEXT, SETUP)
        for field, values in {
            "privileged": (None, False, True),
            "allowPrivilegeEscalation": (None, False, True),
            "procMount": (None, "Default", "Unmasked"),
            "capabilities": (
                None,
                {"drop": ["ALL"]},
                {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                {"add": ["KILL"]},
            ),
        }.items()
    },
    f"{WORKER}.ports": ([{"containerPort": 80}], [{"containerPort": 80, "hostPort": 80}]),
    f"{WORKER}.livenessProbe": tuple({"httpGet": {"port": 80, **host}} for host in ({}, {"host": "x"}, {"host": ""})),
}


def random_edits(source: random.Random) -> Edits:
    """A few edits of the good pod, good ones and bad ones."""
    paths = sorted(source.sample(sorted(CHOICES), source.randint(1, 4)), key=len)
    return {path: source.choice(CHOICES[path]) for path in paths}
