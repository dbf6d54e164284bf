"""Hundreds of devices at once; thousands by ``python -m tests.support.crowd --devices 2000``."""

from __future__ import annotations

import pytest

from tests.support.crowd import crowd
from tests.support.nginx import PROGRAM


@pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")
def test_three_hundred_devices_update_at_once_without_an_error() -> None:
    met = crowd(300)
    assert met.errors == []
    assert met.finished == 300
    assert set(met.statuses) == {200, 206, 404}
    assert met.statuses[404] == 300  # each asked once for a newer root
