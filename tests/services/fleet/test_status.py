"""``linnet fleet status`` and ``guard`` against a real broker and a real repository."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ota.errors import Reason
from ota.phases import Phase
from ota.repository.publisher import Publisher
from ota.repository.rollouts import current_rollout
from ota.rollout.guard import Limits, Open, Tally
from ota.rollout.rollout import Rollout
from ota.rollout.waves import bucket
from ota.trust.clock import utc_now
from services.cli import main
from services.exit_codes import ExitCode
from services.fleet.guarding import AtBroker, guard_round
from services.fleet.status_lines import lines
from services.fleet.watch import Watch
from services.home.broker import BrokerAddress, BrokerUnreachable
from tests.support.mosquitto import PROGRAM, Mosquitto, mosquitto
from tests.support.terminal import ROOT
from tests.support.tiny_bundle import write_bundle
from tests.support.virtual_fleet import VirtualFleet, virtual_fleet

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="mosquitto is not installed")
HOURS = 3600.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.fixture
def fleet(broker: Mosquitto) -> Iterator[VirtualFleet]:
    with virtual_fleet(broker.address) as running:
        yield running


def said(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    main(["fleet", *words, "--json"])
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_a_snapshot_counts_two_thousand_devices_from_what_the_broker_keeps(
    broker: Mosquitto, fleet: VirtualFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(2000):
        if number < 1900:
            fleet.say(f"spk-{number}", Phase.IDLE)
        elif number < 1950:
            fleet.say(f"spk-{number}", Phase.COMMITTED, release="2.0", wanted="2.0")
        elif number < 1990:
            fleet.say(f"spk-{number}", Phase.DOWNLOADING, wanted="2.0")
        elif number < 1994:
            fleet.say(f"spk-{number}", Phase.ROLLED_BACK, wanted="2.0", reason=Reason.GATE_LATENCY)
        else:
            fleet.say(f"spk-{number}", Phase.TRIAL, wanted="2.0", online=False, ago_s=7 * HOURS)
    fleet.flush()
    told = said(capsys, "status", "--broker", f"127.0.0.1:{broker.address.port}")
    assert (told["devices"], told["online"], told["release"]) == (2000, 1994, "2.0")
    assert told["tally"] == {
        "begun": 100, "succeeded": 50, "failed": 4, "silent": 6, "cancelled": 0,
    }  # fmt: skip
    assert told["running"] == {"1.0": 1950, "2.0": 50}
    assert told["reasons"] == {"gate_latency": 4}


def test_a_live_view_follows_devices_as_they_go(broker: Mosquitto, fleet: VirtualFleet) -> None:
    fleet.say("spk-1", Phase.TRIAL, wanted="2.0")
    fleet.flush()
    with Watch(broker.address, "home").watching() as watch:
        assert watch.tally("2.0") == Tally(begun=1)
        fleet.say("spk-1", Phase.COMMITTED, release="2.0", wanted="2.0")
        fleet.say("spk-2", Phase.FAILED, wanted="2.0", reason=Reason.NO_ROOM)
        fleet.flush()
        until = time.monotonic() + 20
        while watch.tally("2.0").executed < 2 and time.monotonic() < until:
            time.sleep(0.02)
        assert watch.tally("2.0") == Tally(2, succeeded=1, failed=1)
        assert watch.snapshot().reasons == {"no_room": 1}


def test_devices_beyond_the_limit_are_heard_of_but_not_counted(
    broker: Mosquitto, fleet: VirtualFleet
) -> None:
    for number in range(3):
        fleet.say(f"spk-{number}", Phase.TRIAL, wanted="2.0")
    fleet.flush()
    with Watch(broker.address, "home", limit=2).watching() as watch:
        assert watch.tally("2.0") == Tally(begun=2)
        assert AtBroker(watch).uncounted == 3
        assert "3 messages of more devices than are kept" in "\n".join(lines(watch.snapshot()))


def test_the_picture_says_when_it_has_to_stop(broker: Mosquitto, fleet: VirtualFleet) -> None:
    for number in range(100):
        bad = number < 20
        fleet.say(
            f"spk-{number}",
            Phase.TRIAL if bad else Phase.COMMITTED,
            release="2.0",
            wanted="2.0",
            online=not bad,
            ago_s=7 * HOURS if bad else 0,
        )
    fleet.flush()
    with Watch(broker.address, "home").watching() as watch:
        picture = "\n".join(lines(watch.snapshot()))
    assert "STOP IT: 20 of 100 fell silent" in picture
    assert picture.count("?") >= 3
    assert all(len(line) <= 100 for line in picture.splitlines())


def test_in_a_terminal_it_is_drawn_again_and_again(broker: Mosquitto, fleet: VirtualFleet) -> None:
    fleet.say("spk-1", Phase.TRIAL, wanted="2.0")
    fleet.flush()
    ours, theirs = pty.openpty()
    place = f"127.0.0.1:{broker.address.port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "fleet", "status", "--broker", place],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
        env={**os.environ, "LINNET_CONFIG": ""},
    )  # fmt: skip
    try:
        read_until(ours, b"trial 1")
        fleet.say("spk-1", Phase.COMMITTED, release="2.0", wanted="2.0")
        fleet.flush()
        read_until(ours, b"committed 1")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == ExitCode.INTERRUPTED
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def read_until(terminal: int, words: bytes) -> None:
    seen = b""
    while words not in seen:
        ready, _, _ = select.select([terminal], [], [], 30)
        assert ready, seen[-2000:]
        seen += os.read(terminal, 65536)


def test_another_tenants_fleet_is_not_seen(
    broker: Mosquitto, fleet: VirtualFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.say("spk-1", Phase.IDLE)
    fleet.flush()
    place = f"127.0.0.1:{broker.address.port}"
    assert said(capsys, "status", "--broker", place, "--tenant", "acme")["devices"] == 0


@pytest.mark.parametrize(
    "words", [["--broker", ":1883"], ["--tenant", "a/#"], ["--repository", "fleet"]]
)
def test_what_cannot_be_watched_is_said_in_a_line(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fleet", "status", "--json", *words]) == ExitCode.USAGE
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_broker_that_is_not_there_is_an_error() -> None:
    with (
        pytest.raises(BrokerUnreachable),
        Watch(BrokerAddress(port=1), "home").watching(connect_s=0.3),
    ):
        pass


# --- the guard ---------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """One class, one release, its first wave open."""
    where = ["--repository", str(tmp_path / "fleet")]
    bundle = write_bundle(tmp_path / "bundle")
    of = ["--class", "pc-x86-64", "--release", "2.0"]
    for words in (
        ["init", "--class", "pc-x86-64", *where],
        ["publish", str(bundle), "--unproved", *of, *where],
        ["rollout", "--gated", *of, *where],
    ):
        assert main(["fleet", *words]) == ExitCode.OK, capsys.readouterr().err
    capsys.readouterr()
    return tmp_path / "fleet"


def published(repository: Path) -> Rollout:
    """What devices would be told now."""
    with Publisher(repository, now=utc_now()).working() as publisher:
        found = current_rollout(publisher, "pc-x86-64")
    assert found is not None
    return found


def guarded(repository: Path, broker: Mosquitto, *words: str) -> list[str]:
    place = f"127.0.0.1:{broker.address.port}"
    return [
        "fleet", "guard", "--once", "--class", "pc-x86-64", "--broker", place,
        "--repository", str(repository), "--json", *words,
    ]  # fmt: skip


def test_the_guard_pauses_a_release_that_silences_devices(
    repository: Path, broker: Mosquitto, fleet: VirtualFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(60):
        bad = number < 5
        phase = Phase.TRIAL if bad else Phase.COMMITTED
        fleet.say(
            f"spk-{number}", phase, release="2.0", wanted="2.0", online=not bad,
            ago_s=7 * HOURS if bad else 0,
        )  # fmt: skip
    fleet.flush()
    assert main(guarded(repository, broker, "--dry-run")) == ExitCode.CHECK_FAILED
    assert not published(repository).paused
    assert main(guarded(repository, broker)) == ExitCode.CHECK_FAILED
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["decision"], told["why"]) == ("pause", "5 of 60 fell silent")
    assert published(repository).paused
    assert main(guarded(repository, broker)) == ExitCode.OK  # it is paused already


def test_status_draws_the_waves_that_were_signed(
    repository: Path, broker: Mosquitto, fleet: VirtualFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.say("spk-1", Phase.IDLE, release="3.0")
    fleet.flush()
    words = ["--broker", f"127.0.0.1:{broker.address.port}", "--repository", str(repository)]
    with Publisher(repository, now=utc_now()).working():  # it does not disturb who publishes
        main(["fleet", "status", "--once", "--class", "pc-x86-64", *words])
    picture = capsys.readouterr().out
    assert "release 2.0: 0 began" in picture  # not the newest that is seen
    assert "wave 1 to   0.0 %" in picture
    assert "wave 2" not in picture
    assert "  no wave yet  " in picture
    assert main(["fleet", "status", "--once", "--class", "pc", *words]) == ExitCode.UPDATE
    assert "nothing is being rolled out to 'pc'" in capsys.readouterr().err


def test_the_guard_of_a_class_is_not_moved_by_another_classes_failures(
    repository: Path, broker: Mosquitto, fleet: VirtualFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(60):
        other = number < 20
        fleet.say(
            f"spk-{number}", Phase.ROLLED_BACK if other else Phase.COMMITTED, wanted="2.0",
            reason=Reason.GATE_CALL if other else None,
            device_class="orin-nano-jp6" if other else "pc-x86-64",
        )  # fmt: skip
    fleet.flush()
    assert main(guarded(repository, broker)) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["succeeded"] == 40
    place = f"127.0.0.1:{broker.address.port}"
    told = said(capsys, "status", "--broker", place, "--class", "orin-nano-jp6")
    assert (told["devices"], told["reasons"]) == (20, {"gate_call": 20})
    main(["fleet", "status", "--once", "--broker", place])
    assert "all classes together: see each with --class" in capsys.readouterr().out


def test_the_guard_watches_the_first_wave_before_it_opens_another(
    repository: Path, broker: Mosquitto, fleet: VirtualFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    first = next(f"spk-{n}" for n in range(99_999) if bucket(f"spk-{n}", "2.0") < 1)
    fleet.say(first, Phase.COMMITTED, release="2.0", wanted="2.0")
    fleet.flush()
    before = published(repository)
    assert main(guarded(repository, broker)) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["decision"] == "wait"
    assert published(repository) == before
    assert [wave.until_bucket for wave in before.waves] == [1]


def test_a_guard_that_hears_nobody_says_so(
    repository: Path, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(guarded(repository, broker, "--tenant", "acme")) == ExitCode.BROKER
    assert "no pc-x86-64 device of tenant 'acme' is heard" in capsys.readouterr().err


def test_a_guard_that_hears_only_other_classes_opens_nothing(
    repository: Path, broker: Mosquitto, fleet: VirtualFleet
) -> None:
    fleet.say("spk-1", Phase.COMMITTED, release="2.0", device_class="orin-nano-jp6")
    fleet.flush()
    tomorrow = utc_now() + timedelta(hours=30)
    with (
        Watch(broker.address, "home").watching() as watch,
        Publisher(repository, now=tomorrow).working() as publisher,
        pytest.raises(BrokerUnreachable),
    ):
        guard_round(publisher, "pc-x86-64", AtBroker(watch), Limits())
    assert len(published(repository).waves) == 1


def test_the_fleet_of_the_settings_is_watched_unless_another_is_named(
    broker: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "linnet.toml"
    config.write_text('[ota]\ntenant = "DEFAULT"\n', "utf-8")
    with virtual_fleet(broker.address, "DEFAULT") as fleet:
        fleet.say("spk-1", Phase.IDLE)
        fleet.flush()
    words = ["--broker", f"127.0.0.1:{broker.address.port}", "--config", str(config)]
    assert said(capsys, "status", *words)["devices"] == 1
    assert said(capsys, "status", *words, "--tenant", "home")["devices"] == 0


def test_a_guard_that_lost_its_broker_decides_nothing(
    repository: Path, broker: Mosquitto, fleet: VirtualFleet
) -> None:
    fleet.say("spk-1", Phase.COMMITTED, release="2.0", wanted="2.0")
    fleet.flush()
    tomorrow = utc_now() + timedelta(hours=30)
    with (
        Watch(broker.address, "home").watching() as watch,
        Publisher(repository, now=tomorrow).working() as publisher,
    ):
        plane = AtBroker(watch)
        done = guard_round(publisher, "pc-x86-64", plane, Limits(), dry_run=True)
        assert done.decision == Open(20)
        broker.kill()
        until = time.monotonic() + 20
        while watch.connected and time.monotonic() < until:
            time.sleep(0.01)
        with pytest.raises(BrokerUnreachable):
            guard_round(publisher, "pc-x86-64", plane, Limits())
    assert len(published(repository).waves) == 1


def test_the_guard_publishes_the_wave_that_it_opens(
    repository: Path, broker: Mosquitto, fleet: VirtualFleet
) -> None:
    fleet.say("spk-1", Phase.COMMITTED, release="2.0", wanted="2.0")
    fleet.flush()
    tomorrow = utc_now() + timedelta(hours=30)
    with (
        Watch(broker.address, "home").watching() as watch,
        Publisher(repository, now=tomorrow).working() as publisher,
    ):
        guard_round(publisher, "pc-x86-64", AtBroker(watch), Limits())
    after = published(repository)
    assert [wave.until_bucket for wave in after.waves] == [1, 20]
    assert after.waves[1].start == tomorrow.replace(microsecond=0)
