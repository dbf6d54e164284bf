"""The device that the tests of its updater share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.updated_box import UpdatedBox


@pytest.fixture
def box(tmp_path: Path) -> UpdatedBox:
    return UpdatedBox(tmp_path)
