"""Who this appliance is on the broker: stable, and telling nothing of the machine."""

from __future__ import annotations

import hashlib
import hmac
import platform
import re
from collections.abc import Sequence
from pathlib import Path

MACHINE_ID = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_KEY = b"linnet presence 1"
_TOPIC = re.compile(r"device/linnet_[0-9a-f]{16}/config")


def object_id(sources: Sequence[Path] = MACHINE_ID, node: str | None = None) -> str:
    """``linnet_`` and 16 hex digits, equal after every restart.

    The machine id is confidential (machine-id(5)), so only its keyed hash goes out. A machine
    without one, such as a container, is known by its host name (``node``).
    """
    secret = next(filter(None, map(_machine_id, sources)), None) or node or platform.node()
    return f"linnet_{hmac.new(secret.encode(), _KEY, hashlib.sha256).hexdigest()[:16]}"


def is_appliance(topic: str, prefix: str) -> bool:
    """Whether a discovery topic is that of a Linnet, this one or another.

    Linnets are no devices of the home to each other: "turn off all switches" must not unmute one.
    """
    head, found, rest = topic.partition(f"{prefix}/")
    return not head and bool(found) and _TOPIC.fullmatch(rest) is not None


def _machine_id(path: Path) -> str | None:
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if re.fullmatch(r"[0-9a-f]{32}", text) else None
