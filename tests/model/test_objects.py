"""The objects in the text of a manifest: no document may vanish."""

from __future__ import annotations

import pytest

from ksail_pulumi.model.objects import faults_in, objects_in


def config(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"


ALIAS = "x: &n a\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: &l {k: v}\n  annotations: *l\n  name: *n\n"
MARKER_IN_A_TEXT = config("a") + "data:\n  text: |\n    ---\n    ...\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"{config('a')}---\n{config('b')}", "ab"),
        (f"{config('a')}---\n{config('b')}".replace("\n", "\r\n"), "ab"),
        (f"\ufeff%YAML 1.1\n---\n{config('a')}...\n{config('b')}", "ab"),
        ("--- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n--- # b\n" + config("b"), "ab"),
        (f"# Nothing\n---\n---\nnull\n---\n{config('a')}---", "a"),
        (ALIAS, "a"),
        (MARKER_IN_A_TEXT, "a"),
    ],
)
def test_each_document_with_an_object_is_found(text: str, names: str) -> None:
    assert [each.name for each in objects_in(text)] == list(names)
    assert list(faults_in(text)) == []
    assert all(each.content()["metadata"]["name"] == each.name for each in objects_in(text))


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ("apiVersion: v1\nkind: List\nitems: []\n", "the document at line 6 of its manifest is not one"),
        ("apiVersion: v1\nkind: List\nmetadata: {name: x}\n", "the document at line 6 of its manifest is not one"),
        ("kind: Pod\nmetadata: {name: x}\n", "the document at line 6 of its manifest is not one"),
        ("\n# A comment\n- 1\n", "the document at line 7 of its manifest is not one"),
        ("a: b\nc: [\n", "line 8 of its manifest is not valid YAML"),
        (config("b") + "data: {\n", "line 11 of its manifest is not valid YAML"),
    ],
)
def test_a_document_without_an_object_is_reported(document: str, fault: str) -> None:
    (found,) = faults_in(f"{config('a')}---\n{document}---\n{config('c')}")
    assert found.startswith(fault)
