"""From a running box to one that can try another generation."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from functools import partial

from services.home.clock import instant
from services.home.desk import Desk
from services.local_socket import SocketError, SocketServer
from services.settings import Settings
from services.voice.trial.desk import TrialDesk
from services.voice.trial.exchange import Exchange
from services.voice.trial.judge import installed, word_errors
from services.voice.trial.opening import open_generation
from services.voice.trial.prover import Prover

log = logging.getLogger(__name__)


def open_desk(settings: Settings, exchange: Exchange, timers: Desk, opened: ExitStack) -> TrialDesk:
    """A desk, and its socket where updates are switched on; ``opened`` closes both."""
    open_ = partial(open_generation, settings)
    desk = TrialDesk(
        settings,
        exchange,
        Prover(settings, exchange, open_, word_errors if installed() else None),
        open_=open_,
        due_s=lambda: due_s(timers),
    )
    opened.callback(desk.close)
    if settings.ota.repository is not None and settings.model.family != "cascade":
        try:
            opened.callback(SocketServer(settings.ota.voice_socket, desk.answer).close)
        except SocketError as error:
            # To be heard matters more than to be updated.
            log.error("the updater cannot reach this daemon", extra={"reason": str(error)})
    return desk


def due_s(desk: Desk) -> float | None:
    """Seconds until the next timer or alarm rings; None where none is set."""
    wall_s, zone = desk.clocks.wall(), desk.clocks.zone()
    running = (one for one in desk.timers.all() if not one.paused)
    times = [float(desk.timers.remaining_s(one)) for one in running]
    times += [instant(alarm.due, zone) - wall_s for alarm in desk.alarms.all()]
    if desk.ringer.sounding:
        times.append(0.0)
    return max(0.0, min(times)) if times else None
