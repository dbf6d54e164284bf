"""The real updater is killed at random moments."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KILLS, AT_ONCE = 200, 4
"""It mostly waits for its voice daemon, so a few devices at once cost no more than one."""


@pytest.mark.slow
def test_two_hundred_kills_of_the_real_updater_leave_one_good_generation_each() -> None:
    seeds = [random.randrange(10**6) for _ in range(AT_ONCE)]
    devices = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.killed_updater",
                str(KILLS // AT_ONCE),
                str(seed),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in seeds
    ]
    try:
        told = [json.loads(device.communicate(timeout=300)[0]) for device in devices]
    finally:
        for device in devices:
            with device:
                device.kill()
    assert [one["violations"] for one in told] == [[]] * AT_ONCE, seeds
    assert [one["left"] for one in told] == [[]] * AT_ONCE, seeds
    assert sum(one["kills"] for one in told) == KILLS
    ends = sum((Counter(one["ends"]) for one in told), Counter())
    assert ends["committed"], "the good release was kept now and then"
    assert ends["rolled_back"], "and the bad one, or one that died in each try, was not"
