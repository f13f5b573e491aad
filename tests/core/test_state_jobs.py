"""Runs as rows and columns of the Deploy screen."""

from fleet.core.events import (
    Event,
    HostDone,
    HostFailed,
    Output,
    Planned,
    Probed,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
)
from fleet.core.jobs import JOBS, LINES, Job, finished, percent
from fleet.core.state import Known, State, beginning, reduce_all

START = RunStarted(ts=1.0, run="r", verb="deploy", hosts=("a", "b"), actor="ana", reason="new model")
PROBED = Probed(ts=2.0, run="r", host="a", seconds=0.5, platform="linux")
PLANNED = Planned(
    ts=3.0, run="r", host="a", steps=("build", "push"), phases=("build", "push"), notes=("why",)
)
RUNNING = StepStarted(ts=4.0, run="r", host="a", step="build", phase="build", done=0, total=2)
HALF = StepProgress(
    ts=5.0, run="r", host="a", step="build", phase="build", done=190, total=380, unit="files", left=60.0
)
BUILT = StepDone(
    ts=6.0, run="r", host="a", step="build", phase="build", key="k", done=1, total=2, seconds=2.0
)


def told(*events: Event) -> State:
    return reduce_all(beginning([Known("a"), Known("b")]), events)


def job(*events: Event) -> Job:
    return told(*events).jobs["r"]


def test_a_job_has_a_row_for_every_host_from_the_start():
    assert list(job(START).rows) == ["a", "b"]
    assert (job(START).actor, job(START).reason) == ("ana", "new model")


def test_a_run_without_a_plan_is_no_change():
    assert not job(START, PROBED).is_change
    assert job(START, PLANNED).is_change


def test_phases_wait_run_and_are_ok():
    assert job(START, PROBED, PLANNED).rows["a"].phases["probe"].state == "ok"
    assert job(START, PLANNED).rows["a"].phases["build"].state == "wait"
    assert job(START, PLANNED, RUNNING).rows["a"].phases["build"].state == "run"
    assert percent(job(START, PLANNED, RUNNING, HALF).rows["a"].phases["build"]) == 50
    built = job(START, PLANNED, RUNNING, HALF, BUILT).rows["a"]
    assert built.phases["build"].state == "ok"
    assert built.phases["push"].state == "wait"
    assert (built.done, built.total) == (1, 2)


def test_two_steps_of_one_phase_add_up():
    row = job(START, PLANNED, RUNNING, BUILT, RUNNING, BUILT).rows["a"]
    assert row.phases["build"].state == "ok"


def test_a_host_is_at_work_until_it_is_done():
    assert told(START, PLANNED).hosts["a"].job is None
    assert told(START, PLANNED, RUNNING).hosts["a"].job == "r"
    done = told(START, PLANNED, RUNNING, HostDone(ts=9.0, run="r", host="a", changed=True))
    assert done.hosts["a"].job is None
    assert done.jobs["r"].rows["a"].result == "done"


def test_nothing_to_do_is_not_the_same_word_as_done():
    assert job(START, HostDone(ts=9.0, run="r", host="a", changed=False)).rows["a"].result == "same"


def test_a_later_empty_plan_does_not_wipe_the_steps():
    row = job(START, PLANNED, RUNNING, BUILT, Planned(ts=8.0, run="r", host="a", steps=())).rows["a"]
    assert row.steps == ("build", "push")
    assert row.phases["build"].state == "ok"


def test_the_first_error_is_the_one_that_is_shown():
    step = StepFailed(
        ts=7.0,
        run="r",
        host="a",
        step="build",
        phase="build",
        done=0,
        total=2,
        kind="step",
        message="cc",
        next="n",
    )
    row = job(
        START, PLANNED, step, HostFailed(ts=8.0, run="r", host="a", kind="x", message="y", next=None)
    ).rows["a"]
    assert row.result == "failed"
    assert row.error is not None
    assert row.error.message == "cc"
    assert row.phases["build"].state == "failed"


def test_output_is_a_ring():
    lines = (Output(ts=5.0, run="r", host="a", step="build", line=str(n)) for n in range(500))
    row = job(START, *lines).rows["a"]
    assert len(row.lines) == LINES
    assert row.lines[-1] == "499"


def test_the_end_of_a_run_has_its_exit_code():
    ended = job(
        START,
        HostDone(ts=8.0, run="r", host="a", changed=True),
        RunEnded(ts=9.0, run="r", exit_code=3, seconds=8.0),
    )
    assert (ended.exit_code, ended.ended, finished(ended)) == (3, 9.0, 1)


def test_old_jobs_are_dropped_but_not_one_that_runs():
    many = [
        event
        for n in range(60)
        for event in (
            RunStarted(ts=n, run=f"n{n}", verb="status", hosts=(), actor="x"),
            RunEnded(ts=n, run=f"n{n}", exit_code=0, seconds=1.0),
        )
    ]
    state = told(START, *many)
    assert len(state.jobs) <= JOBS
    assert "r" in state.jobs


def test_samples_of_the_collector_make_no_job():
    assert not told(PROBED).jobs
