"""Servers in the house may be called, servers beyond it may not, however they are written."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mcp.addresses import refusal
from services.settings_file import SettingsError, parse, render


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/mcp", "http://localhost/mcp", "https://192.168.1.7:8443/",
        "http://10.0.0.1/", "http://172.31.0.1/", "http://[::1]:9/mcp", "http://[fd00::7]/",
        "http://[fe80::1%25eth0]/", "http://nas.local/mcp", "http://hub.home.arpa:1/",
        "http://[::ffff:192.168.1.2]/",
    ],
)  # fmt: skip
def test_in_the_house(url: str) -> None:
    assert refusal(url) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://example.com/mcp", "leads out of the house"),
        ("https://8.8.8.8/", "leads out of the house"),
        ("http://172.32.0.1/", "leads out of the house"),
        ("http://[2001:4860::1]/", "leads out of the house"),
        ("http://[::ffff:8.8.8.8]/", "leads out of the house"),
        ("http://localhost.example.com/", "leads out of the house"),
        ("http://127.0.0.1.example.com/", "leads out of the house"),
        ("http://2130706433/", "leads out of the house"),
        ("http://nas/", "leads out of the house"),
        ("http://127.0.0.1@example.com/", "name or password"),
        ("http://me:secret@127.0.0.1/", "name or password"),
        ("file:///etc/passwd", "must begin with http"),
        ("ws://127.0.0.1/", "must begin with http"),
        ("http://", "must begin with http"),
        ("http://[::1", "is not a URL"),
        ("http://127.0.0.1:99999/", "is not a URL"),
    ],
)
def test_beyond_it(url: str, why: str) -> None:
    found = refusal(url) or ""
    assert why in found
    assert "secret" not in found


@given(st.ip_addresses())
def test_no_address_of_the_internet_passes(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    if address.is_global and not getattr(address, "ipv4_mapped", None):
        assert refusal(f"http://{host}/") is not None


@given(st.text(max_size=60) | st.text(":/@[]%.?#x1", max_size=30).map("http://".__add__))
def test_any_text_has_an_answer_that_does_not_repeat_it(text: str) -> None:
    found = refusal(text)
    assert found is None or len(text) < 12 or text not in found


def test_the_settings_say_which_server_and_why() -> None:
    text = '[mcp]\n[[mcp.servers]]\nname = "far"\nurl = "https://example.com/mcp"\n'
    with pytest.raises(SettingsError, match="leads out of the house") as caught:
        parse(text, "f")
    (problem,) = caught.value.problems
    assert problem.line == 2
    with pytest.raises(SettingsError, match="needs either command or url"):
        parse('[[mcp.servers]]\nname = "none"\n', "f")


def test_servers_of_the_settings_are_read_and_written_back() -> None:
    text = (
        '[home]\naliases = { "light.desk" = ["reading light"] }\n'
        '[[mcp.servers]]\nname = "nas"\nurl = "http://nas.local/mcp"\ntools = ["search"]\n'
        '[[mcp.servers]]\nname = "local"\ncommand = ["tool", "--quiet"]\ntools = ["a", "b"]\n'
    )
    settings = parse(text, "f")
    assert [s.name for s in settings.mcp.servers] == ["nas", "local"]
    assert settings.home.aliases == {"light.desk": ("reading light",)}
    assert parse(render(settings), "f") == settings
