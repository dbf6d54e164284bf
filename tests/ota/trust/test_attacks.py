"""What an attacker may try with the server, the network or some of the keys, and what comes of it.

Each attack is tried on a device that has seen the honest repository. It has to be refused with its
reason, leave nothing on disk worse than before, and not stand in the way of the honest repository.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, TargetFile, Targets

from ota.errors import OtaError, Reason
from tests.support.update_repository import START, A, B, Device, UpdateRepository


@pytest.fixture
def repository() -> UpdateRepository:
    found = UpdateRepository()
    found.release(A, "1.0", 1)
    found.release(B, "1.0", 1)
    found.rollout(A, "1.0", 1)
    found.publish(A, B, "rollout")
    return found


@pytest.fixture
def device(repository: UpdateRepository, tmp_path: Path) -> Device:
    found = Device(tmp_path / "trust", repository)
    trust = found.poll()
    trust.release(f"models/{A}/1.0/release.json")
    assert trust.rollout(A) is not None
    return found


@contextmanager
def refused(device: Device, reason: Reason) -> Iterator[None]:
    """The block must raise the reason, and the disk must hold nothing older than before."""
    versions, floor = device.versions(), device.trust().floor()
    with pytest.raises(OtaError) as caught:
        yield
    assert caught.value.reason is reason, caught.value
    after = device.versions()
    assert {role: version for role, version in versions.items() if after[role] < version} == {}
    now = device.trust().floor()
    assert now.root >= floor.root
    assert now.releases == floor.releases
    assert all(now.roles[role].version >= seen.version for role, seen in floor.roles.items())


def rollback(repository: UpdateRepository, device: Device) -> None:
    """The repository of before, properly signed."""
    old = dict(repository.honest)
    repository.publish(A)
    device.poll()
    repository.served = old


def mix_and_match(repository: UpdateRepository, device: Device) -> None:
    """A class's old metadata under the name of its new ones."""
    old = repository.honest[f"metadata/2.{A}.json"]
    repository.publish(A)
    repository.served[f"metadata/3.{A}.json"] = old


def older_snapshot(repository: UpdateRepository, device: Device) -> None:
    old = repository.honest["metadata/2.snapshot.json"]
    repository.publish(A)
    repository.served["metadata/3.snapshot.json"] = old


def foreign_key(repository: UpdateRepository, device: Device) -> None:
    stranger = CryptoSigner.generate_ed25519()
    repository.signed["timestamp"].version += 1
    repository.sign("timestamp", [stranger])
    repository.serve()


def online_key_signs_a_release(repository: UpdateRepository, device: Device) -> None:
    """Whoever holds all online keys makes a release of their own."""
    repository.release(A, "6.6", 66)
    repository.signed[A].version += 1
    repository.sign(A, [repository.signers[r][0] for r in ("rollout", "snapshot", "timestamp")])
    repository.sign_online()
    repository.serve()


def one_signer_of_two(repository: UpdateRepository, device: Device) -> None:
    repository.signed[A].version += 1
    repository.sign(A, repository.signers[A][:1])
    repository.sign_online()
    repository.serve()


def the_same_signer_twice(repository: UpdateRepository, device: Device) -> None:
    """One key cannot count for two by signing twice."""
    repository.signed[A].version += 1
    repository.sign(A, [repository.signers[A][0]] * 2)
    repository.sign_online()
    repository.serve()


def oversized(repository: UpdateRepository, device: Device) -> None:
    repository.served["metadata/timestamp.json"] = b" " * 2**15


def endless(repository: UpdateRepository, device: Device) -> None:
    def forever() -> Iterator[bytes]:
        while True:
            yield b"[" * 2**12

    repository.served["metadata/timestamp.json"] = forever()


def deep(repository: UpdateRepository, device: Device) -> None:
    repository.served["metadata/timestamp.json"] = b"[" * 2**13


def not_json(repository: UpdateRepository, device: Device) -> None:
    repository.served["metadata/timestamp.json"] = b"\xff\x00 hello"


def another_role(repository: UpdateRepository, device: Device) -> None:
    repository.served["metadata/timestamp.json"] = repository.honest["metadata/2.snapshot.json"]


def root_without_the_old_keys(repository: UpdateRepository, device: Device) -> None:
    """A new root that only its own new keys sign."""
    new = UpdateRepository()
    new.now = repository.now
    new.rotate("root")
    repository.served["metadata/2.root.json"] = new.honest["metadata/2.root.json"]


def skipped_root(repository: UpdateRepository, device: Device) -> None:
    """Root 3 under the name of root 2."""
    repository.rotate("timestamp")
    repository.rotate("timestamp")
    repository.serve()
    repository.served["metadata/2.root.json"] = repository.honest["metadata/3.root.json"]


Attack = Callable[[UpdateRepository, Device], None]

