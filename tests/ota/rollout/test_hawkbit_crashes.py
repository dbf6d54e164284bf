"""hawkBit × client × power cuts: whatever is lost on the way, every action comes to its end."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ota.errors import Reason, TransferError
from ota.phases import Phase
from ota.release import Facts
from ota.rollout.hawkbit import HawkbitDdi, Server
from ota.rollout.source import Assignment, Report
from tests.support.ddi_double import Action, DdiDouble, Kind, Status
from tests.support.ddi_web import DdiWeb

TARGET = "models/pc-x86-64/2026.3/release.json"
FACTS = Facts(device_class="pc-x86-64", memory_mb=8000, app="0.4")
SERVER = Server("https://hawkbit.example", "spk-1")
ON_THE_WAY = list(Phase)[1:7]
IDS = st.one_of(
    st.integers(1, 50),
    st.integers(1, 10**6).map(lambda n: n * 10),  # zephyr #89530
    st.sampled_from([2**31 - 1, 2**31, 2**53, 10**17]),
)
LOST = st.sampled_from([None, None, None, 0, 1, 2, 3])


@dataclass
class Device:
    """What survives a power cut, and how an update goes on; its decisions are the simplest."""

    update: Assignment | None = None
    phase: Phase = Phase.IDLE
    ended: dict[str, Phase] = field(default_factory=dict)
    unsent: list[Report] = field(default_factory=list)
    resumed: bool = False

    def standing(self, action: str) -> Phase | None:
        if self.update is not None and self.update.action == action:
            return self.phase
        return self.ended.get(action)

    def told(self, wanted: Assignment | None) -> None:
        """What ``poll`` gave."""
        if self.update is not None and self.phase is not Phase.TRIAL:
            if wanted is None or wanted.action != self.update.action:
                self.end(Phase.FAILED, Reason.CANCELLED)
            else:
                self.update = wanted
        if self.update is None and wanted is not None:
            if wanted.action in self.ended:
                # It ended and the server has not heard: tell it again.
                self.unsent.append(Report(wanted.action, self.ended[wanted.action]))
            else:
                self.update, self.phase = wanted, Phase.ASSIGNED

    def step(self, good: bool) -> Report | None:
        """One phase further; the end of it is durable before anybody is told."""
        if self.update is None:
            return None
        if self.phase is Phase.TRIAL or not good:
            late = Phase.COMMITTED if good else Phase.ROLLED_BACK
            self.end(late, None if good else Reason.GATE_CALL)
            return None
        if self.phase is Phase.VERIFIED and self.update.install == "not yet":
            return Report(self.update.action, self.phase)
        self.phase = ON_THE_WAY[ON_THE_WAY.index(self.phase) + 1]
        report = Report(self.update.action, self.phase, resumed=self.resumed)
        self.resumed = False
        return report

    def end(self, phase: Phase, reason: Reason | None) -> None:
        assert self.update is not None
        self.ended[self.update.action] = phase
        self.unsent.append(Report(self.update.action, phase, reason))
        self.update, self.phase = None, Phase.IDLE


class HawkbitUnderPowerCuts(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.hawkbit = DdiDouble()
        self.hawkbit.origin = SERVER.url
        self.web = DdiWeb(self.hawkbit)
        self.device = Device()
        self.client = self.started()
        self.accepted: set[int] = set()

    def started(self) -> HawkbitDdi:
        return HawkbitDdi(SERVER, FACTS, self.web, standing=lambda a: self.device.standing(a))

    @initialize(number=IDS)
    def first_id(self, number: int) -> None:
        self.hawkbit.next_id = number

    @rule(
        kind=st.sampled_from(["soft", "forced", "downloadonly"]),
        window=st.sampled_from([None, True, False]),
    )
    def assign(self, kind: Kind, window: bool | None) -> None:
        self.hawkbit.assign("spk-1", TARGET, kind, window=window)

    @rule(skip=st.integers(1, 10))
    def others_use_ids(self, skip: int) -> None:
        self.hawkbit.next_id += skip

    @precondition(lambda self: self.hawkbit.active("spk-1"))
    @rule(force=st.booleans())
    def cancel(self, force: bool) -> None:
        action = self.hawkbit.active("spk-1")
        assert action is not None
        self.hawkbit.cancel(action, force=force)

    @precondition(lambda self: self.device.phase is Phase.TRIAL)
    @rule()
    def cancel_too_late(self) -> None:
        action = self.hawkbit.active("spk-1")
        if action is not None and self.device.standing(str(action.id)) is Phase.TRIAL:
            self.hawkbit.cancel(action)
            self.talk()

    @precondition(lambda self: self.hawkbit.active("spk-1"))
    @rule()
    def force_and_open(self) -> None:
        action = self.hawkbit.active("spk-1")
        assert action is not None
        action.kind, action.window = "forced", None

    @rule()
    def power_cut(self) -> None:
        self.device.resumed = self.device.update is not None
        self.client = self.started()

    @rule(requests=st.integers(1, 3))
    def busy(self, requests: int) -> None:
        self.hawkbit.busy = requests

    @rule(request=LOST, answer=LOST)
    def poll(self, request: int | None, answer: int | None) -> None:
        """Losing the n-th request, and the answer to the m-th."""
        requests, answers = itertools.count(), itertools.count()
        self.web.loses_request = lambda: next(requests) == request
        self.web.loses_answer = lambda: next(answers) == answer
        self.talk()
        self.web.loses_request = self.web.loses_answer = lambda: False

    @precondition(lambda self: self.device.update)
    @rule(steps=st.sampled_from([1, 2, 5, 5]), lost=st.booleans())
    def advance(self, steps: int, lost: bool) -> None:
        for _ in range(steps):
            if self.device.phase is not Phase.TRIAL:
                self.tell(self.device.step(good=True), lost)

    @precondition(lambda self: self.device.phase is Phase.TRIAL)
    @rule(good=st.booleans())
    def finish(self, good: bool) -> None:
        self.device.step(good)

    @precondition(lambda self: self.device.update)
    @rule()
    def fail(self) -> None:
        self.device.step(good=False)

    def tell(self, report: Report | None, lost: bool) -> None:
        if report is not None and not lost:
            with contextlib.suppress(TransferError):  # the next report says more
                self.client.report(report)

    def talk(self) -> None:
        """One round of the agent: what is unsent first, then the poll."""
        try:
            while self.device.unsent:
                self.client.report(self.device.unsent[0])
                self.device.unsent.pop(0)
            self.device.told(self.client.poll())
        except TransferError:
            return

    @invariant()
    def nothing_that_was_taken_back_is_installed(self) -> None:
        for action in self.hawkbit.actions.values():
            if action.status is Status.CANCELED and "closed" in action.executions:
                standing = self.device.standing(str(action.id))
                assert standing not in (Phase.TRIAL, Phase.COMMITTED)

    @invariant()
    def success_is_never_claimed_for_what_did_not_succeed(self) -> None:
        for action in self.hawkbit.actions.values():
            if action.status is Status.FINISHED:
                assert self.device.ended[str(action.id)] is Phase.COMMITTED

    def teardown(self) -> None:
        """The network heals and nobody interferes: every action ends, as the device ended it."""
        self.hawkbit.busy = 0
        for action in self.hawkbit.actions.values():
            action.window = None
        for _ in range(12 * (len(self.hawkbit.actions) + 1)):
            self.talk()
            report = self.device.step(good=True)
            if report is not None:
                self.client.report(report)
        self.talk()
        left = [a for a in self.hawkbit.actions.values() if a.active]
        assert not left, [(a.id, a.kind, a.status, a.executions) for a in left]
        assert not self.device.unsent
        for action in self.hawkbit.actions.values():
            self.agrees(action)

    def agrees(self, action: Action) -> None:
        ended = self.device.ended.get(str(action.id))
        if ended is Phase.COMMITTED:
            # Force-cancelled, the server asks nobody: that is why the guard counts these itself.
            assert action.status in (Status.FINISHED, Status.CANCELED, Status.DOWNLOADED)
        if action.status is Status.ERROR:
            assert ended in (Phase.ROLLED_BACK, Phase.FAILED)


TestHawkbitUnderPowerCuts = HawkbitUnderPowerCuts.TestCase
TestHawkbitUnderPowerCuts.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None
)
