"""What a shell needs to use the cluster."""

import shlex

from cluster.cache import Cache
from cluster.credentials import read_credentials
from cluster.errors import ClusterError
from cluster.settings import S3_ENDPOINT, S3_REGION


def variables(cache: Cache) -> dict[str, str]:
    """What programs on this machine need to use the cluster and its S3, PATH apart.

    Raises:
        ClusterError: when there is no cluster.
    """
    credentials = read_credentials(cache)
    if not credentials:
        raise ClusterError("The embedded cluster does not run: start it first (make cluster).")
    return {
        "KUBECONFIG": str(cache.kubeconfig),
        "AWS_ENDPOINT_URL": S3_ENDPOINT,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_REGION": S3_REGION,
        "S3_ENDPOINT_IN_CLUSTER": S3_ENDPOINT,
        "CONTAINERD_ADDRESS": str(cache.containerd_socket),
    }


def exports(cache: Cache) -> str:
    """The same and PATH, as lines for a shell's `eval`."""
    lines = [f'export PATH={shlex.quote(str(cache.bin))}:"$PATH"']
    return "\n".join([*lines, *(f"export {name}={shlex.quote(value)}" for name, value in variables(cache).items())])
