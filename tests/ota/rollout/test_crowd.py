"""Two thousand devices at once; the figures by ``python -m tests.support.crowd --devices 2000``."""

from __future__ import annotations

import pytest

from tests.support.crowd import crowd
from tests.support.nginx import PROGRAM

DEVICES = 2000


@pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")
def test_two_thousand_devices_update_at_once_without_an_error() -> None:
    met = crowd(DEVICES)
    assert met.errors == []
    assert met.finished == DEVICES
    assert set(met.statuses) == {200, 206, 404}
    assert met.statuses[404] == DEVICES  # each asked once for a newer root
