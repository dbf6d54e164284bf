"""Every setting of the appliance: one TOML file, one frozen tree, units in the field docs.

The docs below are also what ``linnet config show`` prints and what the default ``linnet.toml``
says above each key. An unknown key is an error: a misspelt privacy setting must not pass silently.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    field_validator,
    model_validator,
)

from services.mcp.addresses import refusal as remote_refusal

SYSTEM_FILE = Path("/etc/linnet/linnet.toml")
MAP_FILE = SYSTEM_FILE.with_name("home.json")
STATE_DIRECTORY = Path("/var/lib/linnet")

Unit = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=1, le=65535)]
PathText = Annotated[Path, Strict(False)]
Spoken = Annotated[str, StringConstraints(pattern=r"^[a-z' ]{1,64}$")]
T = TypeVar("T")
Listed = Annotated[tuple[T, ...], Strict(False)]
"""An array of TOML, which strict checking would refuse for not being a tuple."""
Topic = Annotated[str, StringConstraints(pattern=r"^[^+#\x00/]+(/[^+#\x00/]+)*$", max_length=128)]

WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://\S{1,500}$")]
RepositoryAddress = Annotated[str, StringConstraints(pattern=r"^(https?|file)://\S{1,500}$")]
DeviceClassName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
FleetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
LocalTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class _Table(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class Audio(_Table):
    """Microphone and speaker."""

    input: str | None = None
    """Microphone: part of its name as `linnet doctor` lists it. Unset: the system's default."""
    output: str | None = None
    """Speaker: part of its name. Unset: the system's default."""
    volume: Unit = 0.8
    """Loudness of replies, 0 to 1."""
    ring_volume: Unit = 0.4
    """Least loudness of timers and alarms, 0 to 1, however quiet the replies are."""
    echo_free: bool = False
    """Speech may stop a reply. Only for a microphone that does not hear the speaker: a headset."""


class Wake(_Table):
    """The wake word."""

    phrase: Literal["okay nabu", "hey jarvis", "hey mycroft", "alexa"] = "okay nabu"
    """What wakes the appliance: okay nabu, hey jarvis, hey mycroft or alexa."""
    sensitivity: Unit = 0.5
    """0 to 1: higher wakes more easily, and more often by mistake."""


class Endpoint(_Table):
    """When a command begins and ends."""

    silence_ms: Annotated[int, Field(ge=100, le=3000)] = 400
    """Silence after speech that ends a command, in milliseconds."""
    aggressiveness: Annotated[int, Field(ge=0, le=3)] = 2
    """How readily noise is taken for silence: 0 (seldom) to 3 (often)."""
    no_speech_s: Annotated[float, Field(ge=1, le=30)] = 5.0
    """Seconds to wait for a command after the wake word."""
    longest_s: Annotated[float, Field(ge=2, le=60)] = 15.0
    """Longest command, in seconds; what comes after is not heard."""


class Mqtt(_Table):
    """The broker of the home."""

    host: Annotated[str, StringConstraints(min_length=1, max_length=253)] = "127.0.0.1"
    """Host name or address."""
    port: Port = 1883
    """TCP port; 8883 is usual with TLS."""
    version: Literal["5", "3.1.1"] = "5"
    """Of MQTT: "5" or "3.1.1". Only with 5 the broker tells what it does not let through."""
    username: str | None = None
    """Name to log in with. Unset: no log-in."""
    password_file: PathText | None = None
    """File whose first line is the password; readable by the service alone."""
    tls: bool = False
    """Encrypt and check the broker's certificate."""
    ca_file: PathText | None = None
    """Certificate authority to trust, in PEM. Unset: the system's."""
    discovery_prefix: Topic = "homeassistant"
    """Topic under which devices announce themselves."""
    topic: Topic = "linnet"
    """Topic of this appliance: `<topic>/status` says online or offline."""
    ask_to_announce: bool = False
    """Ask devices to announce themselves on connecting. Off where Home Assistant does so."""
    confirm_timeout_ms: Annotated[int, Field(ge=100, le=10_000)] = 1000
    """Milliseconds a device has to confirm its new state before the reply says that it did not."""

    @model_validator(mode="after")
    def _complete(self) -> Mqtt:
        if self.password_file is not None and self.username is None:
            raise ValueError("password_file is set without username; set both or neither")
        if self.ca_file is not None and not self.tls:
            raise ValueError("ca_file is set but tls is false; set tls = true")
        return self


