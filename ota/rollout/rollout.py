"""``rollout/<class>.json``: the signed roll-out of one release, and what stops it.

The online rollout key signs it. Whoever holds that key can pause, slow or hasten a roll-out; it
cannot make a release, and a device refuses one that its class's release keys did not sign.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ota.errors import Reason, TrustError
from ota.release import Counter, DeviceClass, ReleaseName, Version, release_target

BUCKETS = 2048
MAX_ROLLOUT_BYTES = 2**16

Plan = tuple[tuple[float, timedelta], ...]
"""(Share of the fleet, how long after the beginning), growing."""

DEFAULT_WAVES: Plan = (
    (1 / BUCKETS, timedelta(0)),
    (0.01, timedelta(hours=1)),
    (0.05, timedelta(hours=4)),
    (0.15, timedelta(days=1)),
    (0.40, timedelta(days=2)),
    (0.60, timedelta(days=4)),
    (0.90, timedelta(days=5)),
    (1.00, timedelta(days=6)),
)
"""One bucket of canaries, then Bottlerocket's default waves. What canaries save is simulated by
``linnet fleet simulate --silent 0.08``, with and without ``--policy no-canaries``
(docs/decisions/0021-rollouts.md)."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Wave(_Frozen):
    """Buckets below ``until_bucket`` may install from ``start`` on."""

    until_bucket: int = Field(strict=True, ge=1, le=BUCKETS)
    start: AwareDatetime


class Rollout(_Frozen):
    """Which release a class should reach, in which waves."""

    format: Literal[1] = 1
    device_class: DeviceClass
    release: ReleaseName
    counter: Counter
    paused: bool = False
    waves: tuple[Wave, ...] = Field(default=(), max_length=64)
    """Growing in buckets and time. None: nobody installs by waves, only whom hawkBit names."""
    gated: bool = False
    """Its waves are the first of a plan, and a guard opens the others. Else they are all that it
    will ever have: a roll-out that somebody limited stays limited. Devices do not heed it."""
    downgrade_to: Counter | None = None
    """A lower counter that devices may go back to, against their floor."""
    minimum_app: Version = "0.0"
    issued: AwareDatetime
    """When it was signed: no honest clock is earlier."""

    @model_validator(mode="after")
    def _waves_grow(self) -> Rollout:
        for before, after in zip(self.waves, self.waves[1:], strict=False):
            if after.until_bucket <= before.until_bucket or after.start < before.start:
                raise ValueError("waves must grow in buckets and in time")
        return self

    @property
    def target(self) -> str:
        """TUF target path of its release."""
        return release_target(self.device_class, self.release)

    @classmethod
    def parse(cls, data: bytes, device_class: str) -> Rollout:
        """Read the roll-out that was fetched for a class.

        Raises:
            TrustError: too large, not a roll-out, or one for another class.
        """
        if len(data) > MAX_ROLLOUT_BYTES:
            raise TrustError(Reason.BAD_RELEASE, f"larger than {MAX_ROLLOUT_BYTES} bytes")
        try:
            found = cls.model_validate_json(data)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(str(piece) for piece in fault["loc"])[:200]
            raise TrustError(Reason.BAD_RELEASE, f"{place or 'rollout'}: {fault['msg']}") from error
        if found.device_class != device_class:
            raise TrustError(Reason.BAD_RELEASE, f"a roll-out for {found.device_class}")
        return found


def rollout_target(device_class: str) -> str:
    """TUF target path of a class's roll-out."""
    return f"rollout/{device_class}.json"


def default_waves(begin: datetime, plan: Plan = DEFAULT_WAVES) -> tuple[Wave, ...]:
    """The waves of a plan from ``begin`` on."""
    return tuple(
        Wave(until_bucket=until_bucket(share), start=begin + after) for share, after in plan
    )


def until_bucket(share: float) -> int:
    """Where the wave ends that holds this share of a fleet (0 to 1); nobody's wave is empty."""
    return max(1, round(share * BUCKETS))