ATTACKS: tuple[Attack, ...] = (
    rollback, mix_and_match, older_snapshot, foreign_key, online_key_signs_a_release,
    one_signer_of_two, the_same_signer_twice, oversized, endless, deep, not_json, another_role,
    root_without_the_old_keys, skipped_root,
)  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_refused_and_leaves_nothing_behind(
    attack: Attack, repository: UpdateRepository, device: Device
) -> None:
    attack(repository, device)
    with refused(device, Reason.UNTRUSTED):
        device.poll().release(f"models/{A}/1.0/release.json")
    # The honest publisher goes on, and so does the device.
    repository.signed[A].version += 1
    repository.signed["timestamp"].version += 5
    repository.signed["snapshot"].version += 5
    repository.publish(A, "rollout")
    assert device.poll().release(f"models/{A}/1.0/release.json").counter == 1


def test_a_frozen_repository_is_noticed_when_it_expires(
    repository: UpdateRepository, device: Device
) -> None:
    frozen = dict(repository.honest)
    repository.now = START + timedelta(days=2)
    repository.publish(A)
    repository.served = frozen
    with refused(device, Reason.UNTRUSTED):
        device.poll()


def test_a_release_of_another_size_or_content_is_not_taken(
    repository: UpdateRepository, device: Device
) -> None:
    target = repository.release(A, "2.0", 2)
    repository.publish(A)
    [name] = [path for path in repository.served if "/2.0/" in path]
    honest = repository.served[name]
    for wrong in (honest + b" ", honest[:-1], honest.replace(b"2.0", b"9.9")):
        repository.served[name] = wrong
        with refused(device, Reason.WRONG_CONTENT):
            device.poll().release(target)
    repository.serve()
    assert device.poll().release(target).counter == 2


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "graphs/../../x",
        "a//b",
        ".hidden",
        "a/./b",
        "a\\b",
        "a\n",
    ],
)
def test_a_signed_release_cannot_name_a_file_outside(
    name: str, repository: UpdateRepository, device: Device
) -> None:
    """Even the release signers, or whoever has their keys, cannot write where they like."""
    stored = {"bytes": 1, "sha256": "0" * 64}
    target = repository.release(
        A, "2.0", 2, contents=[{"file": "manifest.json", **stored}, {"file": name, **stored}]
    )
    repository.publish(A)
    with refused(device, Reason.BAD_RELEASE):
        device.poll().release(target)


@pytest.mark.parametrize(
    "target",
    ["../r.json", f"models/{A}/../x/release.json", "rollout/x.json", "models/*/1.0/release.json"],
)
def test_an_assignment_can_only_name_a_release(target: str, device: Device) -> None:
    with refused(device, Reason.BAD_RELEASE):
        device.poll().release(target)


def test_signers_of_one_class_cannot_sign_for_another(
    repository: UpdateRepository, device: Device
) -> None:
    """Class A's release, listed by class B's signers, and by a role that B delegates to."""
    path = f"models/{A}/2.0/release.json"
    data = b'{"device_class": "x"}'
    info = TargetFile.from_data(path, data, ["sha256"])
    other: Targets = repository.signed[B]
    other.targets[path] = info
    other.delegations = Delegations(
        {}, {"mine": DelegatedRole("mine", [], 1, False, [f"models/{A}/*/*"])}
    )
    for signer in repository.signers[B][:1]:
        other.add_key(signer.public_key, "mine")
    repository.honest["targets/" + info.get_prefixed_paths()[0]] = data
    repository.publish(B)
    device.fetcher.asked.clear()
    with refused(device, Reason.UNTRUSTED):
        device.poll().release(path)
    assert not any(f".{B}." in asked or "mine" in asked for asked in device.fetcher.asked)


def test_a_rollout_key_cannot_sign_a_model(repository: UpdateRepository, device: Device) -> None:
    for path in (f"models/{A}/2.0/release.json", f"models/{B}/2.0/release.json"):
        repository.add_target("rollout", path, b"{}")
    repository.publish("rollout")
    for path in (f"models/{A}/2.0/release.json", f"models/{B}/2.0/release.json"):
        with refused(device, Reason.UNTRUSTED):
            device.poll().release(path)


def test_a_release_key_cannot_sign_a_rollout(repository: UpdateRepository, device: Device) -> None:
    repository.add_target(A, "rollout/other.json", b"{}")
    repository.publish(A)
    assert device.poll().rollout("other") is None


def test_a_rollout_of_another_class_is_not_mine(
    repository: UpdateRepository, device: Device
) -> None:
    theirs = {"device_class": B, "release": "1.0", "counter": 1, "issued": START.isoformat()}
    repository.add_target("rollout", f"rollout/{A}.json", json.dumps(theirs).encode())
    repository.publish("rollout")
    with refused(device, Reason.BAD_RELEASE):
        device.poll().rollout(A)


