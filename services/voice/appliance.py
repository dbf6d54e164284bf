"""The running box as its presence sees and commands it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Protocol

from device.sound.chime import ring
from device.sound.frames import Pcm
from services.home.presence.commands import Chime, Command, Install, SetLevel, SetSwitch
from services.home.presence.entities import Seen, Update
from services.home.presence.kept import Kept
from services.home.timers import Timers
from services.home.volume import Volume
from services.voice.controller import Event, State
from services.voice.loop import VoiceLoop
from services.voice.microphone import Microphone

JITTER = timedelta(seconds=2)
"""Two readings of one timer's end differ by less: whole seconds, and two clocks."""


class Sensitive(Protocol):
    """A wake word detector that can be tuned while it listens."""

    def set_sensitivity(self, sensitivity: float) -> None: ...


class RunningAppliance:
    """See ``presence.link.Appliance``."""

    def __init__(
        self,
        loop: VoiceLoop,
        microphone: Microphone,
        wake: Sensitive,
        timers: Timers,
        volume: Volume,
        kept: Kept,
        update: Callable[[], Update | None] = lambda: None,
        install: Callable[[], None] = lambda: None,
        wall: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        """
        Args:
            kept: what the owner set before; put in force here, but for the microphone, which
                was opened, or not, before.
            update: the installed model and the newest; asked often, so it must be quick.
            install: the owner wants the newest; quick.
            wall: now, with its zone.
        """
        self._loop, self._microphone, self._wake = loop, microphone, wake
        self._timers, self._volume, self._kept = timers, volume, kept
        self._update, self._install, self._wall = update, install, wall
        self._rings_at: datetime | None = None
        self._asked: State | None = None
        wake.set_sensitivity(kept.wishes.sensitivity / 100)

    def announce(self, pcm: Pcm) -> bool:
        """Sound float32[n] that nobody in the room has asked for; False while not to disturb."""
        if self._kept.wishes.do_not_disturb:
            return False
        self._loop.announce(pcm)
        return True

    def obey(self, command: Command) -> None:
        match command:
            case SetLevel("volume", percent):
                self._volume.set(percent)
            case SetLevel("sensitivity", percent):
                self._wake.set_sensitivity(percent / 100)
                self._kept.set_sensitivity(percent)
            case SetSwitch("mute", on):
                self._microphone.mute(on)
                self._kept.set_switch("mute", on)
            case SetSwitch("do_not_disturb", on):
                self._kept.set_switch("do_not_disturb", on)
            case Chime():
                self.announce(ring(1))
            case Install():
                self._install()

    def seen(self) -> Seen:
        self._follow_mute()
        running = self._timers.running()
        remaining_s = self._timers.remaining_s(running[0]) if running else None
        wishes = self._kept.wishes
        return Seen(
            volume=self._volume.level,
            sensitivity=wishes.sensitivity,
            muted=self._microphone.closed,
            do_not_disturb=wishes.do_not_disturb,
            state=self._loop.state.value,
            timers=len(running),
            next_timer=self._ring_time(remaining_s),
            update=self._update(),
        )

    def _follow_mute(self) -> None:
        """Keep the controller's state as the microphone is.

        Asked anew whenever the state has changed: during an update it takes neither event.
        """
        state, muted = self._loop.state, self._kept.wishes.mute
        if (state is State.MUTED) == muted:
            self._asked = None
        elif state is not self._asked:
            self._asked = state
            self._loop.post(Event.MUTE if muted else Event.UNMUTE)

    def _ring_time(self, remaining_s: int | None) -> str | None:
        """The moment the next timer rings: the same text as long as it is the same moment."""
        if remaining_s is None:
            self._rings_at = None
            return None
        at = self._wall() + timedelta(seconds=remaining_s)
        if self._rings_at is None or abs(at - self._rings_at) > JITTER:
            self._rings_at = at.replace(microsecond=0)
        return self._rings_at.isoformat()
