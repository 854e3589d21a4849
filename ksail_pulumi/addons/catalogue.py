"""The Kubernetes objects of add-ons: where projects publish their manifests, and objects that none of them publishes.

Some projects have no manifest that could be applied as it is. Cilium has a Helm chart only; Argo CD's manifest leaves
the namespace to whoever applies it; local-path's keeps volumes in a folder that Talos does not allow. For the first
two a Job in the cluster does what a person would do at a terminal. A Job cannot be changed, so its name holds a digest
of what it does: another version is another Job, which Talos creates and Kubernetes runs.

Talos enforces the Pod Security Standard `baseline` in every namespace but `kube-system`, see
https://docs.siderolabs.com/kubernetes-guides/security/pod-security.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ksail_pulumi.goyaml.write import encode

if TYPE_CHECKING:
    from ksail_pulumi.model.addons import GitOpsSource

HELM_IMAGE = "docker.io/alpine/helm:4.2.4"
KUBECTL_IMAGE = "registry.k8s.io/kubectl:v1.36.4"
HELPER_IMAGE = "docker.io/library/busybox:1.37.0"

LOCAL_PATH_FOLDER = "/var/mnt/local-path-provisioner"
"""The folder of volumes on a node. Talos mounts `/var/mnt` for the kubelet, and user volumes below it."""

POD_SUBNET = "10.244.0.0/16"
"""The pod network of a Talos cluster, unless a patch gives it another."""

KUBE_PRISM = {"host": "localhost", "port": "7445"}
"""Talos' load balancer for the Kubernetes API on every machine: it answers before there is a pod network."""

_GITHUB = "https://github.com"
_RAW = "https://raw.githubusercontent.com"
ARGO_CD_NAMESPACE = "argocd"
_INTERVAL = "1m0s"
_RETRIES = 20  # of a Job, each after a longer time, at most six minutes

# Cilium's own set without SYS_MODULE, which Talos grants to nobody:
# https://docs.siderolabs.com/kubernetes-guides/cni/deploying-cilium
_AGENT_CAPABILITIES = (
    "CHOWN",
    "KILL",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "SYS_ADMIN",
    "SYS_RESOURCE",
    "DAC_OVERRIDE",
    "FOWNER",
    "SETGID",
    "SETUID",
)
_CLEANER_CAPABILITIES = ("NET_ADMIN", "SYS_ADMIN", "SYS_RESOURCE")

Object = dict[str, Any]


def published(project: str, version: str) -> tuple[str, ...]:
    """Where a project publishes the manifests of one of its releases."""
    match project:
        case "gateway-api":
            # Cilium also needs those that are experimental, such as TLSRoute.
            return (f"{_GITHUB}/kubernetes-sigs/gateway-api/releases/download/v{version}/experimental-install.yaml",)
        case "calico":
            files = _calico_files(version)
            return tuple(f"{_RAW}/projectcalico/calico/v{version}/manifests/{file}" for file in files)
        case "metrics-server":
            return (f"{_GITHUB}/kubernetes-sigs/metrics-server/releases/download/v{version}/components.yaml",)
        case "kubelet-serving-cert-approver":
            return (f"{_RAW}/alex1989hu/kubelet-serving-cert-approver/v{version}/deploy/standalone-install.yaml",)
        case "cert-manager":
            return (f"{_GITHUB}/cert-manager/cert-manager/releases/download/v{version}/cert-manager.yaml",)
        case "kyverno":
            return (f"{_GITHUB}/kyverno/kyverno/releases/download/v{version}/install.yaml",)
        case "gatekeeper":
            return (f"{_RAW}/open-policy-agent/gatekeeper/v{version}/deploy/gatekeeper.yaml",)
        case "flux":
            return (f"{_GITHUB}/fluxcd/flux2/releases/download/v{version}/install.yaml",)
        case "argocd":
            return (f"{_RAW}/argoproj/argo-cd/v{version}/manifests/install.yaml",)
    raise ValueError(f"{project} publishes no manifest")


def _calico_files(version: str) -> tuple[str, ...]:
    """Calico's operator, behind the definitions of its resources, which have moved from release to release."""
    major, minor, _ = version.split(".", 2)
    line = (int(major), int(minor))
    if line < (3, 30):
        return ("tigera-operator.yaml",)
    if line < (3, 32):
        return ("operator-crds.yaml", "tigera-operator.yaml")
    if line < (3, 33):
        return ("v1_crd_projectcalico_org.yaml", "tigera-operator.yaml")
    return ("v3_projectcalico_org.yaml", "tigera-operator.yaml")


def manifest_text(objects: list[Object]) -> str:
    """Objects as the text of one manifest."""
    return "---\n".join(encode(each) for each in objects)


