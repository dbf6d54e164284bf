"""From settings to hawkBit: who this device is to it, and who answers for the owner."""

from __future__ import annotations

import re
import ssl

from ota.journal import Journal
from ota.phases import Phase
from ota.release import Facts
from ota.rollout.hawkbit import HawkbitDdi, Server, TokenKind
from ota.rollout.web import HttpWeb, Identity
from services.ota_agent.files import fault, read_named
from services.settings import Ota

MAX_TOKEN_BYTES = 1024
MAX_PEM_BYTES = 2**20


def hawkbit_client(ota: Ota, name: str, device: Facts, journal: Journal) -> HawkbitDdi:
    """The source that hawkBit is.

    Args:
        name: of this device.
        journal: tells how far an action is here, and what the owner has asked for.

    Raises:
        SettingsError: an address, or a file that is named, cannot be used.
    """
    kind: TokenKind = "TargetToken" if ota.token_kind == "target" else "GatewayToken"  # noqa: S105
    try:
        server = Server(ota.hawkbit or "", name, ota.tenant, _token(ota), kind)
    except ValueError as error:
        raise fault("hawkbit", ota.hawkbit, str(error)) from error

    def standing(action: str) -> Phase | None:
        update = journal.read().update
        return update.stage.phase if update and update.action == action else None

    def consent(target: str) -> bool | None:
        if ota.hawkbit_consent == "always":
            return True
        update = journal.read().update
        # hawkBit's own actions are numbers: whoever forced another one was the owner.
        owners = update is not None and update.forced and not update.action.isdecimal()
        return True if owners and update and update.target == target else None

    return HawkbitDdi(
        server,
        device,
        HttpWeb(_identity(ota)),
        standing=standing,
        consent=consent,
        forced_passes_waves=ota.forced_passes_waves,
    )


def _token(ota: Ota) -> str | None:
    if ota.token_file is None:
        return None
    found = read_named(ota.token_file, "token_file", MAX_TOKEN_BYTES).strip()
    if not re.fullmatch(rb"[\x21-\x7e]+", found):
        raise fault("token_file", str(ota.token_file), "holds no token: one word is wanted")
    return found.decode("ascii")


def _identity(ota: Ota) -> Identity:
    """Tried here, so that what TLS cannot use is told at once and by its key."""
    ca, shown, key_file = ota.hawkbit_ca_file, ota.certificate_file, ota.key_file
    named = {"hawkbit_ca_file": ca, "certificate_file": shown, "key_file": key_file}
    for key, path in named.items():
        if path is not None:
            read_named(path, key, MAX_PEM_BYTES)
    key = "hawkbit_ca_file"
    try:
        context = ssl.create_default_context(cafile=ca)
        if shown is not None:
            key = "certificate_file"
            # An empty password: a key that needs one would have it asked for at the terminal.
            context.load_cert_chain(shown, key_file, password="")
    except ssl.SSLError as error:
        raise fault(key, str(named[key]), f"is of no use in TLS: {error.reason}") from error
    return Identity(*(str(path) if path else None for path in named.values()))
