"""The one merged home that sentences are judged in, announced as real devices announce themselves.

Ten rooms on three floors and every platform of MQTT discovery, with names as people give them:
some hold their room's name, some bear the name of their kind, some are used twice. English and
Chinese names stand side by side; a home is announced in one of the two languages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from services.home import discovery
from services.home.entities import Entity, Registry
from services.home.home_map import HomeMap
from services.language.homeview import HomeView

Language = Literal["en", "zh-CN"]
HERE = "living room"
"""Where the appliance stands, by its English name."""

_ROOMS = """
living room   客厅   ground floor
kitchen       厨房   ground floor
dining room   餐厅   ground floor
hallway       走廊   ground floor
garage        车库   ground floor
garden        花园   ground floor
bedroom       卧室   first floor
bathroom      浴室   first floor
office        书房   first floor
attic         阁楼   top floor
"""
_FLOORS = {"ground floor": "一楼", "first floor": "二楼", "top floor": "三楼"}

# platform, English name, Chinese name, room; then device class or abilities. "away" never comes
# online, "hidden" is a setting of a device: not offered to the voice.
_DEVICES = """
light          standing light         落地灯       living room   colour
light          ceiling light          顶灯         living room   colour
light          fairy lights           彩灯         living room   colour
light          kitchen lights         厨房灯       kitchen       colour
light          counter lamp           橱柜灯       kitchen       dim
light          pendant                餐桌吊灯     dining room   colour
light          hallway light          玄关灯       hallway       switch
light          garage light           车库灯       garage        switch
light          porch light            门廊灯       garden        dim
light          bed light              夜灯         bedroom       colour
light          ceiling light          顶灯         bedroom       colour
light          mirror light           镜前灯       bathroom      dim
light          desk lamp              阅读灯       office        colour
light          attic lamp             阁楼灯       attic         dim
light          reading light          看书灯       bedroom       dim
light          reading light          看书灯       office        dim
light          greenhouse lamp        温室灯       garden        away
switch         television             电视         living room
switch         coffee maker           咖啡机       kitchen
switch         dishwasher             洗碗机       kitchen
switch         heater                 电暖器       garage
switch         sprinkler              洒水器       garden
switch         washing machine        洗衣机       bathroom
switch         printer                打印机       office
fan            tower fan              塔扇         living room
fan            extractor              抽风机       kitchen
fan            bedroom fan            卧室吊扇     bedroom
fan            desk fan               桌面风扇     office
cover          left curtain           左侧窗帘     living room   curtain
cover          right curtain          右侧窗帘     living room   curtain
cover          kitchen blind          厨房百叶帘   kitchen       blind
cover          garage door            车库大门     garage        garage
cover          garden gate            花园门       garden        gate
cover          awning                 露台雨棚     garden        awning
cover          roller shutter         卧室卷帘     bedroom       shutter
cover          shade                  书房遮阳帘   office        shade
cover          roof window            天窗         attic         window
lock           front door             前门         hallway
lock           back door              后门         kitchen
lock           shed                   工具房       garden
climate        thermostat             恒温器       living room
climate        bedroom heating        卧室空调     bedroom
climate        office heating         书房空调     office
water_heater   boiler                 热水器       bathroom
humidifier     humidifier             加湿器       bedroom
valve          water valve            水阀         bathroom      water
valve          garden tap             花园水阀     garden        water
siren          siren                  警报器       hallway
scene          movie night            电影模式     living room
scene          good morning           早安模式     bedroom
button         doorbell chime         门铃按钮     hallway
number         fish tank level        鱼缸水位     living room
select         washing program        洗衣程序     bathroom
select         power on behaviour     上电行为     office        hidden
number         transition time        渐变时间     kitchen       hidden
button         identify               识别按钮     hallway       hidden
text           door sign              门牌         hallway
vacuum         robby                  扫地机       living room
vacuum         dusty                  吸尘器       attic
alarm_control_panel  home alarm       安防系统     hallway
sensor         outdoor temperature    室外温度     garden        temperature
sensor         kitchen humidity       厨房湿度     kitchen       humidity
sensor         attic temperature      阁楼温度     attic         temperature
sensor         power meter            电表         garage        energy
binary_sensor  kitchen window         厨房窗       kitchen       window
binary_sensor  bathroom window        浴室窗       bathroom      window
binary_sensor  cellar door            地下室门     garage        door
binary_sensor  hallway motion         走廊人体传感器  hallway    motion
"""
_ALIASES = {
    "light.bed_light": ("night light", "床边灯"),
    "switch.television": ("telly", "电视机"),
    "cover.roof_window": ("skylight", "屋顶窗户"),
}


@dataclass(frozen=True)
class Home:
    """The home as it is, and as a model may see it."""

    language: Language
    entities: tuple[Entity, ...]
    view: HomeView

    @cached_property
    def offered(self) -> tuple[Entity, ...]:
        """Those that the view shows."""
        shown = {e.entity_id for e in self.view.entities}
        return tuple(e for e in self.entities if e.entity_id in shown)

    @property
    def here(self) -> str:
        assert self.view.here is not None  # noqa: S101 - for the type checker
        return self.view.here


def merged_home(language: Language) -> Home:
    """All that discovery makes of the announcements; platforms it does not know are absent."""
    registry = Registry(_home_map(language))
    for topic, payload in announcements(language):
        registry.apply(discovery.parse(topic, payload))
    return Home(language, registry.snapshot(), registry.view(_room(HERE, language)))


def announcements(language: Language) -> Iterator[tuple[str, bytes]]:
    """(topic, payload) of each device's discovery message."""
    for platform, english, chinese, room, *more in _table(_DEVICES):
        slug = f"{room} {english}".replace(" ", "_")
        name = chinese if language == "zh-CN" else english
        body: dict[str, object] = {
            "name": None,
            "object_id": english.replace(" ", "_"),
            "~": f"home/{slug}",
            "device": {"name": name, "suggested_area": _room(room, language)},
            **_abilities(platform, more[0] if more else ""),
        }
        yield f"homeassistant/{platform}/{slug}/config", json.dumps(body).encode()


