"""Settings shared by all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Wall-clock deadlines fail on a busy machine without anything being wrong.
settings.register_profile(
    "linnet", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("linnet")
