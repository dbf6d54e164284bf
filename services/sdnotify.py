"""Tell systemd how the daemon is: READY, WATCHDOG, STATUS, STOPPING.

``python3-systemd`` does it where it is installed; else the same datagram is written here. Outside
systemd nothing happens.
"""

from __future__ import annotations

import logging
import os
import socket

try:
    from systemd.daemon import notify as _systemd_notify
except ImportError:
    _systemd_notify = None

log = logging.getLogger(__name__)


def notify(*assignments: str) -> bool:
    """Send ``KEY=value`` lines; whether there was a service manager to take them."""
    message = "\n".join(assignments)
    if _systemd_notify is not None:
        return bool(_systemd_notify(message))
    return _send(message)


def watchdog_s() -> float | None:
    """Seconds within which systemd wants a sign of life; None when it does not watch us."""
    period = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not period.isdecimal() or int(period) == 0 or pid != str(os.getpid()):
        return None
    return int(period) / 1e6


def _send(message: str) -> bool:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # Linux abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(address)
            sock.sendall(message.encode())
    except OSError as error:
        log.debug("the service manager does not listen", extra={"error": error.strerror})
        return False
    return True