def _abilities(platform: str, extra: str) -> Mapping[str, object]:
    state = {"state_topic": "~/state"}
    moved = {"command_topic": "~/set"}
    if platform == "light":
        modes = {"colour": ["color_temp", "rgb"], "switch": ["onoff"]}
        away = {"availability_topic": "~/available"} if extra == "away" else {}
        return {**state, **moved, "schema": "json", **away,
                "supported_color_modes": modes.get(extra, ["brightness"])}  # fmt: skip
    if platform in ("cover", "valve"):
        position = {"set_position_topic": "~/position/set", "position_topic": "~/position"}
        if platform == "valve":
            return {**moved, **state, "reports_position": True, "device_class": extra}
        return {**state, **moved, **position, "device_class": extra}
    if platform in ("sensor", "binary_sensor"):
        return {**state, "device_class": extra}
    hidden = {"entity_category": "config"} if extra == "hidden" else {}
    plain = {} if platform == "climate" else {**state, **moved}
    return {**hidden, **_MORE.get(platform, {}), **plain}


_MORE: Mapping[str, Mapping[str, object]] = {
    "fan": {"percentage_command_topic": "~/speed/set", "percentage_state_topic": "~/speed"},
    "climate": {
        "mode_command_topic": "~/mode/set", "mode_state_topic": "~/mode",
        "modes": ["off", "auto", "heat", "cool", "heat_cool", "dry", "fan_only"],
        "temperature_command_topic": "~/goal/set", "temperature_state_topic": "~/goal",
        "current_temperature_topic": "~/now", "temp_step": 0.5, "min_temp": 5, "max_temp": 35,
        "fan_mode_command_topic": "~/fan/set", "fan_mode_state_topic": "~/fan",
        "fan_modes": ["auto", "on", "off", "low", "medium", "high", "top", "middle", "focus",
                      "diffuse"],
    },
    "water_heater": {
        "mode_command_topic": "~/mode/set", "mode_state_topic": "~/mode",
        "temperature_command_topic": "~/goal/set", "temperature_state_topic": "~/goal",
        "power_command_topic": "~/power/set", "min_temp": 30, "max_temp": 80,
    },
    "humidifier": {
        "target_humidity_command_topic": "~/goal/set", "target_humidity_state_topic": "~/goal",
        "mode_command_topic": "~/mode/set", "mode_state_topic": "~/mode",
        "modes": ["normal", "eco", "sleep"],
    },
    "number": {"min": 0, "max": 100},
    "select": {"options": ["cotton", "wool", "quick"]},
    "scene": {"payload_on": "ON"},
    "vacuum": {"supported_features": ["start", "stop", "return_home", "status"]},
    "alarm_control_panel": {"code_arm_required": False},
}  # fmt: skip


def _home_map(language: Language) -> HomeMap:
    chinese = language == "zh-CN"
    floors = {_room(room, language): _FLOORS[floor] if chinese else floor
              for room, _, floor in _table(_ROOMS)}  # fmt: skip
    aliases = {entity: (names[chinese],) for entity, names in _ALIASES.items()}
    return HomeMap(floors=floors, aliases=aliases)


def _room(english: str, language: Language) -> str:
    rooms = {name: chinese for name, chinese, _ in _table(_ROOMS)}
    return rooms[english] if language == "zh-CN" else english


def _table(text: str) -> list[list[str]]:
    return [re.split(r" {2,}", line.strip()) for line in text.strip().splitlines()]
