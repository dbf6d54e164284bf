"""What a release's gate has to ask, before anybody signs it. Pure.

Devices believe a signed gate, whatever it asks: one that asks nothing keeps whatever loads, and one
that takes too long is ended by the device itself, on every device.
"""

from __future__ import annotations

from ota.release import LONGEST_GATE_S, Gate
from ota.repository.errors import PublishError


def check_gate(gate: Gate, *, unproved: bool) -> None:
    """Refuse a gate that could not tell a good release from a bad one.

    Args:
        unproved: the publisher knows that it proves too little.

    Raises:
        PublishError: it takes too long; or, unless ``unproved``, it proves too little.
    """
    if gate.seconds > LONGEST_GATE_S:
        raise PublishError(
            f"gate.seconds: {gate.seconds:g} is more than {LONGEST_GATE_S:g}; a device ends a "
            "trial that takes longer, so that every one would go back"
        )
    lacking = _lacking(gate)
    if lacking and not unproved:
        raise PublishError(f"{lacking}; or say --unproved")


def _lacking(gate: Gate) -> str | None:
    if not (gate.utterance and gate.call):
        return (
            "the gate has no recording, or no call that it must give, and would pass whatever "
            "loads: name --utterance and --call"
        )
    if not (gate.soak_turns and gate.soak_seconds):
        return (
            "the soak would end before the first real turn: leave --soak-turns and --soak-seconds"
        )
    return None