class Model(_Table):
    """The speech model."""

    family: Literal["linnet_mini", "glm_4_voice", "cascade"] = "linnet_mini"
    """linnet_mini: built in; glm_4_voice: installed or named; cascade: recogniser, synthesiser."""
    bundle: PathText | None = None
    """Bundle directory. Unset, as updates want it: the installed generation, else Linnet's own."""
    generations: PathText = STATE_DIRECTORY / "models"
    """Directory of installed bundles."""
    threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Processor threads the model may use."""
    backend: Literal["auto", "onnx", "tensorrt"] = "auto"
    """auto: TensorRT where it works and `linnet engine build` was run, else the processor."""
    plans: PathText = STATE_DIRECTORY / "plans"
    """Directory of what `linnet engine build` built for this machine's GPU."""


class Home(_Table):
    """The home and where in it this appliance stands."""

    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z]{2,4})?$")] = "en"
    """Language of what is typed: one that home-assistant-intents has, such as en, de or zh-CN."""
    here: Spoken | None = None
    """Room this appliance stands in, so that `turn on the light` means the one here."""
    areas: dict[str, Spoken] = Field(default_factory=dict)
    """Rooms of devices, over what they announce: "light.desk" = "office"."""
    floors: dict[Spoken, Spoken] = Field(default_factory=dict)
    """Floors of rooms: "office" = "first floor"."""
    aliases: dict[str, Listed[Spoken]] = Field(default_factory=dict)
    """Other names of devices: "light.desk" = ["reading light"]."""
    place_aliases: dict[Spoken, Listed[Spoken]] = Field(default_factory=dict)
    """Other names of rooms and floors: "living room" = ["lounge"]."""
    groups: dict[Spoken, Spoken] = Field(default_factory=dict)
    """Rooms of the members of zigbee2mqtt groups: "sofa lamps" = "living room"."""
    map_file: PathText = MAP_FILE
    """What `linnet devices assign` keeps of the same; the five tables above win over it."""

    @field_validator("language")
    @classmethod
    def _has_sentences(cls, language: str) -> str:
        from home_assistant_intents import get_languages

        if language not in get_languages():
            raise ValueError("home-assistant-intents has no sentences in this language")
        return language


class Presence(_Table):
    """The appliance as a device of Home Assistant."""

    announce: bool = True
    """Show volume, mute and state to whoever reads MQTT discovery, and obey what is set there."""
    name: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,64}$")] = "Linnet"
    """What the appliance is called there."""


class McpServer(_Table):
    """A server of tools."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    """What its tools' names begin with."""
    command: Listed[str] = ()
    """Program and arguments that speak the protocol on standard input and output."""
    url: Annotated[str, StringConstraints(max_length=512)] | None = None
    """Where it is served over HTTP, on this machine or in the house."""
    token_file: PathText | None = None
    """File of the bearer token that is shown to it."""
    tools: Listed[str] = ()
    """Those of its tools that may be called."""
    timeout_s: Annotated[float, Field(ge=0.1, le=60)] = 10.0
    """Seconds it has to answer."""

    @model_validator(mode="after")
    def _one_way(self) -> McpServer:
        if bool(self.command) == (self.url is not None):
            raise ValueError("needs either command or url")
        why = remote_refusal(self.url) if self.url is not None else None
        if why is not None:
            raise ValueError(f"url {why}")
        return self


class Mcp(_Table):
    """Tools over the Model Context Protocol: `linnet mcp`."""

    allow: Listed[Literal["unlock", "open"]] = ()
    """Risky commands that other programs may give: "unlock", "open". None unless listed."""
    token_file: PathText = STATE_DIRECTORY / "mcp" / "token"
    """Secret that callers over HTTP must show; made on first use, readable by its owner alone."""
    servers: Listed[McpServer] = ()
    """Other servers: name, command or url, tools that may be called, token_file, timeout_s."""


class Safety(_Table):
    """What must not happen by accident."""

    answer_s: Annotated[float, Field(ge=3, le=60)] = 10.0
    """Seconds in which a yes counts, from a question such as `should i unlock the front door`."""
    commands: Annotated[int, Field(ge=1, le=1000)] = 10
    """Commands that one device may get at once, and again in every `per_s`."""
    per_s: Annotated[float, Field(ge=1, le=600)] = 10.0
    """Seconds in which as many commands more are let through."""


