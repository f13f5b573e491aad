"""The door to the dashboard: checks the terminal, sets what textual reads once, runs it."""

import os
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fleet.core.state import Known, State
from fleet.tui.feed import Feed
from fleet.tui.options import Options, check_terminal, environment, is_utf8

if TYPE_CHECKING:
    from fleet.tui.app import FleetApp

DEFAULT = Options()
Completer = Callable[[str], Sequence[tuple[str, str]]]  # line so far -> (last word completed, help)


def launch(
    feed: Feed,
    submit: Callable[[str], None],
    *,
    hosts: Sequence[Known] = (),
    options: Options = DEFAULT,
    **more: Any,
) -> str | None:
    """Runs the dashboard until it is left.

    Args:
        feed: where events and questions come from.
        submit: takes a line as typed after `:`; what comes of it arrives in the feed.
        hosts: of the inventory, in its order. None at all: the first-run screen.
        more: see `make`.

    Returns:
        What the person chose to do instead: `init`, `demo`, `open PATH`; None after quitting.

    Raises:
        UsageError: there is no terminal to draw on.
    """
    # textual draws on standard error
    check_terminal(sys.stdin.isatty(), sys.stdout.isatty() and sys.stderr.isatty(), os.environ)
    for name in ("COLUMNS", "LINES"):  # they would hide that the window was resized
        os.environ.pop(name, None)
    app = make(feed, submit, hosts=hosts, options=options, **more)
    return app.run(mouse=app.scene.options.has_mouse)


def make(
    feed: Feed,
    submit: Callable[[str], None],
    *,
    hosts: Sequence[Known] = (),
    options: Options = DEFAULT,
    state: State | None = None,
    levels: Mapping[str, int] | None = None,
    complete: Completer | None = None,
    background: Callable[[], Coroutine[Any, Any, None]] | None = None,
    **more: Any,
) -> "FleetApp":
    """The app, not running; for those who have an event loop: `await app.run_async(...)`.

    Args:
        state: of the last snapshot, for the first paint.
        levels: danger level of each verb (TUI: y from 1, the number of hosts from 2).
        complete: candidates for the last word of the command line.
        background: runs beside the app in its loop (collector, engine) and is
            cancelled when it ends.
        more: `now`, `monotonic`, `inventory` (path for $EDITOR), `why` nothing is shown, `keymap`, `desk`.
    """
    options = replace(
        options,
        ascii=options.ascii or not is_utf8(os.environ),
        no_color=options.no_color or "NO_COLOR" in os.environ,
    )
    os.environ.update(environment(options))
    from fleet.tui.app import FleetApp

    return FleetApp(
        feed,
        submit,
        hosts=hosts,
        options=options,
        state=state,
        levels=levels or {},
        complete=complete,
        background=background,
        **more,
    )
