"""The codec: what goes in comes out, what is not said is not there, and wrong input is told with its path."""

import json
from typing import Any

import pytest
import writers
from hypothesis import given
from hypothesis import strategies as st

from rota.model.errors import InvalidInput
from rota.model.failure import Failure
from rota.model.log import LogLine, Progress
from rota.model.method import NO_OPTIONS, Method, Options
from rota.model.report import Held, Report, Verdict
from rota.model.retry import RetryPolicy
from rota.model.submission import Submission
from rota.model.task import AttemptRecord, Lane, Reason, Spec, State, Task
from rota.model.worker import Facts, Load, WorkerRecord
from rota.wire import codec, codec_options, codec_view, codec_worker
from rota.wire.v1 import link_pb2 as pb

ID = bytes(range(16))
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
names = st.text("abcdefgh 中文", min_size=1, max_size=20).filter(lambda s: s == s.strip())
durations = st.none() | st.integers(0, 2**50)
options = st.builds(
    Options,
    group=st.none() | texts,
    priority=st.none() | st.integers(-9, 9),
    retries=st.none() | st.integers(0, 1000),
    retry_delay=durations,
    retry_backoff=st.none() | st.floats(1, 10),
    retry_max_delay=durations,
    retry_jitter=st.none() | st.floats(0, 1),
    retry_on=st.none() | st.lists(texts, min_size=1, max_size=3).map(tuple),
    give_up_on=st.none() | st.lists(texts, min_size=1, max_size=3).map(tuple),
    timeout=durations,
    expires=durations,
    delay=durations,
    run_at=st.none() | st.integers(0, 2**60),
    result_ttl=durations,
    unique_key=st.none() | texts,
    order_key=st.none() | texts,
    unique_mode=st.none() | st.sampled_from(["return", "reject", "replace"]),
    debounce=durations,
    concurrency_key=st.none() | texts,
    concurrency_limit=st.none() | st.integers(1, 2**31),
)
parents = st.lists(st.binary(min_size=16, max_size=16), max_size=3).map(tuple)
json_texts = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5).map(
    lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
)
labels = st.dictionaries(names, texts, max_size=3).map(lambda d: tuple(sorted(d.items())))
failures = st.builds(Failure, st.lists(texts, max_size=3).map(tuple), texts, texts)


def through_bytes(message: Any) -> Any:
    return type(message).FromString(message.SerializeToString())


@given(
    st.builds(
        Submission,
        id=st.binary(min_size=16, max_size=16),
        method=texts,
        params=json_texts,
        options=options,
        idempotency_key=st.none() | texts.filter(bool),
        version=st.none() | st.integers(1, 2**32 - 1),
        labels=labels,
        target=st.none() | texts.filter(bool),
        after=parents,
        batch=st.none() | texts.filter(bool),
        trace=st.sampled_from(["", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]),
    ),
    st.sampled_from(["fail", "run"]),
)
def test_a_submission_arrives_as_it_was(submission: Submission, on_parent_failure: str) -> None:
    if submission.after:
        submission.on_parent_failure = on_parent_failure  # pyrefly: ignore[read-only]
    new = pb.NewTask()
    writers.write_submission(submission, new)
    assert codec.read_submission(through_bytes(new), 0) == submission


def test_a_plain_submission_carries_nothing_that_was_not_said() -> None:
    new = pb.NewTask()
    writers.write_submission(Submission(ID, "add", b"[1,2]"), new)
    assert {field.name for field, _ in new.ListFields()} == {"id", "method", "params"}
    assert codec.read_submissions([new])[0].options is NO_OPTIONS


def test_empty_params_are_null() -> None:
    assert codec.read_submission(pb.NewTask(id=ID, method="add"), 0).params == b"null"


@given(
    st.builds(
        Report,
        id=st.binary(min_size=16, max_size=16),
        attempt=st.integers(0, 2**32 - 1),
        verdict=st.sampled_from(Verdict),
        result=json_texts | st.just(b""),
        failure=st.none() | failures,
        started_at=st.none() | st.integers(1, 2**60),
        ran=st.integers(0, 2**50),
        retry_after=durations,
    )
)
def test_a_report_arrives_as_it_was(report: Report) -> None:
    result = pb.Result()
    writers.write_report(report, result)
    assert codec.read_reports([through_bytes(result)]) == [report]


