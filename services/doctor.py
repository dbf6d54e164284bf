"""``linnet doctor``: is everything in place on this machine, and if not, what to do.

Each check is a function that returns one ``Finding`` and raises nothing it expects. A warning is
something Linnet works without; a failure is something ``linnet run`` needs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from services.exit_codes import ExitCode
from services.owner_map import with_owner_map
from services.settings import Settings, settings_path
from services.settings_file import SettingsError

Status = Literal["ok", "warn", "fail"]
MIN_FREE_MB = 500
BROKER_WAIT_S = 3.0
GPU_NODES = ("/dev/nvidia0", "/dev/nvhost-gpu", "/dev/nvgpu")


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    status: Status
    found: str
    remedy: str = ""
    """What to do about it; empty when all is well."""


def main(args: argparse.Namespace) -> int:
    """Print the findings; CHECK_FAILED when one of them is a failure."""
    findings = []
    for finding in examine(args.config):
        findings.append(finding)
        if not args.json:
            print(f"{finding.status:4}  {finding.name:12} {finding.found}")
            if finding.remedy:
                print(f"{'':19}→ {finding.remedy}")
    failed = any(finding.status == "fail" for finding in findings)
    if args.json:
        print(json.dumps({"ok": not failed, "checks": [asdict(f) for f in findings]}))
    return ExitCode.CHECK_FAILED if failed else ExitCode.OK


def examine(config: Path | None) -> Iterator[Finding]:
    """Every check in turn, slow ones last."""
    yield check_python()
    yield check_packages()
    finding, settings = check_settings(config)
    yield finding
    checks: tuple[Callable[[Settings], Finding], ...] = (
        check_disk, check_sound, check_accelerator, check_systemd, check_broker, check_bundle,
        check_language,
    )  # fmt: skip
    for check in checks:
        yield check(settings)


def check_python() -> Finding:
    found = f"{platform.python_version()} on {platform.machine()}"
    if sys.maxsize < 2**32:
        return Finding("python", "fail", f"{found}, 32 bits", "install a 64-bit system")
    return Finding("python", "ok", found)


def check_packages() -> Finding:
    """Every dependency of this distribution, optional ones as a warning."""
    from packaging.requirements import Requirement

    if not _installed("linnet"):
        remedy = "pip install -e '.[recogniser]', or make demo"
        return Finding("packages", "warn", "run from a source tree, not installed", remedy)
    missing: list[str] = []
    optional: list[str] = []
    for text in metadata.requires("linnet") or []:
        requirement = Requirement(text)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        recogniser = not wanted and requirement.name == "pocketsphinx"
        if (wanted or recogniser) and not _installed(requirement.name):
            (optional if recogniser else missing).append(requirement.name)
    if missing:
        return Finding("packages", "fail", f"missing: {', '.join(missing)}", "pip install linnet")
    if optional:
        remedy = "pip install 'linnet[recogniser]'; people are understood far better with it"
        return Finding("packages", "warn", f"without {', '.join(optional)}", remedy)
    return Finding("packages", "ok", f"linnet {metadata.version('linnet')} is complete")


def check_settings(config: Path | None) -> tuple[Finding, Settings]:
    """The settings, and the defaults to go on with when they cannot be read."""
    path = settings_path(config)
    try:
        settings = with_owner_map(Settings.load(path))
    except SettingsError as error:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        remedy = "linnet config check names every fault; the checks below use the defaults"
        return Finding("settings", "fail", f"{error.problems[0]}{more}", remedy), Settings()
    return Finding("settings", "ok", str(path or "no file: the defaults hold")), settings


def check_disk(settings: Settings) -> Finding:
    """Room for two generations where bundles are installed."""
    place = settings.model.generations
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free // 2**20
    if free < MIN_FREE_MB:
        return Finding("disk", "fail", f"{free} MB free at {place}", f"free {MIN_FREE_MB} MB")
    return Finding("disk", "ok", f"{free} MB free at {place}")


def check_sound(settings: Settings) -> Finding:
    """ALSA's sound cards, and the package that opens them."""
    try:
        text = Path("/proc/asound/cards").read_text("utf-8")
    except OSError:
        text = ""
    cards = [line.split("]:")[-1].strip() for line in text.splitlines() if "]:" in line]
    served = bool(os.environ.get("PULSE_SERVER"))
    if not cards and not served:
        remedy = "plug in a microphone and a speaker; `linnet demo` needs neither"
        return Finding("sound", "warn", "no sound card", remedy)
    found = "; ".join(cards) or "a sound server"
    if not _installed("pyaudio"):
        remedy = "apt install portaudio19-dev gcc python3-dev; pip install 'linnet[audio]'"
        return Finding("sound", "warn", f"{found}, but no pyaudio", remedy)
    if not os.access("/dev/snd", os.R_OK | os.X_OK) and not served:
        remedy = "sudo usermod -aG audio USER, then log in again"
        return Finding("sound", "fail", f"{found}, no access", remedy)
    return Finding("sound", "ok", found)


