"""HTTP connections, over the proxies that the environment names, and where they may be sent on."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from ota.deadline import cuttable

MAX_URL = 2048


class Pools:
    """One pool for each proxy, and one without."""

    def __init__(self, ca_file: Path | None = None) -> None:
        """
        Args:
            ca_file: certificates that an HTTPS server is held against, instead of the system's.
        """
        self._ca_file = str(ca_file) if ca_file else None
        self._pools: dict[str | None, urllib3.PoolManager] = {}

    def of(self, url: str) -> urllib3.PoolManager:
        """The pool to ask for an address."""
        parts = urlsplit(url)
        direct = not parts.hostname or proxy_bypass(parts.hostname)
        proxy = None if direct else getproxies().get(parts.scheme)
        if proxy not in self._pools:
            self._pools[proxy] = cuttable(
                urllib3.ProxyManager(proxy, ca_certs=self._ca_file)
                if proxy
                else urllib3.PoolManager(ca_certs=self._ca_file)
            )
        return self._pools[proxy]


def redirected(url: str, location: str) -> str | None:
    """Where a redirect leads; None where it must not be followed.

    Never from https to http, to another scheme, or with a name and password in the address.
    """
    if not location or len(location) > MAX_URL:
        return None
    try:
        target = urljoin(url, location)
        old, new = urlsplit(url), urlsplit(target)
        allowed = new.scheme in (("https",) if old.scheme == "https" else ("https", "http"))
        return target if allowed and new.hostname and "@" not in new.netloc else None
    except ValueError:
        return None
