"""Which servers may be called: on this machine or in the house, never beyond. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_HOUSE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
        "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
_ZONES = (".local", ".home.arpa", ".internal", ".lan")
"""Ends of names that no server on the internet has."""


def refusal(url: str) -> str | None:
    """Why a URL may not be called, without repeating it; None where it may."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https") or not host:
        return "must begin with http:// or https:// and a host"
    if parts.username is not None or parts.password is not None:
        return "must not hold a name or password; use token_file"
    if host == "localhost" or host.endswith(_ZONES) or _in_the_house(host):
        return None
    return (
        "leads out of the house: give an address of this machine or of the local network, "
        f"or a name that ends in {', '.join(_ZONES)}"
    )


def _in_the_house(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in _HOUSE)
