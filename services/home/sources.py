"""Where announcements come from: Home Assistant's discovery, zigbee2mqtt, Tasmota. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.home import discovery, tasmota, tasmota_sensors
from services.home.discovery import Announcement
from services.home.tasmota_sensors import TasmotaSensors
from services.home.zigbee2mqtt import MAX_TABLE_BYTES, Zigbee2mqtt


class Sources:
    """All dialects in which devices announce themselves."""

    def __init__(
        self, prefix: str = discovery.PREFIX, zigbee2mqtt: Sequence[str] = ("zigbee2mqtt",)
    ) -> None:
        """
        Args:
            prefix: of Home Assistant's discovery.
            zigbee2mqtt: base topics of the bridges.
        """
        self._prefix = prefix
        self._tasmota = TasmotaSensors()
        bridges = [Zigbee2mqtt(base) for base in zigbee2mqtt]
        self._bridges = {topic: bridge for bridge in bridges for topic in bridge.topics}

    @property
    def filters(self) -> tuple[str, ...]:
        """Topic filters that together carry every announcement."""
        return (*discovery.filters(self._prefix), *self._bridges, tasmota.FILTER,
                tasmota_sensors.FILTER)  # fmt: skip

    @property
    def large(self) -> Mapping[str, int]:
        """Topics whose messages may be large, and how many bytes are read."""
        return dict.fromkeys(self._bridges, MAX_TABLE_BYTES)

    def speaks_on(self, topic: str) -> bool:
        """Whether announcements come on this topic, and no states."""
        return (
            topic in self._bridges
            or discovery.is_config_topic(topic, self._prefix)
            or tasmota.is_config_topic(topic)
            or tasmota_sensors.is_sensors_topic(topic)
        )

    def read(self, topic: str, payload: bytes) -> tuple[Announcement, ...]:
        """What a message announces.

        Raises:
            DiscoveryError: malformed.
        """
        bridge = self._bridges.get(topic)
        if bridge is not None:
            return bridge.read(topic, payload)
        if tasmota.is_config_topic(topic):
            return tasmota.read(topic, payload), self._tasmota.configured(topic, payload)
        if tasmota_sensors.is_sensors_topic(topic):
            return (self._tasmota.sensed(topic, payload),)
        return (discovery.parse(topic, payload, self._prefix),)
