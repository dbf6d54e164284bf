"""What the updater asks of the voice daemon and what it is told: both sides read these models.

Only names, numbers and reasons: nothing that was said, and no path.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ota.errors import Reason
from ota.release import Gate

GenerationName = Annotated[str, Field(pattern=r"^[0-9]{6}-[0-9a-f]{12}$")]
Line = Annotated[str, Field(max_length=500)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Look(_Frozen):
    """How is it?"""

    do: Literal["look"] = "look"


class Prove(_Frozen):
    """Load this generation beside the one that serves and put it through the gate."""

    do: Literal["prove"] = "prove"
    generation: GenerationName
    gate: Gate


class Serve(_Frozen):
    """From the next turn on answer with this generation; it is ``current`` by now."""

    do: Literal["serve"] = "serve"
    generation: GenerationName


class Tell(_Frozen):
    """What the owner may be shown of updates."""

    do: Literal["tell"] = "tell"
    installed: Annotated[str, Field(max_length=64)] = ""
    """Empty: what the model's own manifest says."""
    latest: Annotated[str, Field(max_length=64)] = ""
    """Empty: nothing newer is known."""
    progress: Annotated[int, Field(ge=0, le=100)] | None = None
    """Percent while one is being installed."""
    notes: Annotated[str, Field(max_length=255)] = ""
    """What is new in the newest, as its publisher signed it."""


Question = Annotated[Look | Prove | Serve | Tell, Field(discriminator="do")]


class Proof(_Frozen):
    """How a generation did in the gate, or that it is still in it."""

    generation: GenerationName
    over: bool = False
    reason: Reason | None = None
    """None when it is over: passed."""
    detail: Line = ""
    recognised: bool | None = None
    """Whether the judge of speech understood the reply; None: nobody judged it, because there is
    no judge here, none for its language, or it failed."""
    seconds: Seconds = 0
    p95_ms: Seconds | None = None
    p95_before_ms: Seconds | None = None
    memory_mb: int | None = None
    """What it took beside the other."""
    beside: bool = True
    """False: there was no room for two, and nobody was heard meanwhile."""


class VoiceState(_Frozen):
    """The voice daemon at one moment."""

    serving: str = ""
    """Generation that answers; empty: a bundle that is no generation."""
    speaking: bool = False
    quiet_s: Seconds = 0
    """Since the last turn ended."""
    due_s: Seconds | None = None
    """Until the next timer or alarm rings."""
    turns: int = 0
    """Turns that ended well since this generation serves."""
    failed: int = 0
    """Turns that ended in a fault."""
    safe_mode: bool = False
    """``current`` does not load; another bundle serves in its place."""
    install: str = ""
    """The release that the owner has asked for in Home Assistant."""
    told: bool = False
    """Whether it knows what the owner may be shown; not after a restart."""
    proof: Proof | None = None