@pytest.mark.parametrize(
    ("read", "path"),
    [
        (lambda: codec.read_submission(pb.NewTask(id=b"short"), 3), "tasks[3].id"),
        (lambda: codec.read_ids([ID, b""]), "ids[1]"),
        (lambda: codec.read_submission(pb.NewTask(id=ID, params=b"{"), 4), "tasks[4].params"),
        (lambda: codec.read_report(pb.Result(id=ID, verdict=0), 2), "results[2].verdict"),
        (lambda: codec.read_report(through_bytes(_with_verdict(99)), 2), "results[2].verdict"),
        (lambda: codec.read_report(through_bytes(_with_verdict(-1)), 2), "results[2].verdict"),
        (lambda: codec.read_report(pb.Result(id=b"x", verdict=1), 1), "results[1].id"),
        (lambda: codec.read_report(pb.Result(id=ID, verdict=1, ran=2**63), 1), "results[1]"),
        (lambda: codec.read_held([pb.HeldRef(id=b"x")]), "tasks[0].id"),
        (lambda: codec.read_refs([pb.Ref(id=ID), pb.Ref(id=b"x")]), "tasks[1].id"),
        (lambda: codec_options.read_options(pb.Options(retry_backoff=float("nan")), "o"), "o.retry_backoff"),
        (lambda: codec_options.read_options(pb.Options(timeout=2**63), "o"), "o.timeout"),
        (lambda: codec_worker.read_methods([pb.Method(name="a\n")]), "methods[0].name"),
        (lambda: codec_worker.read_methods([pb.Method(name="a@2")]), "methods[0].name"),
        (lambda: codec_worker.read_methods([pb.Method(name="a"), pb.Method(name="a", version=1)]), "methods"),
        (lambda: codec_worker.read_methods([pb.Method(name="a", docs=["x" * 99_999])]), "methods[0].docs"),
        (lambda: codec_worker.read_facts(pb.WorkerFacts(id="w", slots=0)), "facts.slots"),
        (lambda: codec_worker.read_facts(pb.WorkerFacts(id="w", slots=10**9)), "facts.slots"),
        (lambda: codec_worker.read_facts(pb.WorkerFacts(id="", slots=1)), "facts.id"),
        (lambda: codec_worker.read_facts(pb.WorkerFacts(id="w" * 10**6, slots=1)), "facts.id"),
        (lambda: codec_worker.read_facts(pb.WorkerFacts(id="w", slots=1, groups=["g", ""])), "facts.groups[1]"),
        (lambda: codec_view.read_states(["ready", "bogus"]), "states[1]"),
    ],
)
def test_wrong_input_is_told_with_its_path(read: Any, path: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read()
    assert error.value.errors[0].path == path


def _with_verdict(number: int) -> pb.Result:
    """An enum's number of another version, as it comes over the wire."""
    varint = number.to_bytes(1, "big") if number >= 0 else b"\xff" * 9 + b"\x01"
    return pb.Result.FromString(b"\x0a\x10" + ID + b"\x18" + varint)


@pytest.mark.parametrize(
    "submission",
    [
        Submission(ID, "a\ud800"),
        Submission(ID, "a", version=-1),
        Submission(ID, "a", version=2**40),
        Submission(ID, "a", labels=(("a", "\ud800"),)),
        Submission(ID, "a", options=Options(retries=-1)),
        Submission(ID, "a", options=Options(priority=10**12)),
        Submission(ID, "a", options=Options(timeout="soon")),  # type: ignore[arg-type]
        Submission(ID, "a", options=Options(retry_on=(1,))),  # type: ignore[arg-type]
        Submission(ID, None),  # type: ignore[arg-type]
    ],
)
def test_what_the_wire_cannot_carry_is_refused_where_it_was_said(submission: Submission) -> None:
    with pytest.raises(InvalidInput):
        writers.write_submission(submission, pb.NewTask())


def test_a_wrong_option_is_named() -> None:
    with pytest.raises(InvalidInput) as error:
        writers.write_submission(Submission(ID, "a", options=Options(retries=-1)), pb.NewTask())
    assert error.value.errors[0].path == "retries"


@given(options)
def test_options_arrive_as_they_were(said: Options) -> None:
    message = pb.Options()
    codec_options.write_options(said, message, "")
    read = codec_options.read_options(through_bytes(message), "options")
    assert read == said
    assert (read is NO_OPTIONS) == (said == NO_OPTIONS)


def a_task(state: State = State.RUNNING, **rest: Any) -> Task:
    spec = Spec(
        Lane("add", "g", 2, "w"),
        b"[1]",
        3,
        RetryPolicy(retries=4),
        5_000_000,
        unique_key="u",
        created_at=7,
        fire_at=8,
        labels=(("a", "b"),),
    )
    return Task(ID, spec, state, rest.pop("reason", Reason.LEASED), 0, seq=9, attempt=2, failures=1, **rest)


def test_an_assignment_has_what_the_worker_needs() -> None:
    assignment = pb.Assignment()
    codec.write_assignment(a_task(), assignment, True)
    assert assignment == pb.Assignment(
        id=ID,
        attempt=2,
        method="add",
        version=2,
        params=b"[1]",
        timeout=5_000_000,
        announce=True,
        created_at=7,
        fire_at=8,
        failures=1,
        retries=4,
        group="g",
        labels={"a": "b"},
    )


def test_a_plain_assignment_is_small() -> None:
    assignment = pb.Assignment()
    codec.write_assignment(Task(ID, Spec(Lane("add")), State.RUNNING, Reason.LEASED, 0, attempt=1), assignment, False)
    assert {field.name for field, _ in assignment.ListFields()} == {"id", "attempt", "method", "params"}


def test_an_assignment_says_what_the_task_comes_after_its_batch_and_its_trace() -> None:
    spec = Spec(Lane("add"), after=(ID, ID[::-1]), batch="night", trace="00-aa-bb-01")
    assignment = pb.Assignment()
    codec.write_assignment(Task(ID, spec, State.RUNNING, Reason.LEASED, 0, attempt=1), assignment, False)
    assert (list(assignment.after), assignment.batch, assignment.trace) == ([ID, ID[::-1]], "night", "00-aa-bb-01")


def test_a_bad_parent_is_told_by_its_place() -> None:
    with pytest.raises(InvalidInput) as refused:
        codec.read_submission(pb.NewTask(id=ID, method="add", after=[ID, b"x"]), 3)
    assert refused.value.errors[0].path == "tasks[3].after[1]"


def test_outcomes_carry_the_result_or_the_error() -> None:
    done, broken = pb.Ended.Outcome(), pb.Ended.Outcome()
    codec.write_outcome(a_task(State.SUCCEEDED, reason=Reason.RETURNED, outcome=b"3"), done)
    packed = Failure(("app.Bad",), "no \ud800", "trace").pack()
    codec.write_outcome(a_task(State.FAILED, reason=Reason.RAISED, outcome=packed), broken)
    assert (done.state, done.reason, done.result, done.attempt) == ("succeeded", "returned", b"3", 2)
    assert not done.HasField("error")
    assert (broken.state, broken.result, list(broken.error.types)) == ("failed", b"", ["app.Bad"])
    assert broken.error.message == "no ?"


def test_a_failure_with_lone_surrogates_travels() -> None:
    result = pb.Result()
    writers.write_report(Report(ID, 1, Verdict.RAISED, failure=Failure(("X\udc80",), "m\ud800", "t")), result)
    assert codec.read_report(through_bytes(result), 0).failure == Failure(("X?",), "m?", "t")


def test_a_task_is_shown_with_everything_it_has() -> None:
    view = pb.Task()
    task = a_task(due_at=11, claimed_at=12, started_at=13, worker=5)
    codec_view.write_task(task, view, "worker-5")
    assert (view.method, view.group, view.version, view.target, view.state) == ("add", "g", 2, "w", "running")
    assert (view.worker, view.seq, view.due_at, view.started_at, view.unique_key) == ("worker-5", 9, 11, 13, "u")
    assert dict(view.labels) == {"a": "b"}


def test_a_task_is_shown_with_what_it_comes_after_and_its_keys() -> None:
    spec = Spec(
        Lane("add", key="k"), unique_key="u", unique_mode="replace", concurrency_limit=3, after=(ID,), run_anyway=True,
        batch="night",
    )  # fmt: skip
    view = pb.Task()
    codec_view.write_task(Task(ID, spec, State.WAITING, Reason.PARENTS, 0), view, "")
    assert (view.concurrency_key, view.concurrency_limit, view.unique_mode) == ("k", 3, "replace")
    assert (list(view.after), view.on_parent_failure, view.batch, view.reason) == ([ID], "run", "night", "parents")


def test_a_plain_task_shows_no_keys_and_no_parents() -> None:
    view = pb.Task()
    codec_view.write_task(Task(ID, Spec(Lane("add")), State.READY, Reason.SUBMITTED, 0), view, "")
    said = {field.name for field, _ in view.ListFields()}
    assert not said & {"concurrency_key", "concurrency_limit", "unique_mode", "after", "on_parent_failure", "batch"}


def test_a_long_history_keeps_its_newest_errors_whole() -> None:
    packed = Failure(("E",), "m" * 4000, "t" * 30_000).pack()
    history = [AttemptRecord(1, n, 5, 1, 2, 3, Reason.RETRY, packed) for n in range(1, 101)]
    view = pb.Task()
    codec_view.write_attempts(history, view, {5: "w5"})
    assert len(view.attempts) == 100
    assert view.ByteSize() < 1_200_000
    assert view.attempts[99].error.traceback
    assert view.attempts[99].worker == "w5"
    assert not view.attempts[0].error.traceback
    assert view.attempts[0].error.message


@given(st.builds(LogLine, st.integers(0, 100), st.integers(0, 2**60), st.integers(0, 50), texts, st.integers(0, 2**60)))
def test_a_log_line_arrives_as_it_was(line: LogLine) -> None:
    message = pb.LogLine()
    codec_view.write_line(line, message)
    told = through_bytes(message)
    assert LogLine(told.attempt, told.at, told.level, told.text, told.number) == line


def test_lines_of_a_worker_belong_to_its_attempt_and_are_cut() -> None:
    [line] = codec_view.read_lines([pb.LogLine(number=7, attempt=9, level=20, text="x" * 99_999)], 2)
    assert (line.attempt, line.number) == (2, 0)
    assert len(line.text) < 17_000


@pytest.mark.parametrize(("said", "kept"), [(0.5, 0.5), (7.0, 1.0), (-1.0, 0.0), (float("nan"), 0.0)])
def test_progress_is_kept_between_nothing_and_all(said: float, kept: float) -> None:
    assert codec_view.read_progress(pb.Progress(share=said, note="n", at=5), 3) == Progress(3, 5, kept, "n")


@given(
    st.builds(
        Facts,
        id=names,
        name=texts,
        application=texts,
        host=texts,
        pid=st.integers(0, 2**22),
        memory_bytes=st.integers(0, 2**50),
        weight=st.integers(1, 100),
        labels=labels,
        groups=st.lists(names, max_size=3).map(tuple),
        slots=st.integers(1, 1000),
    )
)
def test_facts_arrive_as_they_were(facts: Facts) -> None:
    message = pb.WorkerFacts()
    codec_worker.write_facts(facts, message)
    assert codec_worker.read_facts(through_bytes(message)) == facts


def test_numbers_that_no_store_can_hold_are_brought_down() -> None:
    assert codec_worker.read_facts(pb.WorkerFacts(id="w", slots=1, memory_bytes=2**64 - 1)).memory_bytes == 2**63 - 1
    assert codec_worker.read_load(pb.Load(cpu=float("inf"), memory_bytes=2**64 - 1)) == Load(0.0, 2**63 - 1)


@given(st.builds(Method, names, st.integers(1, 100), st.lists(texts, max_size=3).map(tuple), st.binary(), options))
def test_a_method_arrives_as_it_was(method: Method) -> None:
    message = pb.Method()
    codec_options.write_method(method, message, workers=3)
    assert codec_worker.read_methods([through_bytes(message)]) == [method]
    assert message.workers == 3


def test_a_worker_is_listed_with_its_methods() -> None:
    view = pb.WorkerView()
    record = WorkerRecord(3, Facts("w"), (Method("add"), Method("add", 2)), gone_at=4, gone_reason="lost", in_hand=2)
    codec_worker.write_worker(record, view)
    assert list(view.methods) == ["add", "add@2"]
    assert (view.online, view.gone_at, view.gone_reason, view.in_hand) == (False, 4, "lost", 2)


def test_held_tasks_and_refs_arrive_as_they_were() -> None:
    held = [Held(ID, 2, None), Held(ID, 3, 5)]
    started = pb.Started()
    for item in held:
        writers.write_held(item, started.tasks.add())
    stop = pb.Stop()
    codec.write_refs([(ID, 2)], stop.tasks.add)
    assert codec.read_held(started.tasks) == held
    assert codec.read_refs(stop.tasks) == [(ID, 2)]


def test_every_state_and_reason_has_its_word() -> None:
    assert [codec.STATES[state] for state in State] == [state.name.lower() for state in State]
    assert [codec.REASONS[reason] for reason in Reason] == [reason.name.lower() for reason in Reason]
    assert set(Verdict) == {Verdict(number) for number in pb.Verdict.values() if number}


def test_ended_and_unended_stand_for_their_states() -> None:
    assert set(codec_view.read_states(["ended"])) == {state for state in State if state.ended}
    assert codec_view.read_states(["unended", "ready"]).count(State.READY) == 1
