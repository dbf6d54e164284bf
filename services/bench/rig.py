"""The whole appliance without sound card or network: embedded broker, simulated home, real loop."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.home.embedded_broker import EmbeddedBroker
from services.home.simulated import SimulatedHome
from services.language.homeview import HomeView
from services.settings import Settings
from services.voice.families.base import SpeechModel
from services.voice.loop import VoiceLoop
from services.voice.setup import open_loop
from services.voice.timeline import TimelineEvent
from services.wiring import at_broker, open_home

START_S = 10.0  # for the home to connect and to hear from its devices
STOP_S = 5.0  # for the model to finish what it is at


@dataclass(frozen=True)
class Rig:
    """A running appliance; feed its loop."""

    loop: VoiceLoop
    view: HomeView


@contextlib.contextmanager
def rig(
    settings: Settings, model: SpeechModel, emit: Callable[[TimelineEvent], None]
) -> Iterator[Rig]:
    """Raises BrokerError when the embedded broker does not come up."""
    loops: list[VoiceLoop] = []
    with contextlib.ExitStack() as parts:
        address = parts.enter_context(EmbeddedBroker()).address
        parts.enter_context(SimulatedHome(address))
        home = open_home(
            at_broker(settings, address), observe=lambda step: loops[0].home_step(step)
        )
        loop = open_loop(settings, model, home, emit=emit)
        loops.append(loop)
        parts.enter_context(home)
        parts.callback(loop.worker.close, STOP_S)
        home.wait_connected(START_S)
        home.wait_quiet(START_S)
        view = home.view()
        model.session(view).cancel()  # the first turn need not lay out the grammar
        yield Rig(loop, view)
