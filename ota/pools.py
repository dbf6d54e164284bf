"""HTTP connections, over the proxies that the environment names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3


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
            self._pools[proxy] = (
                urllib3.ProxyManager(proxy, ca_certs=self._ca_file)
                if proxy
                else urllib3.PoolManager(ca_certs=self._ca_file)
            )
        return self._pools[proxy]