def check_accelerator(settings: Settings) -> Finding:
    """What the model can run on; the processor is enough for the built-in one."""
    nodes = [name for name in GPU_NODES if Path(name).exists()]
    if not nodes:
        return Finding("accelerator", "ok", f"none; {os.cpu_count()} processor cores")
    if not (_installed("tensorrt") and _installed("pycuda")):
        remedy = "tensorrt comes with JetPack; pip install 'linnet[jetson]'"
        return Finding("accelerator", "warn", f"{nodes[0]}, without TensorRT", remedy)
    return Finding("accelerator", "ok", f"{nodes[0]} with TensorRT {metadata.version('tensorrt')}")


def check_systemd(settings: Settings) -> Finding:
    """Is the appliance a service here?"""
    unit = Path("/etc/systemd/system/linnet-voice.service")
    units = (unit, Path("/usr/lib/systemd/system") / unit.name)
    if not Path("/run/systemd/system").exists():
        return Finding("systemd", "warn", "not running here", "start `linnet run` by other means")
    if not any(path.exists() for path in units):
        remedy = "sudo firmware_cfg/install makes Linnet start by itself"
        return Finding("systemd", "warn", f"no {unit.name}", remedy)
    return Finding("systemd", "ok", f"{unit.name} is installed; systemctl status {unit.stem}")


def check_broker(settings: Settings) -> Finding:
    """A whole MQTT handshake, log-in included."""
    from services.home.broker import BrokerError, BrokerLink
    from services.wiring import broker_address

    place = f"{settings.mqtt.host}:{settings.mqtt.port}"
    remedy = "is a broker running there? check the [mqtt] settings"
    try:
        link = BrokerLink(broker_address(settings.mqtt), lambda message: None, name="linnet-doctor")
        try:
            link.start()
            link.wait_connected(BROKER_WAIT_S)
        finally:
            link.stop()
    except (BrokerError, SettingsError, OSError) as error:
        return Finding("broker", "fail", str(error), remedy)
    return Finding("broker", "ok", place)


def check_bundle(settings: Settings) -> Finding:
    """Every hash of the bundle that would run."""
    from device.bundle import Bundle, BundleError
    from services.bundles import chosen_bundle
    from services.ota_agent.voice_link import safe_mode

    path = chosen_bundle(settings)
    try:
        bundle = Bundle.open(path)
    except BundleError as error:
        return Finding("bundle", "fail", f"{error.where}: {error.problem}", error.remedy)
    manifest = bundle.manifest
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    found = f"{manifest.family} {manifest.version}, verified, at {path}"
    if manifest.hardware.memory_mb > memory:
        need = f"needs {manifest.hardware.memory_mb} MB of memory, this machine has {memory}"
        return Finding("bundle", "fail", f"{found}; {need}", "choose a smaller bundle")
    if safe_mode(settings):
        remedy = "`linnet ota rollback`, or install another; the log says what does not load"
        return Finding("bundle", "warn", f"{found}; safe mode: it does not load", remedy)
    return Finding("bundle", "ok", found)


def check_language(settings: Settings) -> Finding:
    """Does the speech model speak as the home is typed to?"""
    from services.spoken_language import not_spoken

    unspoken = not_spoken(settings)
    if unspoken is None:
        return Finding("language", "ok", settings.home.language)
    remedy = "typed lines and MCP work; for speech set home.language to one the model knows"
    return Finding("language", "warn", unspoken, remedy)


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
