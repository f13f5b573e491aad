"""A mistake of ours in the dashboard ends it with a traceback, which shows no values."""

import pytest

from fleet.tui.feed import Feed
from fleet.tui.launch import make


def careless() -> None:
    api_key = "canary" + "0123456789abcdef"
    raise RuntimeError(f"a mistake of {len(api_key)} letters")


async def test_the_traceback_of_a_crash_shows_no_local_values(capsys: pytest.CaptureFixture[str]) -> None:
    app = make(Feed(), lambda text: None)
    with pytest.raises(RuntimeError, match="a mistake"):
        async with app.run_test() as pilot:
            app.call_later(careless)
            await pilot.pause()
    shown = "".join(segment.text for each in app._exit_renderables for segment in each.segments)
    shown += capsys.readouterr().err
    assert "a mistake of 22 letters" in shown
    assert "canary0123" not in shown
