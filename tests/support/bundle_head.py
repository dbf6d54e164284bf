"""What a test bundle says about itself."""

from __future__ import annotations

from device.bundle import Hardware, ManifestHead, Schedule


def head() -> ManifestHead:
    return ManifestHead(
        family="linnet_mini",
        version="1.0.0",
        languages=("en",),
        sample_rate_in=16_000,
        sample_rate_out=16_000,
        schedule=Schedule(text=1, audio=2),
        licence="Apache-2.0",
        notice="A test.",
        minimum_runtime="0.1.0",
        hardware=Hardware(memory_mb=1),
    )
