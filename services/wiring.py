"""From settings to running parts: the one place that knows both."""

from __future__ import annotations

import ssl
from importlib import metadata
from typing import Any

from services.home.broker import BrokerAddress
from services.home.executor import Home
from services.home.home_map import HomeMap
from services.home.pending import Pending
from services.home.presence.entities import Place
from services.home.presence.identity import object_id
from services.home.presence.kept import Kept
from services.home.presence.link import Appliance, Presence
from services.home.rate_limit import RateLimit
from services.home.safety import Safety
from services.settings import Home as HomeSettings
from services.settings import Mqtt, Settings
from services.settings import Safety as SafetySettings
from services.settings_file import Problem, SettingsError
from services.state_file import state_directory


def broker_address(mqtt: Mqtt) -> BrokerAddress:
    """Where the broker is and how to log in; reads the password file.

    Raises:
        SettingsError: the password file or the certificate authority's file cannot be read.
    """
    return BrokerAddress(
        host=mqtt.host,
        port=mqtt.port,
        username=mqtt.username,
        password=_password(mqtt),
        ca_file=_authority(mqtt),
        version=mqtt.version,
    )


def at_broker(settings: Settings, address: BrokerAddress) -> Settings:
    """The settings, but for the broker: one without log-in that is known otherwise."""
    place = {
        "host": address.host, "port": address.port, "version": address.version,
        "tls": False, "username": None,
    }  # fmt: skip
    return settings.model_copy(update={"mqtt": settings.mqtt.model_copy(update=place)})


def open_home(settings: Settings, **extra: Any) -> Home:
    """The home the settings name, not started yet; ``extra`` goes to ``Home``."""
    return Home(
        broker_address(settings.mqtt),
        here=settings.home.here,
        home_map=home_map(settings.home),
        prefix=settings.mqtt.discovery_prefix,
        timeout_s=settings.mqtt.confirm_timeout_ms / 1000,
        ask_to_announce=settings.mqtt.ask_to_announce,
        safety=safety(settings.safety),
        **{"status_topic": f"{settings.mqtt.topic}/status", **extra},
    )


def safety(chosen: SafetySettings) -> Safety:
    """How long a question stays open and how often a device may be commanded."""
    return Safety(Pending(chosen.answer_s), RateLimit(chosen.commands, chosen.per_s))


def home_map(home: HomeSettings) -> HomeMap:
    """The owner's word on rooms, floors and names."""
    return HomeMap(home.areas, home.floors, home.aliases, home.place_aliases, home.groups)


def open_presence(settings: Settings, appliance: Appliance) -> Presence:
    """The appliance as a device of Home Assistant, not started yet."""
    place = Place(
        object_id(),
        topic=settings.mqtt.topic,
        prefix=settings.mqtt.discovery_prefix,
        name=settings.presence.name,
        version=software_version(),
        room=settings.home.here,
    )
    return Presence(broker_address(settings.mqtt), place, appliance)


def kept_wishes(settings: Settings) -> Kept:
    """What the owner set from Home Assistant before, over the settings; nothing without it."""
    folder = state_directory() if settings.presence.announce else None
    return Kept(folder, round(settings.wake.sensitivity * 100))


def software_version() -> str:
    """Of the installed package; empty when run from a source tree."""
    try:
        return metadata.version("linnet")
    except metadata.PackageNotFoundError:
        return ""


def _password(mqtt: Mqtt) -> str | None:
    if mqtt.password_file is None:
        return None
    try:
        with mqtt.password_file.open(encoding="utf-8") as file:
            return file.readline(1024).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not text"
        raise _fault("mqtt.password_file", str(mqtt.password_file), why) from error


def _authority(mqtt: Mqtt) -> str | None:
    if not mqtt.tls:
        return None
    chosen = str(mqtt.ca_file) if mqtt.ca_file else ssl.get_default_verify_paths().cafile
    if chosen is None:
        raise _fault("mqtt.ca_file", None, "this system has no list of its own; name a PEM file")
    try:
        ssl.create_default_context(cafile=chosen)
    except (OSError, ssl.SSLError) as error:
        why = f"cannot be used: {error.strerror or error}"
        raise _fault("mqtt.ca_file", chosen, why) from error
    return chosen


def _fault(key: str, value: str | None, why: str) -> SettingsError:
    return SettingsError([Problem("settings", None, key, value, why)])
