"""Only the cluster's own rules, mounts and images go."""

from __future__ import annotations

from pathlib import Path

from cluster.container_runtime import replaced_images
from cluster.leftovers import mounts_below, without_ours

TABLE = """\
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:CNI-0123456789abcdef01234567 - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -s 10.244.0.2/32 -m comment --comment "name: \\"pods\\"" -j CNI-0123456789abcdef01234567
-A KUBE-SERVICES ! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp -j MASQUERADE
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""
MOUNTS = """\
25 1 254:0 / / rw,relatime - ext4 /dev/vda rw
90 25 0:50 / /cache/cluster/kubelet/pods/1/volumes/token rw - tmpfs tmpfs rw
91 25 0:51 / /cache/cluster/containerd/rootfs rw - overlay overlay rw
92 25 0:52 / /cache/cluster-of-another rw - tmpfs tmpfs rw
93 91 0:53 / /cache/cluster/containerd/rootfs/with\\040space rw - tmpfs tmpfs rw
"""
IMAGES = """\
REF TYPE DIGEST SIZE PLATFORMS LABELS
localhost/splat-worker:dev application/vnd.oci.image.manifest.v1+json sha256:bbb 1.2 GiB linux/amd64 io=managed
sha256:c0ffee application/vnd.oci.image.manifest.v1+json sha256:bbb 1.2 GiB linux/amd64 io=managed
sha256:decaf0 application/vnd.oci.image.manifest.v1+json sha256:aaa 1.2 GiB linux/amd64 io=managed
"""


def test_other_programs_rules_stay() -> None:
    assert without_ours(TABLE).splitlines() == [
        "*nat",
        ":PREROUTING ACCEPT [0:0]",
        ":DOCKER - [0:0]",
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
        "COMMIT",
    ]


def test_a_table_without_ours_is_not_touched() -> None:
    kept = without_ours(TABLE)
    assert without_ours(kept) == kept


def test_mounts_go_from_the_inside_out() -> None:
    assert mounts_below(MOUNTS, (Path("/cache/cluster"),)) == [
        "/cache/cluster/containerd/rootfs/with space",
        "/cache/cluster/containerd/rootfs",
        "/cache/cluster/kubelet/pods/1/volumes/token",
    ]


def test_an_image_goes_when_its_tag_has_moved_on() -> None:
    assert replaced_images(IMAGES) == ["sha256:decaf0"]
