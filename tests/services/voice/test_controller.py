"""The table of what the box does, driven by stories and by random events."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.voice.controller import TABLE, Action, Controller, Dwell, Event, State

TURN_STATES = {State.WAKING, State.LISTENING, State.THINKING, State.SPEAKING}


def drive(controller: Controller, *events: Event) -> list[Action]:
    actions: list[Action] = []
    for index, event in enumerate(events):
        actions += controller.handle(event, index * 0.1)
    return actions


def test_a_turn_from_wake_word_to_reply() -> None:
    controller = Controller(dwell=Dwell(follow_up_ms=2_000))
    actions = drive(
        controller,
        Event.WAKE,
        Event.SPEECH_START,
        Event.SPEECH_END,
        Event.FIRST_AUDIO,
        Event.REPLY_DONE,
    )
    assert actions == [Action.OPEN_TURN, Action.CLOSE_EAR, Action.END_TURN]
    assert controller.state is State.FOLLOW_UP
    assert controller.tick(1.0) == ()
    controller.tick(2.5)
    assert controller.state is State.IDLE


@pytest.mark.parametrize("how", [Event.WAKE, Event.BARGE_IN])
def test_an_interruption_raises_the_turn_and_listens_again(how: Event) -> None:
    controller = Controller()
    drive(controller, Event.WAKE, Event.SPEECH_START, Event.SPEECH_END, Event.FIRST_AUDIO)
    before = controller.fence.current
    assert controller.handle(how, 1.0) == (Action.INTERRUPT, Action.OPEN_TURN)
    assert controller.state is State.WAKING
    assert controller.fence.current > before
    assert not controller.fence.admits(before)


def test_nobody_speaks() -> None:
    controller = Controller()
    assert drive(controller, Event.WAKE, Event.NO_SPEECH) == [Action.OPEN_TURN, Action.DROP_TURN]
    assert controller.state is State.IDLE


def test_an_update_waits_for_the_turn_to_end() -> None:
    controller = Controller()
    drive(controller, Event.WAKE, Event.SPEECH_START)
    assert controller.handle(Event.UPDATE_BEGIN, 1.0) == ()
    assert controller.state is State.LISTENING


@pytest.mark.parametrize("state", sorted(TURN_STATES, key=lambda s: s.value))
@pytest.mark.parametrize("event", [Event.MUTE, Event.FAULT, Event.TIMEOUT])
def test_what_ends_a_turn_interrupts_it(state: State, event: Event) -> None:
    assert Action.INTERRUPT in TABLE[state, event].actions


def test_a_muted_box_is_deaf_until_unmuted() -> None:
    controller = Controller()
    drive(controller, Event.MUTE, Event.WAKE, Event.BARGE_IN)
    assert controller.state is State.MUTED
    assert controller.tick(1e6) == ()
    drive(controller, Event.UNMUTE)
    assert controller.state is State.IDLE


def test_an_event_without_a_row_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    controller = Controller()
    with caplog.at_level(logging.INFO):
        assert controller.handle(Event.REPLY_DONE, 0.0) == ()
    assert controller.state is State.IDLE
    assert "no effect" in caplog.text


def test_the_table_reaches_every_state_and_no_row_opens_two_turns() -> None:
    assert {row.to for row in TABLE.values()} == set(State)
    for (state, _), row in TABLE.items():
        assert row.actions.count(Action.OPEN_TURN) <= 1
        opened = Action.OPEN_TURN in row.actions
        if opened and state in TURN_STATES:
            assert row.actions[0] in {Action.INTERRUPT, Action.END_TURN}


steps = st.lists(st.tuples(st.sampled_from(list(Event)), st.floats(0, 20)), max_size=60)


@given(steps)
def test_random_events_keep_the_promises(plan: list[tuple[Event, float]]) -> None:
    controller = Controller()
    t = 0.0
    open_turn = False
    for event, wait in plan:
        t += wait
        for actions in (controller.tick(t), None):
            actions = controller.handle(event, t) if actions is None else actions
            for action in actions:
                if action is Action.OPEN_TURN:
                    assert not open_turn
                    open_turn = True
                elif action is Action.CLOSE_EAR:
                    assert open_turn
                else:
                    assert open_turn, action
                    open_turn = False
            assert open_turn == (controller.state in TURN_STATES)


@given(steps)
def test_the_turn_number_only_grows(plan: list[tuple[Event, float]]) -> None:
    controller = Controller()
    t, last = 0.0, 0
    for event, wait in plan:
        t += wait
        controller.tick(t)
        controller.handle(event, t)
        assert controller.fence.current >= last
        last = controller.fence.current


@given(steps)
def test_left_alone_it_comes_back_to_idle(plan: list[tuple[Event, float]]) -> None:
    controller = Controller()
    t = 0.0
    for event, wait in plan:
        t += wait
        controller.handle(event, t)
    if controller.state is State.MUTED:
        controller.handle(Event.UNMUTE, t)
    for _ in range(4):
        t += 1_000
        controller.tick(t)
    assert controller.state is State.IDLE
