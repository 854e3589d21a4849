from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ksail_pulumi.pictures.bars import timeline_svg
from ksail_pulumi.pictures.timeline import Lane, Timeline, condensed, lasting
from ksail_pulumi.pictures.words import cells, shortened, wrapped

from .drawn import check, names, texts
from .test_graph import HOSTILE

BEGIN = datetime(2026, 11, 24, 3, 32, 24, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def timeline(*lanes: Lane, end: float = 100, **others: object) -> Timeline:
    return Timeline("west", ("2026-11-24 03:32:24 UTC",), lanes, BEGIN, at(end), **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.44, "0.4 s"),
        (9.96, "10 s"),
        (59.7, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations(seconds, text):
    assert lasting(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize("end", [0, 0.004, 1, 7, 59, 3600, 86400 * 40])
def test_a_change_of_any_length(end):
    lane = Lane("w-1", BEGIN, BEGIN, at(end), "running")
    svg = timeline_svg(timeline(lane, end=end))
    check(svg)
    assert names(svg) == ["Last change of cluster west", f"w-1: running after {lasting(timedelta(seconds=end))}"]


def test_texts_stay_apart_whatever_the_names_are():
    lanes = [Lane(each, BEGIN, at(5), at(place * 9), each, each, group=each) for place, each in enumerate(HOSTILE)]
    svg = timeline_svg(replace(timeline(*lanes, notes=tuple(HOSTILE)), facts=tuple(HOSTILE)))
    check(svg)
    assert "<script" not in svg


def test_the_slowest_machines_of_a_large_set_are_drawn_and_the_others_together():
    machines = [Lane(f"w-{each}", BEGIN, BEGIN, at(each), "running", group="west-workers") for each in range(99)]
    stuck = Lane("stuck", BEGIN, None, None, "booting", tone="busy", group="west-workers")
    drawn = condensed([Lane("written", BEGIN, BEGIN, BEGIN), stuck, *machines])
    assert [lane.name for lane in drawn] == [
        "written", "94 other machines", "w-94", "w-95", "w-96", "w-97", "w-98", "stuck",
    ]  # fmt: skip
    assert drawn[1].end == at(93)
    assert len(drawn[1].marks) == 94
    svg = timeline_svg(timeline(stuck, *machines))
    check(svg)
    assert {"machines of workers", "done after 1 min 33 s", "booting"} <= set(texts(svg))


def test_of_many_machines_that_are_not_done_the_number_is_shown():
    machines = [Lane(f"w-{each}", BEGIN, None, None, "booting", tone="busy", group="s") for each in range(50)]
    together = condensed([Lane("first", BEGIN, BEGIN, at(1), "running", group="s"), *machines])[0]
    assert (together.name, together.end, together.fact, together.tone) == (
        "45 other machines",
        None,
        "1 of them done",
        "busy",
    )


def test_texts_are_shortened_in_the_middle_and_by_columns():
    assert shortened("talos-worker-1.example.com", 12) == "talos…le.com"
    assert cells(shortened("漢" * 30, 11)) <= 11
    assert list(wrapped("a bb ccc " + "d" * 9, 6)) == ["a bb", "ccc", "dd…ddd"]
