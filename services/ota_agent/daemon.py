"""``linnet ota run``: the daemon of linnet-ota.service."""

from __future__ import annotations

import logging
import signal

from services import logs, sdnotify
from services.exit_codes import ExitCode
from services.ota_agent.agent import Agent
from services.ota_agent.wiring import open_agent
from services.settings import Settings

log = logging.getLogger(__name__)


def main(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; whatever went on goes on at the next start.

    Raises:
        SettingsError, SocketError, OtaError: it cannot begin.
    """
    logs.configure(settings.log.level, settings.log.format)
    with open_agent(settings) as agent:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: agent.stop())
        sdnotify.notify("READY=1")
        _run(agent)
    return ExitCode.OK


def _run(agent: Agent) -> None:
    agent.run(lambda: sdnotify.notify("WATCHDOG=1"))
    sdnotify.notify("STOPPING=1")
