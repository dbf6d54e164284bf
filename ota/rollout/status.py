"""What devices of a fleet say about themselves over MQTT: topics and payloads, for both sides.

    fleet/v1/<tenant>/<device>/online       ``online`` or ``offline``, retained; the last will
    fleet/v1/<tenant>/<device>/ota/state    ``OtaState``, retained
    fleet/v1/<tenant>/<device>/ota/event    ``OtaEvent``; ``seq`` without gaps shows none was lost
    fleet/v1/<tenant>/<device>/ota/gate     ``GateResult``
    fleet/v1/<tenant>/<device>/inv          ``Inventory``, retained
    fleet/v1/<tenant>/<device>/ota/nudge    ``Nudge``, to one device
    fleet/v1/<tenant>/class/<class>/ota/nudge    ``Nudge``, to all devices of a class

QoS 1 throughout. A nudge is a hint to ask again sooner: it names no release and needs no trust.
Nothing here says what anybody said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ota.errors import Reason
from ota.phases import Phase
from ota.release import Counter, DeviceClass, Facts, ReleaseName, Word

ROOT = "fleet/v1"
ONLINE, OFFLINE = "online", "offline"
MAX_STATUS_BYTES = 4096

DeviceId = Word
Kind = Literal["online", "state", "event", "gate", "inventory"]

_SUFFIXES: dict[Kind, str] = {
    "online": "online",
    "state": "ota/state",
    "event": "ota/event",
    "gate": "ota/gate",
    "inventory": "inv",
}
_KINDS = {suffix: kind for kind, suffix in _SUFFIXES.items()}
_WORD: TypeAdapter[str] = TypeAdapter(Word)
_CLASS: TypeAdapter[str] = TypeAdapter(DeviceClass)


class StatusError(ValueError):
    """A message that is not what its topic promises; never quotes it."""


class _Payload(BaseModel):
    # A newer device may say more than an older operator's display knows.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Stamped(_Payload):
    ts: float = Field(ge=0, le=2**40)
    """Unix seconds, by the device's clock."""
    boot_id: str = Field(pattern=r"^[0-9a-f-]{8,36}$")
    """Differs after each start of the machine (``/proc/sys/kernel/random/boot_id``)."""
    seq: int = Field(strict=True, ge=0, le=2**53)
    """Counts this device's messages of the same topic, from 0 after each start of the agent."""


class OtaState(_Stamped):
    """Where the device stands: what runs, and the update that is under way or ended last."""

    phase: Phase
    release: ReleaseName | None = None
    """What runs; None: what the machine was delivered with."""
    counter: Counter | None = None
    generation: str | None = Field(default=None, max_length=128)
    """Directory name of what runs."""
    wanted: ReleaseName | None = None
    """The release of the update that ``phase`` speaks of."""
    trial_left: int | None = Field(default=None, strict=True, ge=0, le=100)
    progress: float | None = Field(default=None, ge=0, le=1)
    """Share of the bytes that are here."""
    reason: Reason | None = None
    """Why the update ended badly."""


class OtaEvent(_Stamped):
    """One step of one update, for the audit."""

    phase: Phase
    action: str = Field(max_length=128)
    """The source's name of the assignment."""
    wanted: ReleaseName | None = None
    reason: Reason | None = None
    detail: str = Field(default="", max_length=500)
    resumed: bool = False


class GateResult(_Stamped):
    """How a release did in the device's health gate."""

    wanted: ReleaseName
    ok: bool
    reason: Reason | None = None
    recognised: bool | None = None
    """Whether its reply was understood; None: nobody judged it on that device."""
    seconds: float = Field(ge=0, le=86400)
    """How long the gate took."""
    p95_ms: float | None = Field(default=None, ge=0, le=1e6)
    """First audio after the end of speech, with the new release."""
    p95_before_ms: float | None = Field(default=None, ge=0, le=1e6)


class Inventory(_Stamped):
    """What the device is, beyond what it runs."""

    facts: Facts
    disk_free: int = Field(strict=True, ge=0, le=2**53)
    """Bytes."""
    root_version: int | None = Field(default=None, strict=True, ge=1, le=2**31)
    """Trusted TUF metadata; one that lags behind the fleet's is cut off from new keys."""
    timestamp_version: int | None = Field(default=None, strict=True, ge=1, le=2**53)


class Nudge(_Payload):
    """Ask your source again, at a random moment within ``jitter_s``."""

    poll: Literal[True] = True
    jitter_s: float = Field(default=600, ge=0, le=86400)


P = TypeVar("P", bound=_Payload)


def parse(model: type[P], payload: bytes) -> P:
    """Read a payload.

    Raises:
        StatusError: too large, or not such a payload; says where, not what.
    """
    if len(payload) > MAX_STATUS_BYTES:
        raise StatusError(f"larger than {MAX_STATUS_BYTES} bytes")
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        place = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))[:80]
        raise StatusError(f"not a {model.__name__} at {place or 'its top'}") from None


@dataclass(frozen=True)
class Topics:
    """One device's topics.

    Raises:
        ValueError: a tenant or device name that does not fit a topic.
    """

    tenant: str
    device: str

    def __post_init__(self) -> None:
        _WORD.validate_python(self.tenant)
        _WORD.validate_python(self.device)

    def of(self, kind: Kind) -> str:
        """Where the device publishes this kind of payload."""
        return f"{ROOT}/{self.tenant}/{self.device}/{_SUFFIXES[kind]}"

    def nudges(self, device_class: str) -> tuple[str, str]:
        """What the device subscribes to: its own nudges and those of its class."""
        own = f"{ROOT}/{self.tenant}/{self.device}/ota/nudge"
        return own, class_nudge(self.tenant, device_class)


def class_nudge(tenant: str, device_class: str) -> str:
    """Topic that nudges all devices of a class."""
    _WORD.validate_python(tenant)
    return f"{ROOT}/{tenant}/class/{_CLASS.validate_python(device_class)}/ota/nudge"


def filters(tenant: str) -> tuple[str, ...]:
    """What an operator subscribes to, to see a whole fleet."""
    _WORD.validate_python(tenant)
    return tuple(f"{ROOT}/{tenant}/+/{suffix}" for suffix in _SUFFIXES.values())


def device_and_kind(topic: str, tenant: str) -> tuple[str, Kind] | None:
    """Who speaks of what on a topic; None where it is no device's topic of that tenant."""
    head = f"{ROOT}/{tenant}/"
    if not topic.startswith(head):
        return None
    device, _, suffix = topic[len(head) :].partition("/")
    kind = _KINDS.get(suffix)
    try:
        _WORD.validate_python(device)
    except ValidationError:
        return None
    return (device, kind) if kind else None
