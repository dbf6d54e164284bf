"""``linnet fleet`` as a person types it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ota.errors import OtaError
from ota.layout import Addresses
from ota.trust.client import Trust
from services.cli import main
from services.commands.fleet import ACTIONS
from services.exit_codes import ExitCode
from tests.support.published import BASE, FilesFetcher
from tests.support.tiny_bundle import write_bundle

Run = Callable[..., dict[str, Any]]
PROVED = "--utterance voice.bin --call x"


@pytest.fixture
def fleet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs one action in an empty directory; its JSON, or the line it failed with."""
    monkeypatch.chdir(tmp_path)

    def run(words: str) -> dict[str, Any]:
        status = main(["fleet", *shlex.split(words), "--json"])
        out, err = capsys.readouterr()
        if status != ExitCode.OK:
            assert err.count("\n") == 1
            return {"status": status, "said": err}
        answer: dict[str, Any] = json.loads(out)
        return answer

    return run


def device(directory: Path) -> Trust:
    public = directory / "public"
    return Trust(
        directory / "device",
        (public / "metadata" / "1.root.json").read_bytes(),
        Addresses.under(BASE),
        fetcher=FilesFetcher(public),
    )


def test_one_person_publishes_rolls_out_and_changes_a_key(fleet: Run, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle")
    assert fleet("init --class pc")["waiting"] == []
    told = fleet(
        "publish bundle --class pc --release 1.0 --board nano --board nx --sm 87 --l4t 36.4 36.5 "
        "--memory-mb 6000 --minimum-app 0.2 --utterance voice.bin --call 'HassTurnOn {}' "
        "--slower 1.5 --max-wer 0.5 --gate-seconds 60 --soak-turns 5 --soak-seconds 10 "
        "--notes 'Hears better'"
    )
    assert (told["target"], told["counter"]) == ("models/pc/1.0/release.json", 1)
    fleet("rollout --class pc --release 1.0 --wave 10:0 --wave 100:24 --start 2026-03-01T08:00Z")
    trust = device(tmp_path)
    trust.refresh()
    rollout = trust.rollout("pc")
    assert rollout is not None
    assert [(wave.until_bucket, wave.start.isoformat()) for wave in rollout.waves] == [
        (205, "2026-03-01T08:00:00+00:00"),
        (2048, "2026-03-02T08:00:00+00:00"),
    ]
    release = trust.release(rollout.target)
    assert (release.compat.boards, release.compat.sm, release.compat.l4t) == (
        ("nano", "nx"), (87,), ("36.4", "36.5"),
    )  # fmt: skip
    gate = release.gate
    assert (gate.utterance, gate.call, gate.slower, gate.max_wer, gate.seconds) == (
        "voice.bin", "HassTurnOn {}", 1.5, 0.5, 60,
    )  # fmt: skip
    assert (gate.soak_turns, gate.soak_seconds, release.notes) == (5, 10, "Hears better")
    for action, paused in (("pause", True), ("resume", False)):
        assert fleet(f"{action} --class pc")["paused"] is paused
        trust.refresh()
        rollout = trust.rollout("pc")
        assert rollout is not None
        assert rollout.paused is paused
    fleet("key online2")
    assert "2.root" in fleet("revoke online --replace keys/online2.pub")["published"]
    os.remove("keys/online.pem")
    assert set(fleet("refresh")["expires"]) == {
        "root", "targets", "snapshot", "timestamp", "rollout", "pc",
    }  # fmt: skip
    trust.refresh()
    assert trust.release("models/pc/1.0/release.json") == release


def test_three_people_sign_with_protected_keys(
    fleet: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINNET_KEY_PASSPHRASE", "open sesame")
    for name in ("ann", "bob", "cem"):
        fleet(f"key {name} --directory {name} --encrypted")
    fleet("key online")
    told = fleet(
        "init --root ann/ann.pub --root bob/bob.pub --root cem/cem.pub --root-threshold 2 "
        "--targets ann/ann.pub --targets bob/bob.pub --targets-threshold 2 "
        "--release bob/bob.pub --release cem/cem.pub --online keys/online.pub --class pc"
    )
    assert told["published"] == []
    rows = {row["role"]: row for row in told["waiting"]}
    assert (rows["root"]["signed"], rows["root"]["threshold"]) == (0, 2)
    assert sorted(rows["pc"]["keys"]) == ["bob", "cem"]
    assert fleet("sign --key ann/ann.pub")["published"] == []
    last = fleet("sign --key bob/bob.pub")
    assert [row["role"] for row in last["waiting"]] == ["pc"]
    assert "1.root" in last["published"]
    assert fleet("sign --key cem/cem.pub")["waiting"] == []
    write_bundle(tmp_path / "bundle")
    trust = device(tmp_path)
    fleet("publish bundle --class pc --release 1.0 --unproved --key cem/cem.pub")
    trust.refresh()
    with pytest.raises(OtaError):
        trust.release("models/pc/1.0/release.json")
    fleet("sign --key bob/bob.pub")
    trust.refresh()
    assert trust.release("models/pc/1.0/release.json").counter == 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("sign", ExitCode.UPDATE, "no repository here; run linnet fleet init"),
        ("publish nowhere --class pc --release 1.0", ExitCode.BUNDLE, "nowhere"),
        ("key ../ann", ExitCode.UPDATE, "cannot be a key's name"),
        ("key ann --uri hsm:", ExitCode.USAGE, "--uri and --public together"),
        ("init --class Nano", ExitCode.UPDATE, "cannot be a class"),
        ("init --class rollout", ExitCode.UPDATE, "TUF has a role of that name"),
        ("init --root x.pub", ExitCode.USAGE, "needs --targets, too"),
        ("sign --key x.pub", ExitCode.UPDATE, "x.pub: No such file"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(words: str, status: ExitCode, said: str, fleet: Run) -> None:
    told = fleet(words)
    assert told["status"] == status
    assert said in told["said"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("init", "there is a repository already"),
        ("rollout --class pc --release 9.9", "no published release 9.9"),
        ("rollout --class pc --release 1.0 --wave 5", "PERCENT:HOURS"),
        ("rollout --class pc --release 1.0 --start tomorrow", "2026-03-01T08:00Z"),
        ("pause --class pc", "nothing is being rolled out"),
        ("publish bundle --class pc --release 1.0 --sm 7", "sm.0"),
        ("publish bundle --class pc --release 1.0 --utterance no.wav --call x", "gate.utterance"),
        ("publish bundle --class pc --release 1.0", "--unproved"),
        ("publish bundle --class pc --release 1.0 --utterance voice.bin", "--call"),
        (f"publish bundle --class pc --release 1.0 {PROVED} --soak-turns 0", "--unproved"),
        (f"publish bundle --class pc --release 1.0 {PROVED} --soak-seconds 0", "--unproved"),
        (f"publish bundle --class pc --release 1.0 {PROVED} --gate-seconds 801", "more than 800"),
        (f"publish bundle --class pc --release 1.0 {PROVED} --max-wer 1.5", "max_wer"),
        ("publish bundle --class nano --release 1.0", "there are: pc"),
        ("revoke ann", "no key 'ann'"),
        ("revoke release", "--replace"),
        ("refresh --renew pcc", "no published role"),
        ("discard pc", "'pc' is not staged; staged: nothing"),
    ],
)
def test_a_mistake_in_a_repository_changes_nothing(
    words: str, said: str, fleet: Run, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "bundle")
    fleet("init --class pc")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "public").rglob("*")}
    assert said in fleet(words)["said"]
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "public").rglob("*")}
    assert after == before
    assert list((tmp_path / "staged").iterdir()) == []


