"""When the cluster may be used: every process runs, and what users need of it answers."""

from collections.abc import Callable

from cluster import dns, gpus, node, s3
from cluster.api import Api
from cluster.cache import Cache
from cluster.credentials import Credentials, read_credentials
from cluster.errors import ClusterError
from cluster.processes import Registry
from cluster.progress import wait_until
from cluster.settings import CLUSTER_DOMAIN

_TIMEOUT_S = 120.0
Check = Callable[[], bool]


def checks(cache: Cache, api: Api, credentials: Credentials) -> dict[str, Check]:
    """What must be true of a ready cluster, by the name for messages."""
    return {
        "The API server": api.is_ready,
        "The node": lambda: node.is_ready(api, gpus=gpus.count(cache)),
        "The default service account": lambda: has_service_account(api),
        "The S3 bucket": lambda: s3.is_ready(credentials),
        "The cluster's DNS": lambda: dns.resolves(f"kubernetes.default.svc.{CLUSTER_DOMAIN}"),
    }


def is_healthy(cache: Cache) -> bool:
    """True when every process runs and every check holds now."""
    credentials, registry = read_credentials(cache), Registry(cache.cluster, cache.logs)
    if not credentials or not registry.all() or registry.dead():
        return False
    return all(check() for check in checks(cache, api_of(cache, credentials), credentials).values())


def wait_for(registry: Registry, cache: Cache, what: str, check: Check) -> None:
    """Wait until `check` holds, but no longer than all processes run.

    Raises:
        ClusterError: when one has ended, or after two minutes.
    """
    hint = f"see the logs in {cache.logs}"

    def check_alive() -> bool:
        if dead := registry.dead():
            raise ClusterError(f"{', '.join(dead)} ended by itself; {hint}.")
        return check()

    wait_until(what, check_alive, timeout_s=_TIMEOUT_S, hint=hint)


def has_service_account(api: Api) -> bool:
    """True when pods can be made in `default`: the controllers make its account and the CA that pods mount."""
    wanted = ("serviceaccounts/default", "configmaps/kube-root-ca.crt")
    return all(api.get(f"/api/v1/namespaces/default/{name}") for name in wanted)


def api_of(cache: Cache, credentials: Credentials) -> Api:
    """A client of the running cluster."""
    return Api(cache.cluster / "certificates" / "ca.crt", credentials.admin_token)
