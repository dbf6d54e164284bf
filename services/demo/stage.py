"""The appliance without hardware: broker, home, model and voice loop in one process.

Sound takes the path a microphone's would: 10 ms frames at real pace into the wake word, the
endpointer and the model; commands go over MQTT to devices that answer on theirs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from device.sound.files import FileSource
from device.sound.frames import Pcm
from services.demo.script import World
from services.home.embedded_broker import EmbeddedBroker
from services.home.executor import HomeEvent
from services.home.simulated import Received, SimulatedHome
from services.home.simulated_devices import DEVICES, SimulatedDevice
from services.settings import Settings
from services.voice.families.base import SpeechModel
from services.voice.loop import VoiceLoop
from services.voice.setup import open_loop
from services.voice.timeline import TimelineEvent
from services.voice.turn_log import Turn, TurnLog
from services.wiring import at_broker, open_home

START_S = 10.0  # for the home to connect and to hear from its devices
STOP_S = 5.0  # for the model to finish what it is at

Emit = Callable[[TimelineEvent], None]


class Stage:
    """A context manager; leaves no thread, port or file behind."""

    def __init__(
        self,
        settings: Settings,
        model: SpeechModel,
        devices: Sequence[SimulatedDevice] = DEVICES,
    ) -> None:
        self._settings = settings
        self._model = model
        self._devices = devices
        self._emit: Emit = lambda event: None
        self._log = TurnLog()
        self._parts = contextlib.ExitStack()

    def __enter__(self) -> Stage:
        """Raises BrokerError when the embedded broker does not come up."""
        with contextlib.ExitStack() as parts:
            self.address = parts.enter_context(EmbeddedBroker()).address
            self._simulated = parts.enter_context(SimulatedHome(self.address, self._devices))
            home = open_home(at_broker(self._settings, self.address), observe=self._moved)
            self._loop: VoiceLoop = open_loop(self._settings, self._model, home, self._heard_of)
            parts.enter_context(home)
            parts.callback(self._loop.worker.close, STOP_S)
            home.wait_connected(START_S)
            home.wait_quiet(START_S)
            self.view = home.view()
            self._model.session(self.view).cancel()  # the first turn need not lay out the grammar
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def play(self, pcm: Pcm, emit: Emit = lambda event: None) -> list[Turn]:
        """Play float32[n] as if it were spoken now, until the last reply has ended; its turns.

        Args:
            emit: called on the hearing thread with every event; must be quick.
        """
        self._log, self._emit = TurnLog(), emit
        source = FileSource(pcm, self._loop.clock, tail=lambda: self._loop.busy)
        self._loop.run(source, self._log.sink)
        return self._log.turns

    def world(self) -> World:
        """The true state of every device."""
        return {name: self._simulated.state(name) for name in self._simulated.devices}

    def received(self, entity_id: str) -> Received | None:
        """The last command that reached a device."""
        device_id = entity_id.partition(".")[2]
        newest_first = reversed(self._simulated.commands)
        return next((c for c in newest_first if c.device_id == device_id), None)

    def _moved(self, step: HomeEvent) -> None:
        self._loop.home_step(step)

    def _heard_of(self, event: TimelineEvent) -> None:
        self._log.add(event)
        self._emit(event)