def test_a_timer_notices_that_its_key_is_gone(
    fleet: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet("init --class pc")
    os.remove("keys/online.pem")
    assert main(["fleet", "refresh", "--json"]) == ExitCode.UPDATE
    waiting = json.loads(capsys.readouterr().out)["waiting"]
    assert [(row["role"], row["keys"]) for row in waiting] == [
        ("snapshot", ["online"]), ("timestamp", ["online"]),
    ]  # fmt: skip


def test_one_person_may_keep_the_strong_keys_on_a_stick(fleet: Run, tmp_path: Path) -> None:
    fleet("init --class pc")
    stick = tmp_path / "stick"
    stick.mkdir()
    for name in ("root", "targets"):
        (tmp_path / "keys" / f"{name}.pem").rename(stick / f"{name}.pem")
        (stick / f"{name}.pub").write_bytes((tmp_path / "keys" / f"{name}.pub").read_bytes())
    write_bundle(tmp_path / "bundle")
    assert fleet("publish bundle --class pc --release 1.0 --unproved")["waiting"] == []
    assert fleet("class --class nano --release keys/release.pub")["published"] == []
    assert fleet("sign --key stick/targets.pub")["waiting"] == []
    fleet("publish bundle --class nano --release 1.0 --unproved")
    trust = device(tmp_path)
    trust.refresh()
    assert trust.release("models/nano/1.0/release.json").counter == 1


def test_people_read_lines(fleet: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", "init", "--class", "pc"]) == ExitCode.OK
    root, advice, *rest = capsys.readouterr().out.splitlines()
    assert root == "root: public/metadata/1.root.json"
    assert "keys/root.pem" in advice
    assert rest == [
        "published: 1.pc, 1.rollout, 1.targets, 1.snapshot, 1.root, 1.timestamp",
    ]


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_has_help_and_an_example_that_parses(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib

    from services.cli import build_parser

    with pytest.raises(SystemExit, match=r"^0$"):
        main(["fleet", action, "--help"])
    assert f"example:\n  linnet fleet {action}" in capsys.readouterr().out
    example = importlib.import_module(ACTIONS[action]).EXAMPLE
    assert build_parser().parse_args(shlex.split(example)[1:]).action == action


def test_a_name_that_is_taken_is_refused_before_deltas_are_made(fleet: Run, tmp_path: Path) -> None:
    fleet("init --class pc")
    write_bundle(tmp_path / "bundle", "one", 2**16)
    fleet("publish bundle --class pc --release 1.0 --unproved")
    shutil.rmtree(tmp_path / "bundle")
    write_bundle(tmp_path / "bundle", "two", 2**16)
    before = set((tmp_path / "public" / "content").iterdir())
    assert "already" in fleet("publish bundle --class pc --release 1.0 --unproved")["said"]
    assert set((tmp_path / "public" / "content").iterdir()) == before