class Ota(_Table):
    """Signed updates over the air: `linnet ota run` and its unit linnet-ota."""

    repository: RepositoryAddress | None = None
    """Where releases are published. Unset: no updates."""
    mirrors: Listed[WebAddress] = ()
    """Other places of the same content, tried when the first fails."""
    root: PathText = SYSTEM_FILE.with_name("ota-root.json")
    """The root of trust that this device was delivered with: a public file."""
    directory: PathText = STATE_DIRECTORY / "ota"
    """What the updater remembers and what it is fetching."""
    device_class: DeviceClassName = "pc-x86-64"
    """Devices that take the same releases."""
    device_id: FleetName | None = None
    """Name of this device in the fleet. Unset: made from the machine's id, telling nothing."""
    tenant: FleetName = "home"
    """Owner of the fleet, in its topics and at hawkBit."""
    source: Literal["waves", "hawkbit"] = "waves"
    """Who says when: the signed roll-out beside the releases, or a hawkBit server as well."""
    hawkbit: WebAddress | None = None
    """Address of the hawkBit server."""
    token_file: PathText | None = None
    """File of the token that hawkBit knows this device by; readable by the service alone."""
    token_kind: Literal["target", "gateway"] = "target"  # noqa: S105
    """Whose token that is: this device's own, or the one of a gateway that speaks for many."""
    hawkbit_ca_file: PathText | None = None
    """Certificate authority that hawkBit's server is held against, in PEM. Unset: the system's."""
    certificate_file: PathText | None = None
    """Certificate that is shown to hawkBit, in PEM, instead of a token or beside it."""
    key_file: PathText | None = None
    """Its private key, readable by the service alone. Unset: in the file of the certificate."""
    hawkbit_consent: Literal["ask", "always"] = "ask"
    """Who confirms what hawkBit wants confirmed. ask: the owner, by installing it; always: yes."""
    forced_passes_waves: bool = False
    """Let a forced action of hawkBit through waves that are closed."""
    poll_s: Annotated[float, Field(ge=1, le=7 * 86_400)] = 21_600.0
    """Seconds between two questions for something new; varied by a tenth."""
    quiet_begin: LocalTime = "02:00"
    """Local time from which an update may be installed."""
    quiet_end: LocalTime = "05:00"
    """Local time until which it may; the same as the begin: all day."""
    rate_kb_s: Annotated[int, Field(ge=0, le=10**7)] = 0
    """Most that a download may take, in kilobytes a second. 0: no limit."""
    budget_mb: Annotated[int, Field(ge=0, le=10**6)] = 0
    """Most megabytes that one assignment may cost, over restarts and tries. 0: no limit."""
    whole_files_after_delta: bool = True
    """Fetch the whole file where a difference failed. Off for a metered line: the update fails."""
    fleet_status: bool = False
    """Tell the broker of `[mqtt]` what runs and how updates go, for `linnet fleet status`."""
    voice_socket: PathText = Path("/run/linnet/voice.sock")
    """Where the voice daemon answers the updater."""
    socket: PathText = Path("/run/linnet-ota/agent.sock")
    """Where the updater answers `linnet ota`."""

    @model_validator(mode="after")
    def _has_its_server(self) -> Ota:
        if self.source == "hawkbit" and self.hawkbit is None:
            raise ValueError("source is hawkbit without its address; set hawkbit")
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("key_file is the key of no certificate; set certificate_file")
        return self


class Privacy(_Table):
    """What may leave the memory of the process. Nothing, unless switched on here."""

    log_transcripts: bool = False
    """Write what was understood into the log."""


class Log(_Table):
    """The log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least grave message kept: debug, info, warning or error."""
    format: Literal["text", "json"] = "text"
    """text for people, json for collectors."""


class Settings(_Table):
    """The whole tree; every table may be left out."""

    audio: Audio = Audio()
    wake: Wake = Wake()
    endpoint: Endpoint = Endpoint()
    mqtt: Mqtt = Mqtt()
    model: Model = Model()
    home: Home = Home()
    presence: Presence = Presence()
    mcp: Mcp = Mcp()
    safety: Safety = Safety()
    ota: Ota = Ota()
    privacy: Privacy = Privacy()
    log: Log = Log()

    @classmethod
    def load(cls, path: Path | str | None = None) -> Settings:
        """Read the file, or the first of ``$LINNET_CONFIG`` and the system's; else the defaults.

        Raises:
            SettingsError: the file is missing, too large, not TOML, or holds an unknown key or a
                value that does not fit; names every one with its line.
        """
        from services.settings_file import read  # it knows this module's tree

        chosen = settings_path(path)
        return cls() if chosen is None else read(chosen)


def with_family(settings: Settings, family: str | None) -> Settings:
    """The settings with another speech model; as they are where ``family`` is None."""
    if family is None:
        return settings
    model = Model.model_validate({**settings.model.model_dump(), "family": family})
    return settings.model_copy(update={"model": model})


def settings_path(path: Path | str | None = None) -> Path | None:
    """The file that ``Settings.load`` reads; None when there is none and the defaults hold."""
    named = path or os.environ.get("LINNET_CONFIG")
    if named:
        return Path(named)
    return SYSTEM_FILE if SYSTEM_FILE.exists() else None
