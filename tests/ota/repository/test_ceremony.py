"""A team founds and changes a repository, each person signing on a machine of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ota.errors import OtaError
from ota.repository.errors import PublishError
from ota.repository.keys import make_key
from ota.repository.publisher import Publisher
from ota.repository.rollouts import pause, roll_out, waves_of
from ota.repository.rotation import revoke
from ota.repository.setup import Founders, Signers, found, set_class
from tests.support.published import CLASS, Desk, device_of


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """3-of-5 root, 2-of-3 targets, 2 release signers, one online key that signs by itself."""
    return Desk.team(tmp_path)


def test_nothing_is_published_before_enough_founders_signed(desk: Desk) -> None:
    assert desk.outcome.published == ()
    for name in ("root1", "root2", "target1", "target3", "release1"):
        assert desk.sign(name).published == ()
    assert desk.waiting() == {"root": (2, 3), CLASS: (1, 2)}
    # The last two; whoever comes last publishes all of it.
    assert desk.sign("release2").published == ()
    assert "1.root" in desk.sign("root5").published
    device_of(desk).refresh()


def test_what_is_staged_names_who_could_sign(desk: Desk) -> None:
    desk.sign("root2")
    with desk.publisher() as publisher:
        [need] = [need for need in publisher.needed() if need.role == "root"]
        names = [publisher.names()[keyid] for keyid in need.missing]
    assert (need.signed, need.threshold, sorted(names)) == (
        1,
        3,
        ["root1", "root3", "root4", "root5"],
    )


def test_signing_twice_counts_once(desk: Desk) -> None:
    for _ in range(3):
        desk.sign("root1")
    assert desk.waiting()["root"] == (1, 3)


def test_a_strangers_key_adds_nothing(desk: Desk, tmp_path: Path) -> None:
    before = desk.waiting()
    stranger = make_key(tmp_path / "elsewhere", "stranger")
    with desk.publisher(stranger) as publisher:
        publisher.sign()
    assert desk.waiting() == before


def test_a_release_waits_for_its_second_signer_and_can_then_be_rolled_out(desk: Desk) -> None:
    desk.found()
    target = desk.publish("1.0", "release1")
    trust = device_of(desk)
    trust.refresh()
    with pytest.raises(OtaError):
        trust.release(target)
    with desk.publisher() as publisher, pytest.raises(PublishError, match="no published release"):
        roll_out(publisher, CLASS, "1.0", ())
    assert f"2.{CLASS}" in desk.sign("release2").published
    with desk.publisher() as publisher:
        roll_out(publisher, CLASS, "1.0", waves_of([(1, 0)], publisher.now))
    trust.refresh()
    rollout = trust.rollout(CLASS)
    assert rollout is not None
    release = trust.release(rollout.target)
    assert (release.counter, rollout.counter, rollout.paused) == (1, 1, False)
    for content in release.contents:
        assert (desk.root / "public" / "content" / content.sha256).stat().st_size == content.bytes


def test_a_staged_release_can_be_taken_back(desk: Desk) -> None:
    desk.found()
    desk.publish("6.6", "release1")
    with desk.publisher() as publisher:
        assert publisher.discard(CLASS).waiting == ()
        with pytest.raises(PublishError, match="not staged"):
            publisher.discard(CLASS)
    desk.publish("1.0", "release1", "release2")
    trust = device_of(desk)
    trust.refresh()
    assert trust.release(f"models/{CLASS}/1.0/release.json").counter == 1
    with pytest.raises(OtaError):
        trust.release(f"models/{CLASS}/6.6/release.json")


def test_a_passphrase_is_asked_for_once(desk: Desk, tmp_path: Path) -> None:
    """However much there is to sign."""
    asked: list[str] = []

    def passphrase(name: str) -> bytes:
        asked.append(name)
        return b"open sesame"

    key = make_key(tmp_path / "ann", "ann", b"open sesame")
    everyone = Signers((key,))
    publisher = Publisher(tmp_path / "small", now=desk.now, keys=[key], passphrase=passphrase)
    publisher.shelf.make()
    founders = Founders(everyone, everyone, everyone, everyone, {CLASS: everyone})
    assert found(publisher, founders).waiting == ()
    assert asked == ["ann"]


def test_a_pause_needs_no_person_and_does_not_wait_for_staged_releases(desk: Desk) -> None:
    desk.found()
    desk.publish("1.0", "release1", "release2")
    with desk.publisher() as publisher:
        roll_out(publisher, CLASS, "1.0", waves_of([(1, 0)], publisher.now))
    desk.publish("1.1", "release1")
    with desk.publisher() as publisher:
        outcome = pause(publisher, CLASS, True)
    assert (outcome.includes("rollout"), outcome.includes(CLASS)) == (True, False)
    assert desk.waiting() == {CLASS: (1, 2)}
    trust = device_of(desk)
    trust.refresh()
    rollout = trust.rollout(CLASS)
    assert rollout is not None
    assert rollout.paused


def test_a_new_root_is_signed_by_the_old_keys_and_by_the_new(desk: Desk) -> None:
    desk.found()
    trust = device_of(desk)
    trust.refresh()
    new = desk.key("root6")
    with desk.publisher(new) as publisher:
        outcome = revoke(publisher, desk.keys["root1"].keyid, new)
    assert outcome.published == ()
    assert desk.waiting()["root"] in ((1, 3), (0, 3))
    desk.sign("root2")
    # root1 is revoked, yet the old root counts it: old 3 of 5 = 1, 2, 3; new 3 of 5 = 2, 3, 6.
    desk.sign("root1")
    assert desk.waiting()["root"] == (2, 3)
    assert "2.root" in desk.sign("root3").published
    trust.refresh()
    assert trust.floor().root == 2


def test_a_key_cannot_be_revoked_below_the_threshold(desk: Desk) -> None:
    desk.found()
    with desk.publisher() as publisher, pytest.raises(PublishError, match="--replace"):
        revoke(publisher, desk.keys["release1"].keyid)
    with desk.publisher() as publisher, pytest.raises(PublishError, match="no role"):
        revoke(publisher, "0" * 64)
    assert desk.waiting() == {}


def test_a_stolen_release_key_is_replaced_without_stranding_a_device(desk: Desk) -> None:
    """New keys for a class go out only together with metadata that they signed again."""
    desk.found()
    target = desk.publish("1.0", "release1", "release2")
    new = desk.key("release3")
    with desk.publisher(new) as publisher:
        revoke(publisher, desk.keys["release1"].keyid, new)
    for name in ("target1", "target2"):
        assert desk.sign(name).published == ()
        trust = device_of(desk)
        trust.refresh()
        assert trust.release(target).counter == 1
    assert {"2.targets", f"3.{CLASS}"} <= set(desk.sign("release2").published)
    trust.refresh()
    assert trust.release(target).counter == 1
    # The revoked key signs no more.
    desk.publish("1.1", "release1", "release2")
    assert desk.waiting() == {CLASS: (1, 2)}


def test_a_stolen_online_key_is_replaced_and_devices_follow(desk: Desk) -> None:
    desk.found()
    desk.publish("1.0", "release1", "release2")
    with desk.publisher() as publisher:
        roll_out(publisher, CLASS, "1.0", waves_of([(1, 0)], publisher.now))
    trust = device_of(desk)
    trust.refresh()
    new = make_key(desk.root / "keys", "online2")
    with desk.publisher() as publisher:
        revoke(publisher, desk.keys["online"].keyid, new)
    for name in ("root1", "root2", "target1"):
        desk.sign(name)
    assert "2.root" in desk.sign("root3").published
    assert "2.targets" in desk.sign("target2").published
    (desk.root / "keys" / "online.pem").unlink()
    with desk.publisher() as publisher:
        assert publisher.refresh().published
    trust.refresh()
    assert trust.rollout(CLASS) is not None
    assert trust.floor().roles["timestamp"].keyids == (new.keyid,)


def test_where_the_online_key_is_missing_a_complete_change_waits_for_it(desk: Desk) -> None:
    desk.found()
    hidden = (desk.root / "keys" / "online.pem").rename(desk.root / "elsewhere.pem")
    target = desk.publish("1.0", "release1", "release2")
    with desk.publisher() as publisher:
        outcome = publisher.sign()
    assert outcome.published == ()
    assert {need.role for need in outcome.waiting} == {"snapshot", "timestamp"}
    hidden.rename(desk.root / "keys" / "online.pem")
    with desk.publisher() as publisher:
        assert f"2.{CLASS}" in publisher.refresh().published
    trust = device_of(desk)
    trust.refresh()
    assert trust.release(target).counter == 1


def test_a_class_is_added_later_and_its_releases_change_hands(desk: Desk) -> None:
    desk.found()
    other = "orin-nano-jp6"
    with desk.publisher() as publisher:
        set_class(publisher, other, Signers((desk.keys["release1"],)))
    for name in ("target1", "target2", "release1"):
        desk.sign(name)
    desk.publish("1.0", "release1", device_class=other)
    trust = device_of(desk)
    trust.refresh()
    assert trust.release(f"models/{other}/1.0/release.json").counter == 1


def _tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_whatever_is_published_in_between_a_device_can_always_refresh(desk: Desk) -> None:
    """After each file that a publication writes, a device sees the old state or the new."""
    desk.found()
    desk.publish("1.0", "release1", "release2")
    trust = device_of(desk)
    with desk.publisher() as publisher:
        before = _tree(publisher.shelf.public)
    desk.publish("1.1", "release1", "release2")
    after = _tree(desk.root / "public")
    written = [path for path in after if after[path] != before.get(path)]
    order = ["content", "targets/", f".{CLASS}.", ".snapshot.", "timestamp"]
    written.sort(key=lambda path: next(n for n, part in enumerate(order) if part in path))
    state = dict(before)
    for path in written:
        state[path] = after[path]
        trust = device_of(desk, state)
        trust.refresh()
        trust.release(f"models/{CLASS}/1.0/release.json")
    assert trust.release(f"models/{CLASS}/1.1/release.json").counter == 2


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_in_whatever_order_people_sign_a_device_is_never_stranded(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A root key and a release key are replaced at once; people sign when they like."""
    desk = Desk.team(tmp_path_factory.mktemp("desk"))
    desk.found()
    target = desk.publish("1.0", "release1", "release2")
    for old, new in (("root1", "root6"), ("release1", "release3")):
        key = desk.key(new)
        with desk.publisher() as publisher:
            revoke(publisher, desk.keys[old].keyid, key)
    names = ["root2", "root3", "root4", "root6", "target1", "target2", "release2", "release3"]
    trust = device_of(desk)
    for name in data.draw(st.permutations(names)):
        desk.sign(name)
        trust.refresh()
        assert trust.release(target).counter == 1
    assert desk.waiting() == {}
