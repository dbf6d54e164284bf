"""What the settings say reaches the broker's address."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from services.settings import Mqtt
from services.settings_file import SettingsError
from services.wiring import broker_address


def test_the_password_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("se cret\nsecond line\n", "utf-8")
    address = broker_address(Mqtt(host="h", port=2, username="u", password_file=file))
    assert (address.host, address.port, address.username, address.password) == (
        "h",
        2,
        "u",
        "se cret",
    )
    assert "se cret" not in repr(address)


def test_a_missing_password_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"mqtt\.password_file = .*none: No such file"):
        broker_address(Mqtt(username="u", password_file=tmp_path / "none"))


def test_an_authority_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("not a certificate", "utf-8")
    with pytest.raises(SettingsError, match=r"mqtt\.ca_file"):
        broker_address(Mqtt(tls=True, ca_file=file))


def test_tls_is_never_dropped_for_want_of_a_file() -> None:
    # Either the system's own list of authorities, or a refusal: never plain TCP.
    with contextlib.suppress(SettingsError):
        assert broker_address(Mqtt(tls=True)).ca_file is not None