@pytest.mark.parametrize(
    "custom", [{}, {"counter": 9, "compat": {}}, {"counter": True, "compat": {}},
               {"counter": 2, "compat": {"boards": ["x"]}}, {"counter": 2, "compat": []},
               {"counter": 2}]
)  # fmt: skip
def test_what_is_promised_before_the_download_must_be_what_was_signed(
    custom: dict[str, Any], repository: UpdateRepository, device: Device
) -> None:
    target = repository.release(A, "2.0", 2)
    repository.signed[A].targets[target].unrecognized_fields["custom"] = custom
    repository.publish(A)
    with refused(device, Reason.BAD_RELEASE):
        device.poll().release(target)


def test_emptied_metadata_do_not_let_an_older_repository_in(
    repository: UpdateRepository, device: Device
) -> None:
    """A power cut that leaves every file empty: TUF's own protection is gone, the floor is not."""
    old = dict(repository.honest)
    repository.publish(A)
    device.poll()
    for name in ("timestamp", "snapshot", "targets", A):
        (device.directory / f"{name}.json").write_bytes(b"")
    repository.served = old
    with pytest.raises(OtaError, match="older") as caught:
        device.poll()
    assert caught.value.reason is Reason.UNTRUSTED
    assert (device.directory / "timestamp.json").read_bytes() == b""  # the old one was not kept
    repository.serve()
    device.poll().release(f"models/{A}/1.0/release.json")
    assert device.versions()["timestamp"] == 3


def test_lost_roots_do_not_let_an_older_root_in(
    repository: UpdateRepository, device: Device
) -> None:
    old = dict(repository.honest)
    repository.rotate("timestamp", "snapshot")
    repository.publish()
    device.poll()
    for path in device.directory.glob("*.json"):
        path.unlink()
    shutil.rmtree(device.directory / "root_history")
    repository.served = old
    with pytest.raises(OtaError, match=r"^root: ") as caught:
        device.poll()
    assert caught.value.reason is Reason.UNTRUSTED
    repository.serve()
    device.poll()
    assert device.versions()["root"] == 2


def test_a_fast_forward_attack_is_recovered_from_by_new_keys(
    repository: UpdateRepository, device: Device
) -> None:
    """Stolen online keys drive versions up; new keys begin again from where they were."""
    honest = {role: repository.signed[role].version for role in ("snapshot", "timestamp")}
    for role in honest:
        repository.signed[role].version = 2**31 - 2
    repository.publish()
    device.poll()
    for role, version in honest.items():
        repository.signed[role].version = version
    repository.publish()
    with refused(device, Reason.UNTRUSTED):
        device.poll()
    repository.rotate("snapshot", "timestamp")
    repository.publish()
    device.poll()
    assert device.versions()["timestamp"] == honest["timestamp"] + 2
    # The new floor holds at once.
    assert device.trust().floor().roles["timestamp"].version == honest["timestamp"] + 2


def test_a_device_that_slept_through_ten_root_rotations_catches_up(
    repository: UpdateRepository, device: Device
) -> None:
    for _ in range(10):
        repository.rotate("root", "timestamp")
    repository.publish()
    device.poll()
    assert device.versions()["root"] == 11


def test_roots_in_between_may_have_expired_but_the_last_may_not(
    repository: UpdateRepository, device: Device
) -> None:
    repository.rotate("root")
    repository.now = START + timedelta(days=900)
    repository.rotate("root")
    for role in ("targets", A, B, "rollout"):
        repository.sign(role)
    repository.publish("targets", A, B, "rollout")
    device.poll()
    assert device.versions()["root"] == 3
    repository.now += timedelta(days=366)
    repository.publish("targets")
    with refused(device, Reason.UNTRUSTED):
        device.poll()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    keys=st.integers(1, 5),
    data=st.data(),
)
def test_a_release_is_believed_exactly_when_enough_of_its_keys_signed(
    keys: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    threshold = data.draw(st.integers(1, keys), "threshold")
    chosen = data.draw(st.sets(st.integers(0, keys - 1)), "signing")
    strangers = data.draw(st.integers(0, 3), "strangers")
    repository = UpdateRepository()
    signers = [CryptoSigner.generate_ed25519() for _ in range(keys)]
    role = repository.signed["targets"].delegations.roles[A]
    for keyid in list(role.keyids):
        repository.signed["targets"].revoke_key(keyid, A)
    for signer in signers:
        repository.signed["targets"].add_key(signer.public_key, A)
    role.threshold = threshold
    target = repository.release(A, "1.0", 1)
    repository.signed[A].version += 1
    others = [CryptoSigner.generate_ed25519() for _ in range(strangers)]
    repository.sign(A, [*others, *(signers[index] for index in chosen)])
    repository.publish("targets")
    trust = Device(tmp_path_factory.mktemp("device"), repository).poll()
    if len(chosen) >= threshold:
        assert trust.release(target).counter == 1
    else:
        with pytest.raises(OtaError) as caught:
            trust.release(target)
        assert caught.value.reason is Reason.UNTRUSTED
