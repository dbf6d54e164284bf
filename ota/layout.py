"""Where things lie under a repository's address: one plain directory, served by anything.

    metadata/<version>.<role>.json, metadata/timestamp.json     TUF
    targets/models/<class>/<release>/<sha256>.release.json      signed (TUF)
    targets/rollout/<sha256>.<class>.json                       signed (TUF)
    content/<sha256>                                            pinned by a release.json

All but ``timestamp.json`` never changes once written.
"""

from __future__ import annotations

from dataclasses import dataclass

METADATA, TARGETS, CONTENT = "metadata", "targets", "content"


@dataclass(frozen=True)
class Addresses:
    """URLs that metadata and signed targets are fetched from."""

    metadata: str
    targets: str

    @classmethod
    def under(cls, base: str) -> Addresses:
        """Those of a repository at ``base``."""
        base = base.rstrip("/")
        return cls(f"{base}/{METADATA}/", f"{base}/{TARGETS}/")


def content_path(sha256: str) -> str:
    """Where a file of a release lies, relative to the repository's address."""
    return f"{CONTENT}/{sha256}"
