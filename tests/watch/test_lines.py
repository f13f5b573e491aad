"""Events as lines for a person at a shell."""

import pytest

from fleet.core.events import (
    Connected,
    HostDone,
    HostFailed,
    LinkLost,
    Notice,
    Output,
    Planned,
    Probed,
    StepDone,
    StepFailed,
    StepProgress,
    StepStarted,
)
from fleet.watch.lines import line

STAMP = {"ts": 1.0, "run": "r", "host": "mac"}
STEP = {"step": "push tiny", "phase": "push", "total": 3}
MIB = 2**20


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (StepStarted(**STAMP, **STEP, done=0), "mac: [1/3] push tiny ..."),
        (
            StepDone(**STAMP, **STEP, key="k", done=1, seconds=61.0, bytes=2 * MIB),
            "mac: [1/3] push tiny: ok (1m01, 2.0 MiB sent)",
        ),
        (
            StepDone(**STAMP, **STEP, key="k", done=1, seconds=61.0, bytes=2 * MIB, route="peer"),
            "mac: [1/3] push tiny: ok (1m01, 2.0 MiB received)",
        ),
        (StepDone(**STAMP, **STEP, key="k", done=1, seconds=1.0), "mac: [1/3] push tiny: ok (1 s)"),
        (
            StepFailed(**STAMP, **STEP, done=1, kind="step", message="no room", next=None),
            "mac: [2/3] push tiny: FAILED",
        ),
        (
            StepProgress(
                **STAMP,
                step="push tiny",
                phase="push",
                done=MIB,
                total=2 * MIB,
                unit="bytes",
                rate=MIB,
                left=130.0,
            ),
            "mac: push tiny 50% 1.0 MiB/s, 2m10 left",
        ),
        (
            StepProgress(
                **STAMP, step="fetch", phase="build", done=MIB, total=None, unit="bytes", rate=None, left=None
            ),
            "mac: fetch 1.0 MiB",
        ),
        (
            HostFailed(**STAMP, kind="step", message="push: no room", next="fleet gc mac"),
            "mac: push: no room\n-> next: fleet gc mac",
        ),
        (LinkLost(**STAMP, message="the connection was lost"), "mac: the connection was lost"),
        (Notice(ts=1.0, run="r", host=None, message="a word"), "a word"),
        (
            Probed(**STAMP, seconds=1.0, platform="linux", rebooted=True),
            "mac: was restarted since the last look",
        ),
        (Probed(**STAMP, seconds=1.0, platform="linux"), None),
        (Connected(**STAMP, seconds=1.0), None),
        (HostDone(**STAMP, changed=True), None),
        (Planned(**STAMP, steps=("a",)), None),
        (Output(**STAMP, step="", line="x"), None),
    ],
)
def test_an_event_as_a_line(event, said):
    assert line(event) == said


def test_what_steps_print_is_shown_when_asked_for():
    assert (
        line(Output(**STAMP, step="", line="[1/2] Building x"), is_verbose=True) == "mac: | [1/2] Building x"
    )
