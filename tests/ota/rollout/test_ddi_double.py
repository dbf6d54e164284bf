"""The hawkBit double, proven by a device of somebody else's making: Debian's ``swupdate``."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import swupdate
from tests.support.ddi_double import Action, DdiDouble, Reply, Status
from tests.support.http_front import serving

NEEDS_SWUPDATE = pytest.mark.skipif(
    swupdate.PROGRAM is None, reason="swupdate is not installed (Debian: apt install swupdate)"
)
LIMIT_S = 60.0


@pytest.fixture
def hawkbit() -> DdiDouble:
    return DdiDouble(target_tokens={"dev1": "secret"}, sleep="00:00:01")


def wait_for(what: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < until, log.read_text("utf-8", "replace")[-2000:]
        time.sleep(0.02)


def ended(action: Action) -> Callable[[], bool]:
    return lambda: not action.active


@NEEDS_SWUPDATE
def test_swupdate_installs_what_the_double_assigns(hawkbit: DdiDouble, tmp_path: Path) -> None:
    data, installed = swupdate.image(tmp_path, b"hello")
    hawkbit.next_id = 10  # zephyr #89530: ids that end in 0
    action = hawkbit.assign("dev1", None, "forced", artifacts={"x.swu": data})
    with serving(hawkbit.handle) as origin:
        with swupdate.running(tmp_path, origin, "dev1", "secret") as log:
            wait_for(lambda: b"SWUPDATE successful" in log.read_bytes(), log)
        assert action.active  # installed is not yet known to be good
        with swupdate.running(tmp_path, origin, "dev1", "secret", restarted=True) as log:
            wait_for(ended(action), log)
    assert action.status is Status.FINISHED, log.read_text("utf-8", "replace")[-2000:]
    assert installed.read_bytes() == b"hello"
    assert action.executions[0] == "proceeding"
    assert action.executions[-1] == "closed"
    assert hawkbit.devices["dev1"].installed == 10


@NEEDS_SWUPDATE
def test_swupdate_reports_an_image_that_it_cannot_read(hawkbit: DdiDouble, tmp_path: Path) -> None:
    swupdate.image(tmp_path, b"unused")
    action = hawkbit.assign("dev1", None, "forced", artifacts={"x.swu": b"not an image"})
    with (
        serving(hawkbit.handle) as origin,
        swupdate.running(tmp_path, origin, "dev1", "secret") as log,
    ):
        wait_for(ended(action), log)
    assert action.status is Status.ERROR
    assert action.executions[-1] == "closed"


@NEEDS_SWUPDATE
def test_swupdate_accepts_a_cancellation(hawkbit: DdiDouble, tmp_path: Path) -> None:
    swupdate.image(tmp_path, b"unused")
    action = hawkbit.assign("dev1", None, "forced", artifacts={"x.swu": b"never fetched"})
    hawkbit.cancel(action)
    with (
        serving(hawkbit.handle) as origin,
        swupdate.running(tmp_path, origin, "dev1", "secret") as log,
    ):
        wait_for(ended(action), log)
    assert action.status is Status.CANCELED


@NEEDS_SWUPDATE
def test_swupdate_with_a_wrong_token_is_served_nothing(hawkbit: DdiDouble, tmp_path: Path) -> None:
    swupdate.image(tmp_path, b"unused")
    refused: list[Reply] = []

    def watched(*request: object) -> Reply:
        reply = hawkbit.handle(*request)  # type: ignore[arg-type]
        refused.append(reply)
        return reply

    with (
        serving(watched) as origin,
        swupdate.running(tmp_path, origin, "dev1", "wrong") as log,
    ):
        wait_for(lambda: bool(refused), log)
    assert {reply.status for reply in refused} == {401}
    assert "dev1" not in hawkbit.devices
