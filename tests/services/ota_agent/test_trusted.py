"""What the updater's loop asks of the chain of trust while somebody else is at it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from ota.trust.client import Trust
from services.ota_agent.trusted import Trusted
from tests.support.update_repository import A, Device, UpdateRepository


def test_a_slow_server_keeps_nobody_from_reading_the_floor(tmp_path: Path) -> None:
    repository = UpdateRepository()
    target = repository.release(A, "1.0", 1)
    repository.publish(A)
    trust = Device(tmp_path / "trust", repository).trust()
    asked, answered = threading.Event(), threading.Event()

    @contextmanager
    def slowly() -> Iterator[Trust]:
        asked.set()
        answered.wait(30)
        yield trust

    trusted = Trusted(trust, slowly, A)
    with ThreadPoolExecutor(3) as pool:
        vouched = pool.submit(trusted.vouch, target)
        assert asked.wait(30)
        try:
            assert pool.submit(trusted.running).result(10) is None
            assert pool.submit(trusted.versions).result(10) == (None, None)
        finally:
            answered.set()
        trusted.committed(vouched.result(30).release)
    assert trusted.running() == 1


@pytest.mark.parametrize(("installed", "offered"), [(1, "1.2"), (2, None), (3, None)])
def test_what_is_no_newer_than_what_was_installed_meanwhile_is_not_offered(
    tmp_path: Path, installed: int, offered: str | None
) -> None:
    repository = UpdateRepository()
    targets = {counter: repository.release(A, f"1.{counter}", counter) for counter in (1, 2, 3)}
    wave = {"until_bucket": 2048, "start": repository.now.isoformat()}
    repository.rollout(A, "1.2", 2, waves=[wave])
    repository.publish(A, "rollout")
    trust = Device(tmp_path / "trust", repository).trust()
    trusted = Trusted(trust, lambda: nullcontext(trust), A)
    trusted.rollout()
    trusted.committed(trusted.vouch(targets[installed]).release)
    found = trusted.offered()
    assert (found and found.release) == offered
