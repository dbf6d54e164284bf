"""Short keys of Home Assistant MQTT discovery, for the platforms we read.

Source: Home Assistant documentation, "MQTT discovery payload abbreviations". Keys that no
supported platform reads are left out: unknown keys are ignored anyway.
"""

from __future__ import annotations

from collections.abc import Mapping

ENTITY: Mapping[str, str] = {
    "avty": "availability",
    "avty_mode": "availability_mode",
    "avty_t": "availability_topic",
    "avty_tpl": "availability_template",
    "bri_cmd_t": "brightness_command_topic",
    "bri_scl": "brightness_scale",
    "bri_stat_t": "brightness_state_topic",
    "bri_val_tpl": "brightness_value_template",
    "clrm": "color_mode",
    "clrm_stat_t": "color_mode_state_topic",
    "cmd_t": "command_topic",
    "cmd_tpl": "command_template",
    "cmps": "components",
    "def_ent_id": "default_entity_id",
    "dev": "device",
    "dev_cla": "device_class",
    "e": "encoding",
    "exp_aft": "expire_after",
    "hs_cmd_t": "hs_command_topic",
    "hs_stat_t": "hs_state_topic",
    "hs_val_tpl": "hs_value_template",
    "o": "origin",
    "obj_id": "object_id",
    "on_cmd_type": "on_command_type",
    "opt": "optimistic",
    "p": "platform",
    "pl_avail": "payload_available",
    "pl_lock": "payload_lock",
    "pl_not_avail": "payload_not_available",
    "pl_off": "payload_off",
    "pl_on": "payload_on",
    "pl_unlk": "payload_unlock",
    "pos_clsd": "position_closed",
    "pos_open": "position_open",
    "pos_t": "position_topic",
    "pos_tpl": "position_template",
    "ret": "retain",
    "rgb_cmd_t": "rgb_command_topic",
    "rgb_stat_t": "rgb_state_topic",
    "rgb_val_tpl": "rgb_value_template",
    "stat_clsd": "state_closed",
    "stat_closing": "state_closing",
    "stat_jam": "state_jammed",
    "stat_locked": "state_locked",
    "stat_locking": "state_locking",
    "stat_off": "state_off",
    "stat_on": "state_on",
    "stat_open": "state_open",
    "stat_opening": "state_opening",
    "stat_stopped": "state_stopped",
    "stat_t": "state_topic",
    "stat_tpl": "state_template",
    "stat_unlocked": "state_unlocked",
    "stat_unlocking": "state_unlocking",
    "stat_val_tpl": "state_value_template",
    "sup_clrm": "supported_color_modes",
    "t": "topic",
    "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
    "xy_cmd_t": "xy_command_topic",
    "xy_stat_t": "xy_state_topic",
    "xy_val_tpl": "xy_value_template",
}

DEVICE: Mapping[str, str] = {
    "cns": "connections",
    "ids": "identifiers",
    "mdl": "model",
    "mf": "manufacturer",
    "sa": "suggested_area",
}


def expand(payload: Mapping[str, object]) -> dict[str, object]:
    """Long keys for short ones, one level deep, and in ``device`` and ``availability``.

    A long key wins over its short form when a payload holds both.
    """
    out = _expand(payload, ENTITY)
    device, availability = out.get("device"), out.get("availability")
    if isinstance(device, Mapping):
        out["device"] = _expand(device, DEVICE)
    if isinstance(availability, Mapping):
        availability = [availability]
    if isinstance(availability, list):
        out["availability"] = [
            _availability(one) if isinstance(one, Mapping) else one for one in availability
        ]
    return out


def _availability(payload: Mapping[str, object]) -> dict[str, object]:
    return _expand(payload, ENTITY)


def _expand(payload: Mapping[str, object], table: Mapping[str, str]) -> dict[str, object]:
    out = {table[key]: value for key, value in payload.items() if key in table}
    out.update({key: value for key, value in payload.items() if key not in table})
    return out


def resolve_base(payload: dict[str, object]) -> dict[str, object]:
    """Put the base topic ``~`` into every ``topic`` and ``*_topic`` that starts or ends with it."""
    base = payload.get("~")
    if not isinstance(base, str):
        return payload
    out = {key: _based(key, value, base) for key, value in payload.items() if key != "~"}
    listed = out.get("availability")
    if isinstance(listed, list):
        out["availability"] = [
            {k: _based(k, v, base) for k, v in one.items()} if isinstance(one, dict) else one
            for one in listed
        ]
    return out


def _based(key: str, value: object, base: str) -> object:
    if not isinstance(value, str) or not (key == "topic" or key.endswith("_topic")):
        return value
    if value.startswith("~"):
        return base + value[1:]
    return value[:-1] + base if value.endswith("~") else value
