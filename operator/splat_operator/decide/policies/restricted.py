"""Does a pod meet the profile "restricted" of the Kubernetes documentation's "Pod Security Standards"?

It is that profile, which has all of "baseline" in it, as of version v1.37.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from splat_operator.decide.policies.parts import MalformedError, Part

_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_CONTAINERS = {
    "containers": "container",
    "initContainers": "init container",
    "ephemeralContainers": "ephemeral container",
}
_SELINUX_TYPES = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_HANDLERS = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop")

Check = Callable[[Part, Part], Iterator[str]]
"""The phrases about the pod, or one of its containers, that is first; the pod is second."""

# Fields by their paths, with the values that they may have where they are set.
_OF_PODS: Mapping[str, tuple[str | bool, ...]] = {"hostNetwork": (False,), "hostPID": (False,), "hostIPC": (False,)}
_OF_BOTH: Mapping[str, tuple[str | bool, ...]] = {
    "securityContext.seLinuxOptions.type": ("", *_SELINUX_TYPES),
    "securityContext.seLinuxOptions.user": ("",),
    "securityContext.seLinuxOptions.role": ("",),
    "securityContext.windowsOptions.hostProcess": (False,),
}
_OF_CONTAINERS: Mapping[str, tuple[str | bool, ...]] = {
    "securityContext.privileged": (False,),
    "securityContext.procMount": ("Default",),
    **{f"{handler}.{action}.host": ("",) for handler in _HANDLERS for action in ("httpGet", "tcpSocket")},
}
_PROFILES = ("RuntimeDefault", "Localhost")
_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_notsent_lowat",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}


def violations(pod_spec: Any, *, annotations: Any = None) -> list[str]:
    """What keeps a pod with this spec and these annotations from meeting the profile: short phrases that name fields.

    A field of a wrong type, where the profile looks at it, is a violation too. Nothing is raised.
    """
    return list(dict.fromkeys(_violations(Part({"spec": pod_spec, "annotations": annotations}))))


def _violations(manifest: Part) -> Iterator[str]:
    yield from _caught(_annotations, manifest, manifest)
    try:
        pod = Part(manifest.get("spec", "map") or {})
    except MalformedError as error:
        yield str(error)
        return
    for check in _CHECKS_OF_PODS:
        yield from _caught(check, pod, pod)
    yield from _caught(_containers, pod, pod)


def _caught(check: Check, part: Part, pod: Part) -> Iterator[str]:
    try:
        yield from check(part, pod)
    except MalformedError as error:
        yield str(error)


def _containers(part: Part, pod: Part) -> Iterator[str]:
    for path, word in _CONTAINERS.items():
        for container in part.parts(path, word):
            for check in _CHECKS_OF_CONTAINERS:
                yield from _caught(check, container, pod)


def _annotations(manifest: Part, _: Part) -> Iterator[str]:
    for name, value in (manifest.get("annotations", "map") or {}).items():
        is_allowed = value in ("", "runtime/default") or str(value).startswith("localhost/")
        if str(name).startswith(_APPARMOR) and not is_allowed:
            yield f"annotation {name} is {json.dumps(value)}"


def _value(path: str, allowed: tuple[str | bool, ...], part: Part, _: Part) -> Iterator[str]:
    value = part.get(path, "boolean" if False in allowed else "string")
    if value is not None and value not in allowed:
        yield f"{part.where}{path} is {json.dumps(value)}"


def _profiles(part: Part, _: Part) -> Iterator[str]:
    for path in ("securityContext.appArmorProfile", "securityContext.seccompProfile"):
        profile = part.get(f"{path}.type", "string")
        if part.get(path, "map") is not None and profile not in _PROFILES:
            yield f"{part.where}{path}.type is {json.dumps(profile)}"


def _root(part: Part, _: Part) -> Iterator[str]:
    """Also in a user namespace, where newer servers let it pass: older ones drop `hostUsers`, and the pod is root."""
    if part.get("securityContext.runAsNonRoot", "boolean") is False:
        yield f"{part.where}securityContext.runAsNonRoot is false"
    if part.get("securityContext.runAsUser", "whole number") == 0:
        yield f"{part.where}securityContext.runAsUser is 0"


def _sysctls(pod: Part, _: Part) -> Iterator[str]:
    for sysctl in pod.parts("securityContext.sysctls", "sysctl"):
        if sysctl.get("name", "string") not in _SYSCTLS:
            yield f"securityContext.sysctls has {sysctl.get('name', 'string')}"


def _volumes(pod: Part, _: Part) -> Iterator[str]:
    """A volume without any source is an emptyDir."""
    for volume in pod.parts("volumes", "volume"):
        for source in volume.fields:
            if source != "name" and volume.get(source, "map") is not None and source not in _VOLUMES:
                yield f"{volume.where}{source}"


def _host_ports(container: Part, _: Part) -> Iterator[str]:
    for port in container.parts("ports", "port"):
        if number := port.get("hostPort", "whole number"):
            yield f"{container.where}ports has hostPort {number}"


def _capabilities(container: Part, pod: Part) -> Iterator[str]:
    path = "securityContext.capabilities"
    if "ALL" not in (container.get(f"{path}.drop", "list") or ()) and not _is_windows(pod):
        yield f"{container.where}{path}.drop lacks ALL"
    for capability in container.get(f"{path}.add", "list") or ():
        if capability != "NET_BIND_SERVICE":
            yield f"{container.where}{path}.add has {capability}"


def _escalation(container: Part, pod: Part) -> Iterator[str]:
    path = "securityContext.allowPrivilegeEscalation"
    if container.get(path, "boolean") is not False and not _is_windows(pod):
        yield f"{container.where}{path} is not false"


def _inherited(container: Part, pod: Part) -> Iterator[str]:
    """What must be set, for the pod or for the container; what is set wrongly there is another check's."""
    path = "securityContext.runAsNonRoot"
    if all(part.get(path, "boolean") is None for part in (container, pod)):
        yield f"{container.where}{path} is not true"
    path = "securityContext.seccompProfile"
    if not _is_windows(pod) and all(part.get(path, "map") is None for part in (container, pod)):
        yield f"{container.where}{path} is not set"


def _is_windows(pod: Part) -> bool:
    return bool(pod.get("os.name", "string") == "windows")


def _values(fields: Mapping[str, tuple[str | bool, ...]]) -> list[Check]:
    """A check for each field of a table."""
    return [partial(_value, path, allowed) for path, allowed in fields.items()]


_CHECKS_OF_BOTH: tuple[Check, ...] = (*_values(_OF_BOTH), _profiles, _root)
_CHECKS_OF_PODS: tuple[Check, ...] = (*_values(_OF_PODS), *_CHECKS_OF_BOTH, _sysctls, _volumes)
_CHECKS_OF_CONTAINERS: tuple[Check, ...] = (
    *_values(_OF_CONTAINERS),
    *_CHECKS_OF_BOTH,
    _capabilities,
    _escalation,
    _inherited,
    _host_ports,
)
