"""The rules of a download, without a network: every answer to every progress, and the waits."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota import transfer_plan as plan
from ota.errors import Reason
from ota.transfer_plan import Admit, Ask, Drop, GiveUp, Later, Limits, Out, Progress, Take, Wait
from ota.transfer_rate import SlowWatch, TokenBucket

NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
TOTAL = 1000


def judge(status: int, start: int = 0, **headers: str) -> plan.Verdict:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return plan.judge(status, named, start, TOTAL, NOW)


@pytest.mark.parametrize(
    ("content_range", "verdict"),
    [
        ("bytes 400-999/1000", Take(400, 600)),
        ("bytes 400-999/*", Take(400, 600)),
        ("bytes 400-499/1000", Take(400, 100)),
        ("bytes 0-999/1000", Drop()),
        ("bytes 399-999/1000", Drop()),
        ("bytes 401-999/1000", Drop()),
        ("bytes 400-1000/1000", Drop()),
        ("bytes 400-399/1000", Drop()),
        ("bytes 400-999/1001", Out(Reason.WRONG_CONTENT)),
        ("bytes */1000", Drop()),
        ("", Drop()),
        ("bytes 400-999/1000, bytes 0-1/1000", Drop()),
    ],
)
def test_a_part_goes_on_only_where_it_ends(content_range: str, verdict: plan.Verdict) -> None:
    assert judge(206, start=400, content_range=content_range) == verdict


@pytest.mark.parametrize(
    ("status", "start", "headers", "verdict"),
    [
        (200, 0, {}, Take(0, TOTAL)),
        (200, 400, {"content_length": "1000"}, Take(0, TOTAL)),
        (200, 0, {"content_length": "1001"}, Out(Reason.WRONG_CONTENT)),
        (200, 0, {"content_encoding": "gzip"}, Out(Reason.WRONG_CONTENT)),
        (206, 0, {"content_range": "bytes 0-999/1000"}, Out(Reason.WRONG_CONTENT)),
        (416, 400, {}, Drop()),
        (416, 0, {}, Out(Reason.WRONG_CONTENT)),
        (404, 0, {}, Out(Reason.REFUSED)),
        (401, 0, {}, Out(Reason.REFUSED)),
        (204, 0, {}, Out(Reason.REFUSED)),
        (503, 0, {}, Later(None)),
        (429, 0, {"retry_after": "7"}, Later(7.0)),
    ],
)
def test_what_other_answers_mean(
    status: int, start: int, headers: dict[str, str], verdict: plan.Verdict
) -> None:
    assert judge(status, start, **headers) == verdict


def test_a_server_says_when_in_seconds_or_as_a_date() -> None:
    assert plan.retry_after("120", NOW) == 120
    assert plan.retry_after(format_datetime(NOW + timedelta(minutes=1), usegmt=True), NOW) == 60
    assert plan.retry_after(format_datetime(NOW - timedelta(days=1), usegmt=True), NOW) == 0


@given(st.text(max_size=80))
def test_a_retry_after_of_any_text_is_a_number_or_nothing(text: str) -> None:
    found = plan.retry_after(text, NOW)
    assert found is None or found >= 0


@given(st.integers(1, 10**6), st.none() | st.floats(0, 10**9), st.integers(0, 2**32))
def test_waits_are_bounded_and_never_shorter_than_the_server_asked(
    failures: int, after_s: float | None, seed: int
) -> None:
    limits = Limits()
    seconds = plan.wait_before(failures, after_s, limits, random.Random(seed))
    assert 0 <= seconds <= max(limits.longest_s, limits.retry_after_s)
    assert seconds >= min(after_s or 0, limits.retry_after_s)
    assert after_s is not None or seconds <= limits.base_s * 2 ** min(failures, 30)


Answer = tuple[str, int]
ANSWERS = st.lists(
    st.tuples(
        st.sampled_from(["bytes", "bytes from 0", "drop", "broke", "later", "out"]),
        st.integers(0, TOTAL),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(ANSWERS, st.integers(1, 3), st.booleans(), st.integers(0, TOTAL), st.randoms())
def test_any_run_of_answers_ends_and_breaks_no_rule(
    answers: list[Answer], mirrors: int, whole: bool, have: int, rng: random.Random
) -> None:
    """Once the answers run out every request breaks: it must come to an end by itself."""
    limits = Limits(progress=1, requests=60, budget=5 * TOTAL)
    progress = Progress(TOTAL, mirrors, have=have)
    left = iter(answers)
    for _ in range(1000):
        step = plan.next_step(progress, limits, rng)
        if isinstance(step, GiveUp):
            assert progress.have < TOTAL
            return
        if isinstance(step, Admit):
            assert progress.have == TOTAL
            if whole:
                return
            progress = plan.wrong(progress)
        elif isinstance(step, Wait):
            progress = replace(progress, waited=True)
        else:
            assert step.mirror not in progress.out
            assert step.start in (0, progress.have)
            progress = answered(progress, step, next(left, ("broke", 0)), limits)
        assert 0 <= progress.have <= TOTAL
        assert progress.spent <= 5 * TOTAL
    raise AssertionError("it goes on and on")


def answered(progress: Progress, ask: Ask, answer: Answer, limits: Limits) -> Progress:
    kind, count = answer
    progress = replace(progress, requests=progress.requests + 1)
    if kind.startswith("bytes"):
        at = 0 if kind == "bytes from 0" else ask.start
        return plan.received(progress, ask, at, min(count, TOTAL - at), limits)
    if kind == "drop":
        return plan.dropped(progress)
    if kind == "out":
        return plan.ruled_out(progress, ask.mirror, Reason.REFUSED)
    return plan.broke(progress, after_s=count if kind == "later" else None)


@pytest.mark.parametrize("slow", [False, True])
def test_what_an_answer_leaves_missing_is_asked_of_the_next_mirror(slow: bool) -> None:
    """Of the next one, not the one after it: with two that would be the same again."""
    cut = plan.received(Progress(TOTAL, 2), Ask(0, 0), 0, TOTAL - 1, Limits(), slow=slow)
    assert (cut.mirror, cut.have, cut.sole) == (1, TOTAL - 1, 0)
    again = plan.received(cut, Ask(1, TOTAL - 1), TOTAL - 1, 0, Limits(), slow=slow)
    assert (again.mirror, again.failures) == (0, cut.failures + 1)


def test_a_mirror_is_out_only_when_every_wrong_byte_was_its_own() -> None:
    mixed = Progress(TOTAL, 2, have=TOTAL, sole=None)
    assert plan.wrong(mixed).out == frozenset()
    assert plan.wrong(replace(mixed, sole=1)).out == {1}


@given(
    st.floats(1, 10**6),
    st.lists(st.tuples(st.integers(0, 10**5), st.floats(0, 10)), max_size=50),
)
def test_a_bucket_never_lets_more_through_than_its_rate(
    rate: float, pieces: list[tuple[int, float]]
) -> None:
    now = total = 0.0
    bucket = TokenBucket(rate, now)
    for count, pause in pieces:
        now += pause
        total += count
        now += bucket.take(count, now)
        assert total <= rate * (now + 1) * (1 + 1e-6) + 1e-3


def test_a_trickle_is_slow_and_our_own_waiting_is_not() -> None:
    watch = SlowWatch(least=100, window=10, now=0)
    assert not watch.slow(10, 5)
    assert watch.slow(10, 10)
    waiting = SlowWatch(least=100, window=10, now=0)
    assert not waiting.slow(10, 5)
    waiting.pause(6)
    assert not waiting.slow(10, 11)
    steady = SlowWatch(least=100, window=10, now=0)
    assert not any(steady.slow(101, second) for second in range(100))
