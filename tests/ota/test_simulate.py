"""A million simulated devices: what a bad release costs, and that a good one arrives."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest

from ota.simulate import POLICIES, World, simulate

SMALL = World(devices=50_000)


def test_a_release_that_bricks_8_percent_in_silence_bricks_few_of_a_million() -> None:
    ended = simulate(World(devices=1_000_000, silent=0.08))
    assert 0 < ended.bricked <= 735
    assert ended.stopped is not None
    assert "silent" in ended.stopped


def test_without_the_rule_of_silence_it_would_never_have_stopped() -> None:
    ended = simulate(World(devices=1_000_000, silent=0.08), "errors")
    assert ended.completed
    assert ended.bricked > 70_000


@pytest.mark.parametrize("seed", range(2))
def test_a_good_release_reaches_everybody(seed: int) -> None:
    ended = simulate(World(devices=1_000_000, seed=seed))
    assert ended.completed
    assert ended.stopped is None
    assert (ended.exposed, ended.bricked) == (1_000_000, 0)
    assert 6 * 24 <= ended.hours <= 7 * 24


def test_a_release_that_fails_loudly_stops_within_hours() -> None:
    ended = simulate(World(devices=1_000_000, failing=0.30))
    assert not ended.completed
    assert ended.hours <= 3
    assert ended.bricked == 0
    assert ended.exposed < 1000
    assert 0.2 * ended.exposed < ended.failed < 0.4 * ended.exposed


def test_a_release_that_bricks_3_percent_is_seen_though_5_percent_may_fail() -> None:
    assert simulate(World(devices=1_000_000, silent=0.03)).bricked <= 263


def test_canaries_keep_a_bad_release_from_a_hundredth_of_the_fleet() -> None:
    bad = World(devices=300_000, silent=0.08)
    assert 10 * simulate(bad).exposed < simulate(bad, "no-canaries").exposed


@pytest.mark.parametrize("devices", [1, 30, 400, 50_000])
def test_small_fleets_complete_as_well(devices: int) -> None:
    quiet = World(devices=devices, failing_anyway=0, unplugged=0)
    assert simulate(quiet).completed


@pytest.mark.parametrize("name", POLICIES)
def test_the_same_world_gives_the_same_outcome(name: str) -> None:
    bad = dataclasses.replace(SMALL, silent=0.08)
    assert simulate(bad, name) == simulate(bad, name)


@pytest.mark.parametrize("name", POLICIES)
def test_the_course_only_grows(name: str) -> None:
    course = simulate(dataclasses.replace(SMALL, silent=0.08), name).course
    for before, after in pairwise(course):
        assert after.hours >= before.hours
        assert after.exposed >= before.exposed
        assert after.bricked >= before.bricked
