"""The add-ons of a ksail.yaml, in KSail's spelling, as inputs of a cluster, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ksail_pulumi.model.addons import ARGO_CD, CALICO, CILIUM, FLUX, GATEKEEPER, KYVERNO, LOCAL_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ksail_pulumi.formats.ksail.file import Cluster
    from ksail_pulumi.formats.ksail.patches import TalosPatches

_NAMES = {
    "Cilium": CILIUM,
    "Calico": CALICO,
    "Kyverno": KYVERNO,
    "Gatekeeper": GATEKEEPER,
    "Flux": FLUX,
    "ArgoCD": ARGO_CD,
}
_ON = "Enabled"
_SPELLED = {name: spelled for spelled, name in _NAMES.items()}
_FIELDS: dict[str, dict[Any, str]] = {
    "cni": _SPELLED,
    "metricsServer": {True: _ON},
    "certManager": {True: _ON},
    "policyEngine": _SPELLED,
    "gitOpsEngine": _SPELLED,
    "csi": {LOCAL_PATH: _ON},
}
"""What KSail calls the values of each add-on. The fields have the same names."""
_APPROVER = "kubelet-csr-approver"


def addons_of(cluster: Cluster) -> dict[str, Any]:
    """The add-ons of a ksail.yaml. Its defaults are those of Talos: Flannel and nothing else."""
    chosen: dict[str, Any] = {
        "cni": _NAMES.get(cluster.cni or ""),
        "metricsServer": cluster.metrics_server == _ON or None,
        "certManager": cluster.cert_manager == _ON or None,
        "policyEngine": _NAMES.get(cluster.policy_engine or ""),
        "gitOpsEngine": _NAMES.get(cluster.git_ops_engine or ""),
        "csi": LOCAL_PATH if cluster.csi == _ON else None,
    }
    return {field: value for field, value in chosen.items() if value is not None}


def fields_of(addons: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """The fields of a ksail.yaml for add-ons on the wire, and what they cannot express, as names of inputs."""
    fields: dict[str, str] = {}
    left_out = []
    for name, value in addons.items():
        details = value if isinstance(value, dict) else {}
        spelled = _FIELDS[name].get(details.get("name", True) if details else value)
        if spelled is None or {"url", "inline"} & details.keys():
            left_out.append(f"addons.{name}")
            continue
        fields[name] = spelled
        left_out += [f"addons.{name}.{detail}" for detail in ("version", "source") if detail in details]
    return fields, left_out


def without_approver(patches: TalosPatches) -> None:
    """Skip the certificate approver that KSail writes to `talos/cluster` for its metrics-server.

    The add-on brings one. Two manifests with the same objects would undo each other in a sync. In a cluster that
    KSail has made, its patch stays all the same: nothing of others is removed unasked.
    """
    for index, patch in enumerate(patches.scopes["cluster"]):
        if patch["name"] == _APPROVER:
            patches.warnings.append(
                f"{patches.files['cluster'][index]}: skipped, because metricsServer installs its own approver. A "
                "cluster that was created by KSail keeps its approver until its config patch is deleted in Omni or "
                'ownership is set to "exclusive"; the preview of the import names the patch'
            )
            del patches.scopes["cluster"][index], patches.files["cluster"][index]
            return
