from __future__ import annotations

import re

import pytest

from ksail_pulumi.pictures.boxes import cluster_svg
from ksail_pulumi.pictures.graph import Graph, Group, Machine, Part, condensed
from ksail_pulumi.pictures.mermaid import cluster_mermaid

from .drawn import check, names, texts

HOSTILE = [
    '"><script>alert(1)</script>',
    "a & b",
    "]]>",
    "`code`",
    "1. one",
    "- item",
    "#35;",
    "end",
    "a\nb\tc\x1b[31mred",
    "漢字のとても長いホスト名" * 5,
    "x" * 300,
    "e\u0301" * 40,
]


def machines(count: int, **others: object) -> tuple[Machine, ...]:
    return tuple(Machine.of(f"{each:08}-0000-4000-8000-0", f"w-{each}", **others) for each in range(count))  # type: ignore[arg-type]


def hostile(*, planned: bool) -> Graph:
    parts = tuple(Part(each, "removed" if planned else "") for each in HOSTILE)
    members = tuple(Machine(each, each, tuple(HOSTILE), "bad", "", parts) for each in HOSTILE)
    return Graph(
        HOSTILE[0],
        tuple(HOSTILE),
        "busy",
        parts * 3,
        (Group(HOSTILE[0], tuple(HOSTILE), parts=parts, machines=members),),
        planned,
    )


@pytest.mark.parametrize("planned", [False, True])
def test_texts_stay_apart_whatever_the_names_are(planned):
    svg = cluster_svg(hostile(planned=planned))
    check(svg)
    assert "<script" not in svg
    assert "\x1b" not in svg


def test_machines_of_a_large_set_that_look_the_same_are_drawn_together():
    slow = tuple(Machine(f"x-{each}", facts=("booting",), tone="busy") for each in range(2))
    graph = Graph("west", groups=(Group("workers", machines=(*machines(98, facts=("running",), tone="good"), *slow)),))
    drawn = condensed(graph).groups[0].machines
    assert [each.name for each in drawn] == ["98 machines", "x-0", "x-1"]
    assert drawn[0].note == "w-0 and 97 more"
    check(cluster_svg(graph))
    assert cluster_mermaid(graph).count("machine") < 12


def test_each_machine_of_a_small_set_is_drawn():
    graph = Graph("west", groups=(Group("workers", machines=machines(12)),))
    assert len(condensed(graph).groups[0].machines) == 12


def test_a_hundred_machines_that_all_differ_are_still_apart():
    many = tuple(Machine(f"w-{each}", facts=(f"stage {each}",)) for each in range(100))
    svg = cluster_svg(Graph("west", groups=(Group("workers", machines=many),)))
    check(svg)
    assert "w-99" in texts(svg)


def test_a_mark_is_also_a_sign():
    plan = Graph(
        "west", ("Talos 1.13.7 → 1.13.8",), parts=(Part("time", "changed"),),
        groups=(Group("workers", ("1 machine",), mark="added", machines=(Machine("w-1", mark="removed"),)),),
        planned=True,
    )  # fmt: skip
    svg = cluster_svg(plan)
    assert {"Plan for west", "~ time", "+ workers", "- w-1", "+ added", "- removed"} <= set(texts(svg))
    assert names(svg)[:2] == ["Plan for west", "~ time"]


def test_mermaid_has_no_character_of_a_name_that_means_something_to_it():
    chart = cluster_mermaid(hostile(planned=True))
    for label in re.findall(r'"(.*)"', chart):
        assert not re.search(r"[^\w\s.,:/→·…#;<>-]", label), label
        assert set(re.findall("<[^>]*>", label)) <= {"<br>"}
        assert re.fullmatch(r"(?:[^#;]|#\d+;)*", label), label
        assert not re.search(r"(?:^|<br>)(?:[-*+]|\d+\.) ", label), label


def test_the_mermaid_chart_of_a_cluster():
    machine = Machine("w-1", "id", ("running",), "bad", "", (Part("x"),))
    workers = Group("workers", ("Running",), "busy", machines=(machine,))
    graph = Graph("west", ("healthy",), "good", (Part("time"),), (workers,))
    assert cluster_mermaid(graph).splitlines()[:12] == [
        "flowchart LR",
        "  accTitle: Cluster west",
        '  cluster["Cluster west<br>healthy"]:::good',
        '  clusterpatch0(["time"])',
        "  clusterpatch0 -.-> cluster",
        '  set0["workers<br>Running"]:::busy',
        "  cluster --> set0",
        '  set0machine0["w-1<br>running<br>id"]:::bad',
        "  set0 --> set0machine0",
        '  set0machine0patch0(["x"])',
        "  set0machine0patch0 -.-> set0machine0",
        "  classDef good stroke:#2da44e,stroke-width:2px",
    ]