def cilium(version: str) -> list[Object]:
    """Cilium together with kube-proxy, with the settings that Talos needs, installed from its chart."""
    values = {
        "ipam.mode": "kubernetes",
        "kubeProxyReplacement": "false",
        "k8sServiceHost": KUBE_PRISM["host"],
        "k8sServicePort": KUBE_PRISM["port"],
        "operator.replicas": "1",
        "cgroup.autoMount.enabled": "false",
        "cgroup.hostRoot": "/sys/fs/cgroup",
        "securityContext.capabilities.ciliumAgent": f"{{{','.join(_AGENT_CAPABILITIES)}}}",
        "securityContext.capabilities.cleanCiliumState": f"{{{','.join(_CLEANER_CAPABILITIES)}}}",
    }
    chart = ["cilium", "cilium", "--repo", "https://helm.cilium.io/", "--version", version]
    settings = [argument for name, value in values.items() for argument in ("--set", f"{name}={value}")]
    container = {
        "name": "helm",
        "image": HELM_IMAGE,
        "command": ["helm", "upgrade", "--install"],
        "args": [*chart, "--namespace", "kube-system", "--reset-values", *settings],
        "env": [
            {"name": "KUBERNETES_SERVICE_HOST", "value": KUBE_PRISM["host"]},
            {"name": "KUBERNETES_SERVICE_PORT", "value": KUBE_PRISM["port"]},
        ],
    }
    # No node is ready, and there is no pod network, until this has run.
    before_the_network = {"hostNetwork": True, "dnsPolicy": "Default", "tolerations": [{"operator": "Exists"}]}
    return _installation("cilium", "kube-system", container, before_the_network)


def argo_cd(url: str) -> list[Object]:
    """Argo CD in a namespace of its own."""
    container = {
        "name": "kubectl",
        "image": KUBECTL_IMAGE,
        "command": ["kubectl", "apply"],
        "args": ["--server-side", "--force-conflicts", "--namespace", "argocd", "--filename", url],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return [_named("v1", "Namespace", "argocd"), *_installation("argocd", "argocd", container, {})]


def namespace(name: str) -> Object:
    """A namespace."""
    return _named("v1", "Namespace", name)


def flux_source(source: GitOpsSource) -> list[Object]:
    """What lets Flux deploy a Git repository or an OCI artifact."""
    name, home = "flux-system", "flux-system"
    secret = {"secretRef": {"name": name}} if source.password is not None else {}
    kind = "OCIRepository" if source.oci else "GitRepository"
    reference = {"tag": source.revision or "latest"} if source.oci else {"branch": source.revision or "main"}
    origin = {
        **_named("source.toolkit.fluxcd.io/v1", kind, name, home),
        "spec": {"interval": _INTERVAL, "url": source.url, "ref": reference, **secret},
    }
    applied = {
        **_named("kustomize.toolkit.fluxcd.io/v1", "Kustomization", name, home),
        "spec": {
            "interval": _INTERVAL,
            "path": source.path or "./",
            "prune": True,
            # Without its source, Flux would delete all that it has deployed.
            "deletionPolicy": "Orphan",
            "sourceRef": {"kind": kind, "name": name},
        },
    }
    if source.password is None:
        return [origin, applied]
    return [_flux_secret(source, name, home), origin, applied]


def _flux_secret(source: GitOpsSource, name: str, home: str) -> Object:
    login = {"username": source.username, "password": source.password}
    secret = _named("v1", "Secret", name, home)
    if not source.oci:
        return {**secret, "type": "Opaque", "stringData": login}
    registry = source.url.removeprefix("oci://").partition("/")[0]
    config = json.dumps({"auths": {registry: login}}, sort_keys=True)
    return {**secret, "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": config}}


def argo_cd_source(source: GitOpsSource) -> list[Object]:
    """What lets Argo CD deploy a Git repository or an OCI artifact."""
    home, name = ARGO_CD_NAMESPACE, "cluster"
    application = {
        **_named("argoproj.io/v1alpha1", "Application", name, home),
        "spec": {
            "project": "default",
            "source": {
                "repoURL": source.url,
                "targetRevision": source.revision or ("latest" if source.oci else "main"),
                "path": source.path or ".",
            },
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]},
        },
    }
    if source.password is None:
        return [application]
    labels = {"argocd.argoproj.io/secret-type": "repository"}
    login = {"username": source.username, "password": source.password}
    repository = {"type": "oci" if source.oci else "git", "url": source.url, **login}
    return [{**_named("v1", "Secret", "repository", home, labels=labels), "stringData": repository}, application]


