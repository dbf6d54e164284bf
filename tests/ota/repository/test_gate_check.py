"""What a release has to be asked before it is signed."""

from __future__ import annotations

import pytest

from ota.machine import WORK, Stage
from ota.release import LONGEST_GATE_S, Gate
from ota.repository.errors import PublishError
from ota.repository.gate_check import check_gate
from services.voice.controller import Dwell
from services.voice.trial.prover import REST_S

PROVED = {"utterance": "gate.wav", "call": "HassTurnOn {}"}


@pytest.mark.parametrize(
    "gate",
    [
        Gate(),
        Gate(utterance="gate.wav"),
        Gate(call="HassTurnOn {}"),
        Gate(**PROVED, soak_turns=0),
        Gate(**PROVED, soak_seconds=0),
    ],
)
def test_a_gate_that_proves_nothing_is_only_signed_when_it_is_meant(gate: Gate) -> None:
    with pytest.raises(PublishError, match="--unproved"):
        check_gate(gate, unproved=False)
    check_gate(gate, unproved=True)


def test_a_gate_with_a_recording_its_call_and_a_soak_is_signed() -> None:
    check_gate(Gate(**PROVED), unproved=False)
    check_gate(Gate(**PROVED, seconds=LONGEST_GATE_S), unproved=False)


def test_a_gate_that_every_device_would_cut_short_is_never_signed() -> None:
    for unproved in (False, True):
        with pytest.raises(PublishError, match=r"gate\.seconds: 801 is more than 800"):
            check_gate(Gate(**PROVED, seconds=LONGEST_GATE_S + 1), unproved=unproved)


def test_the_longest_gate_ends_before_the_agent_and_the_voice_daemon_lose_patience() -> None:
    """A gate looks at its clock between steps; a step may wait for the end of a real turn."""
    longest = LONGEST_GATE_S + 2 * REST_S
    out_of_service = Dwell().updating_ms / 1000
    assert longest < out_of_service < WORK[Stage.PROVING].budget_s
