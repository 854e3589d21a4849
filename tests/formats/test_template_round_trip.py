"""A cluster of any template, read back from its resources, is the template of just these resources."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ksail_pulumi.formats.template.read import load_template
from ksail_pulumi.formats.template.write import template_text
from ksail_pulumi.goyaml.write import InOrder, encode
from ksail_pulumi.model.parse import parse_cluster, to_wire
from ksail_pulumi.model.versions import Versions
from ksail_pulumi.plan.assemble import desired_resources
from ksail_pulumi.plan.machines import Assignment
from ksail_pulumi.plan.observe import observe
from ksail_pulumi.plan.ownership import OwnershipMark
from tests.plan.rendering import rendered

MARK = OwnershipMark("organization/shop/dev/edge")
MACHINES = [f"5b1c6d20-7e0a-4f6e-9a51-0000000000{number:02}" for number in range(8)]


def optional(name: str, strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(st.just({}), strategy.map(lambda value: {name: value}))


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda each: {key: value for part in each for key, value in part.items()})


LINES = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\x85\ufeff\uffff\ufffe")
TEXT = st.text(LINES, max_size=12) | st.sampled_from(
    ["yes", "1e3", "0o17", "null", "~", "2024-01-01", " a ", "a: b", "- "]
)
KEYS = st.from_regex(r"\A[a-z][a-z0-9./-]{0,12}\Z").filter(lambda key: key not in ("name", "description"))
METADATA = st.dictionaries(KEYS, TEXT, min_size=1, max_size=3)
DATA = st.fixed_dictionaries(
    {
        "machine": st.dictionaries(
            st.sampled_from(["sysctls", "sysfs", "env"]), st.dictionaries(KEYS, TEXT, max_size=3), max_size=2
        )
    }
)
TEXTS = st.lists(TEXT.map(lambda text: "# " + text.strip()), max_size=3).map(
    lambda lines: "\n".join([*lines, "machine: {sysctls: {a: b}}", ""])
)
INLINE = DATA | st.lists(DATA, min_size=1, max_size=1) | TEXTS
LISTS = st.lists(st.from_regex(r"\A[a-z][a-z0-9=-]{0,8}\Z"), max_size=3, unique=True)
DESCRIBED = (optional("labels", METADATA), optional("annotations", METADATA))


def named(entries: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """A list of entries, each with a name of its own."""
    return st.lists(entries, min_size=1, max_size=3).map(
        lambda items: [{"name": f"{item.pop('stem', 'x')}{index}", **item} for index, item in enumerate(items)]
    )


STEMS = st.fixed_dictionaries({"stem": st.from_regex(r"\A[A-Za-z][A-Za-z0-9_./-]{0,8}\Z")})
PATCHES = named(merged(STEMS, *DESCRIBED, st.fixed_dictionaries({"inline": INLINE})))
SCOPE = (*DESCRIBED, optional("patches", PATCHES), optional("systemExtensions", LISTS))
NUMBER = st.fixed_dictionaries({"maxParallelism": st.integers(1, 9)})
STRATEGY = merged(st.just({"type": "Rolling"}), optional("rolling", NUMBER)) | st.just({"type": "Unset"})
LOWER = st.fixed_dictionaries({"stem": st.from_regex(r"\A[a-z]([a-z0-9-]{0,6}[a-z0-9])?\Z")})
OBJECTS = DATA.map(lambda data: {"kind": "ConfigMap", **data})
OBJECT = OBJECTS | st.lists(OBJECTS, min_size=1, max_size=1) | TEXTS.map(lambda text: f"{text}kind: ConfigMap\n")
MANIFESTS = named(
    merged(STEMS, *DESCRIBED, st.fixed_dictionaries({"inline": OBJECT, "mode": st.sampled_from(["full", "one-time"])}))
)
CHECKS = named(merged(LOWER, *DESCRIBED, st.fixed_dictionaries({"job": DATA}), optional("interval", st.just("1m30s"))))
FEATURES = st.dictionaries(
    st.sampled_from(["diskEncryption", "enableWorkloadProxy", "useEmbeddedDiscoveryService", "enableNodeAuditSkip"]),
    st.booleans(),
)


@st.composite
def templates(draw: st.DrawFn) -> str:
    machines = draw(st.permutations(MACHINES))
    sets = draw(st.lists(st.integers(0, 3), max_size=2))
    classes = draw(st.booleans())
    members, used = [], 1
    for size in sets:
        members.append(machines[used : used + size])
        used += size
    kubernetes = merged(optional("manifests", MANIFESTS), optional("healthchecks", CHECKS))
    cluster = {
        "kind": "Cluster",
        "name": "edge",
        "kubernetes": {"version": "v1.36.3", **draw(kubernetes)},
        "talos": {"version": "v1.13.8"},
        **draw(merged(*SCOPE, optional("features", FEATURES))),
        **({} if classes else draw(optional("kernelArgs", LISTS))),
    }
    set_fields = (*SCOPE, optional("upgradeStrategy", STRATEGY), optional("kernelArgs", LISTS))
    documents = [cluster, {"kind": "ControlPlane", "machines": machines[:1], **draw(merged(*set_fields))}]
    worker_fields = (*set_fields, optional("updateStrategy", STRATEGY), optional("deleteStrategy", STRATEGY))
    for index, each in enumerate(members):
        workers = {"kind": "Workers", **({"name": f"set-{index}"} if index else {}), **draw(merged(*worker_fields))}
        if each:
            workers["machines"] = each
        documents.append(workers)
    if classes:
        size = draw(st.integers(0, 5) | st.just("unlimited"))
        documents.append({"kind": "Workers", "name": "by-class", "machineClass": {"name": "any", "size": size}})
    for machine in draw(st.lists(st.sampled_from(machines[:used]), unique=True, max_size=3)):
        install = optional("install", st.sampled_from([{"disk": "/dev/sda"}, {"diskSelector": "system_disk"}]))
        fields = draw(merged(*SCOPE, install, optional("kernelArgs", LISTS)))
        locked = {"locked": True} if machine != machines[0] and draw(st.booleans()) else {}
        documents.append({"kind": "Machine", "name": machine, **locked, **fields})
    return "---\n".join(encode(InOrder(document)) for document in documents)


def resources(path: Path) -> list[Any]:
    spec = parse_cluster(load_template(path))
    sets = {each.id(spec.name): each.machines for each in spec.machine_sets if each.machines is not None}
    return desired_resources(spec, Versions("1.13.8", "1.36.3"), Assignment(sets), MARK)


def compared(made: list[Any]) -> Mapping[tuple[str, str], Any]:
    return {(each.type.name, each.id): rendered(each) for each in made}


@settings(max_examples=settings.default.max_examples // 2)  # each takes a tenth of a second
@given(templates())
def test_what_a_template_makes_is_written_as_a_template_that_makes_the_same(text):
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder, "cluster.yaml"), Path(folder, "again.yaml")
        path.write_text(text)
        made = resources(path)
        again.write_text(template_text(to_wire(observe(made))))
        assert compared(resources(again)) == compared(made)
        assert template_text(to_wire(observe(resources(again)))) == again.read_text()