def calico_installation() -> list[Object]:
    """What Calico's operator creates: the settings that Talos documents, with the packet filter that Talos uses.

    See https://docs.siderolabs.com/kubernetes-guides/cni/deploy-calico.
    """
    pool = {
        "name": "default-ipv4-ippool",
        "blockSize": 26,
        "cidr": POD_SUBNET,
        "encapsulation": "VXLAN",
        "natOutgoing": "Enabled",
        "nodeSelector": "all()",
    }
    network = {"bgp": "Disabled", "linuxDataplane": "Nftables", "ipPools": [pool]}
    return [
        {
            **_named("operator.tigera.io/v1", "Installation", "default"),
            "spec": {"calicoNetwork": network, "kubeletVolumePluginPath": "None"},
        }
    ]


def local_path(version: str) -> list[Object]:
    """Volumes in a folder of the node that a pod runs on, as the default storage class.

    Its helpers run as root on the node's folder, so its namespace must allow privileged pods.
    """
    name, namespace, account = "local-path-provisioner", "local-path-storage", "local-path-provisioner-service-account"
    read, write = ["get", "list", "watch"], ["create", "delete", "patch", "update"]
    paths = f'{{"nodePathMap":[{{"node":"DEFAULT_PATH_FOR_NON_LISTED_NODES","paths":["{LOCAL_PATH_FOLDER}"]}}]}}'
    helper = {**_named("v1", "Pod", "helper-pod"), "spec": {"containers": [{"name": "helper", "image": HELPER_IMAGE}]}}
    helper["spec"] |= {"priorityClassName": "system-node-critical", "tolerations": [{"operator": "Exists"}]}
    config = {
        "config.json": paths,
        "setup": '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
        "teardown": '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
        "helperPod.yaml": encode(helper),
    }
    container = {
        "name": name,
        "image": f"docker.io/rancher/{name}:v{version}",
        "command": [name, "start", "--config", "/etc/config/config.json"],
        "env": [
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "CONFIG_MOUNT_PATH", "value": "/etc/config/"},
        ],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/config/"}],
    }
    pod = {
        "serviceAccountName": account,
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "local-path-config"}}],
    }
    labels = {"app": name}
    return [
        _named("v1", "Namespace", namespace, labels={"pod-security.kubernetes.io/enforce": "privileged"}),
        _named("v1", "ServiceAccount", account, namespace),
        {
            **_named("rbac.authorization.k8s.io/v1", "ClusterRole", name),
            "rules": [
                _rule("", ["nodes", "persistentvolumeclaims", "configmaps", "pods", "pods/log"], read),
                _rule("", ["persistentvolumes"], [*read, *write]),
                _rule("", ["events"], ["create", "patch"]),
                _rule("storage.k8s.io", ["storageclasses"], read),
            ],
        },
        _binding("ClusterRole", name, account, namespace),
        {
            **_named("rbac.authorization.k8s.io/v1", "Role", name, namespace),
            "rules": [_rule("", ["pods"], [*read, *write])],
        },
        _binding("Role", name, account, namespace),
        {**_named("v1", "ConfigMap", "local-path-config", namespace), "data": config},
        {
            **_named("apps/v1", "Deployment", name, namespace),
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            **_named(
                "storage.k8s.io/v1",
                "StorageClass",
                "local-path",
                annotations={"storageclass.kubernetes.io/is-default-class": "true"},
            ),
            "provisioner": "rancher.io/local-path",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    ]


def _installation(name: str, namespace: str, container: Object, pod: Object) -> list[Object]:
    """A Job that runs a container with all rights in the cluster."""
    account = f"{name}-installer"
    spec = {
        "backoffLimit": _RETRIES,
        "template": {
            "spec": {
                "serviceAccountName": account,
                "restartPolicy": "OnFailure",
                "containers": [container],
                **pod,
            }
        },
    }
    digest = hashlib.sha256(encode(spec).encode()).hexdigest()[:8]
    return [
        _named("v1", "ServiceAccount", account, namespace),
        _binding("ClusterRole", "cluster-admin", account, namespace, name=account),
        {**_named("batch/v1", "Job", f"{name}-install-{digest}", namespace), "spec": spec},
    ]


def _named(version: str, kind: str, name: str, namespace: str | None = None, **metadata: dict[str, str]) -> Object:
    home = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **home, **metadata}}


def _rule(group: str, resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _binding(kind: str, role: str, account: str, namespace: str, *, name: str | None = None) -> Object:
    """Gives a service account a role: in its namespace for a Role, everywhere for a ClusterRole."""
    group = "rbac.authorization.k8s.io"
    home = namespace if kind == "Role" else None
    return {
        **_named(f"{group}/v1", f"{kind}Binding", name or role, home),
        "roleRef": {"apiGroup": group, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
