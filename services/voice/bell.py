"""How timers and alarms are heard: a chime through the voice loop, and once the words of each."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import numpy as np

from device.sound.chime import ring
from device.sound.frames import Pcm
from services.home.ringing import Chime, Ring, outcome
from services.language.outcome import Outcome
from services.voice.controller import State
from services.voice.loop import VoiceLoop

log = logging.getLogger(__name__)

MOST_TOLD = 4
"""Of what begins to ring together; the chime speaks for the others."""
_RESTING = {State.IDLE, State.MUTED, State.UPDATING}


class Bell:
    """Give this to the desk as its ``ring``."""

    def __init__(self, loop: VoiceLoop, say: Callable[[Outcome], Pcm]) -> None:
        """
        Args:
            say: the reply to an outcome as float32[n] at 16 kHz; called on the loop's worker.
        """
        self._loop, self._say = loop, say

    def __call__(self, chime: Chime) -> bool:
        """Sound it; False while someone is being heard or answered, so that it is asked again."""
        if self._loop.busy:
            return False
        self._loop.announce(ring(1))
        if chime.begun:
            self._loop.worker.submit(partial(self._tell, chime.begun[:MOST_TOLD]))
        return True

    def _tell(self, begun: tuple[Ring, ...]) -> None:
        # The model serves one at a time: who has woken the box meanwhile goes first.
        if self._loop.state not in _RESTING:
            return
        try:
            said = [self._say(outcome(one)) for one in begun]
        except Exception as error:  # noqa: BLE001 - a worker's job may not raise; it has chimed
            log.error("a ring was not told", extra={"error": type(error).__name__})
            return
        if self._loop.state in _RESTING:
            self._loop.announce(np.concatenate(said))
