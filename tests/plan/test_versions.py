"""Which versions a cluster gets."""

from __future__ import annotations

import pytest

from ksail_pulumi.errors import InputError
from ksail_pulumi.model.versions import Versions, newest, parse_version
from ksail_pulumi.plan.versions import available_versions, resolve_versions

from .builders import CATALOG, talos_version


def test_a_new_cluster_gets_the_newest_that_omni_supports() -> None:
    assert resolve_versions(None, None, CATALOG) == Versions("1.13.8", "1.36.3")


def test_kubernetes_is_the_newest_that_the_given_talos_is_compatible_with() -> None:
    assert resolve_versions("1.12.11", None, CATALOG) == Versions("1.12.11", "1.35.7")


def test_given_versions_are_taken_as_they_are() -> None:
    assert resolve_versions("1.13.7", "1.35.7", CATALOG) == Versions("1.13.7", "1.35.7")
    assert resolve_versions("1.14.0-beta.0", None, CATALOG) == Versions("1.14.0-beta.0", "1.37.0")


def test_what_was_not_given_stays_what_the_cluster_has() -> None:
    current = Versions("1.13.7", "1.35.7")

    assert resolve_versions(None, None, CATALOG, current=current) == current
    assert resolve_versions("1.13.8", None, CATALOG, current=current) == Versions("1.13.8", "1.35.7")
    assert resolve_versions(None, "1.36.3", CATALOG, current=current) == Versions("1.13.7", "1.36.3")


def test_a_cluster_keeps_versions_that_omni_no_longer_knows() -> None:
    current = Versions("1.7.0", "1.29.0")

    assert resolve_versions(None, None, CATALOG, current=current) == current
    assert resolve_versions("1.7.0", "1.29.0", [], current=current) == current


def test_a_deprecated_talos_may_be_left_for_another_deprecated_one() -> None:
    catalog = [*CATALOG, talos_version("1.8.3", "1.31.4", deprecated=True)]

    assert resolve_versions("1.8.4", None, catalog, current=Versions("1.8.3", "1.31.4")).talos == "1.8.4"


@pytest.mark.parametrize(
    ("talos", "kubernetes", "field", "reason"),
    [
        (
            "1.13.9",
            None,
            "talosVersion",
            'invalid talos version "1.13.9": Omni does not know it; available: 1.13.8, 1.13.7, 1.14.0-beta.0, 1.12.11',
        ),
        ("1.8.4", None, "talosVersion", 'talos version "1.8.4" is no longer supported; available: '),
        ("1.15.0", None, "talosVersion", 'talos version "1.15.0" is not supported by this Omni release; available: '),
        (
            "1.12.11",
            "1.36.3",
            "kubernetesVersion",
            'invalid kubernetes version "1.36.3": is not compatible with talos version "1.12.11"; '
            "available: 1.35.7, 1.34.8",
        ),
        (
            None,
            "1.36.9",
            "kubernetesVersion",
            'invalid kubernetes version "1.36.9": is not compatible with talos version "1.13.8"; '
            "available: 1.36.3, 1.36.2, 1.37.0-beta.1, 1.35.7, 1.35.6, 1.34.8",
        ),
    ],
)
def test_what_cannot_be_had_is_told_with_what_can(
    talos: str | None, kubernetes: str | None, field: str, reason: str
) -> None:
    with pytest.raises(InputError) as caught:
        resolve_versions(talos, kubernetes, CATALOG)

    assert caught.value.field == field
    assert caught.value.reason.startswith(reason)


def test_a_kept_kubernetes_that_does_not_fit_the_new_talos_is_told_as_such() -> None:
    with pytest.raises(InputError, match=r"it was not given, so the cluster would keep 1\.36\.3"):
        resolve_versions("1.12.11", None, CATALOG, current=Versions("1.13.8", "1.36.3"))


def test_an_omni_without_versions_is_told() -> None:
    with pytest.raises(InputError, match="Omni offers no supported Talos version"):
        resolve_versions(None, None, [])


def test_versions_are_ordered_as_numbers_and_a_pre_release_before_its_release() -> None:
    texts = ["1.10.0-alpha.2", "1.10.0-alpha.10", "1.10.0-beta.1", "1.10.0", "1.10.1", "1.11.0", "2.0.0"]

    assert sorted(["2.0.0", *texts[:-1]], key=lambda text: parse_version(text) or pytest.fail(text)) == texts
    assert newest(["1.9.9", "v1.10.0", "1.11.0-rc.1", "nonsense"]) == "v1.10.0"


@pytest.mark.parametrize(
    ("version", "listed"),
    [
        ("1.9.9", "1.9.10, 1.9.2, 1.10.1, 1.10.0, 1.8.4, 2.0.0, 2.0.0-beta.1"),
        ("1.10.3", "1.10.1, 1.10.0, 1.9.10, 1.9.2, 1.8.4, 2.0.0, 2.0.0-beta.1"),
        ("2.1.0", "2.0.0, 2.0.0-beta.1, 1.10.1, 1.10.0, 1.9.10, 1.9.2, 1.8.4"),
        ("newest", "2.0.0, 2.0.0-beta.1, 1.10.1, 1.10.0, 1.9.10, 1.9.2, 1.8.4"),
    ],
)
def test_available_versions_are_listed_nearest_first(version: str, listed: str) -> None:
    usable = ["1.8.4", "1.10.0", "1.9.2", "1.10.1", "2.0.0-beta.1", "1.9.10", "2.0.0"]
    assert available_versions(version, usable) == f"available: {listed}"
