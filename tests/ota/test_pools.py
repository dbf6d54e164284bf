"""Where a server may send a request on to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota.pools import redirected


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("https://a/b/c", "d", "https://a/b/d"),
        ("https://a/b", "/y", "https://a/y"),
        ("https://a/b", "https://cdn/b", "https://cdn/b"),
        ("http://a/b", "https://a/b", "https://a/b"),
        ("http://a/b", "http://c/b", "http://c/b"),
        ("https://a/b", "http://a/b", None),
        ("https://a/b", "https://user:word@b/y", None),
        ("https://a/b", "file:///b", None),
        ("http://a/b", "ftp://a/b", None),
        ("http://a/b", "", None),
        ("http://a/b", "https://[/", None),
        ("http://a/b", "/" + "x" * 3000, None),
    ],
)
def test_https_and_the_web_are_never_left(url: str, location: str, target: str | None) -> None:
    assert redirected(url, location) == target


@given(st.text(max_size=80))
def test_any_location_leads_to_https_or_nowhere(text: str) -> None:
    target = redirected("https://cdn.example/content/x", text)
    assert target is None or target.startswith("https://")
