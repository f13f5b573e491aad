"""The screens at every size, with nothing, with trouble, and while a deploy runs."""

import pytest
from rich.cells import cell_len

from fleet.core.events import HostFailed, LinkLost, Measured, Planned, RunStarted, ServerSampled
from fleet.core.snapshot import dump, load
from fleet.tui.options import Options
from tests.tui.stage import NOON, Stage, stage

SIZES = [(80, 24), (140, 40), (40, 12), (30, 6), (59, 10), (70, 14), (110, 20), (200, 60), (1, 1), (12, 3)]


def lines(it: Stage) -> list[str]:
    return it.screen.splitlines()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key", ["1", "2", "3", "question_mark"])
async def test_every_screen_fits_every_size(size, key):
    async with stage(size) as it:
        await it.press(key)
        assert len(lines(it)) <= size[1]
        assert all(cell_len(line) <= size[0] for line in lines(it))


async def test_growing_and_shrinking_keeps_the_cursor_and_changes_the_columns():
    async with stage() as it:
        await it.press("j", "j")
        name = it.cursor
        for width, height in ((140, 40), (40, 12), (30, 6), (200, 60), (80, 24)):
            await it.pilot.resize_terminal(width, height)
            await it.pilot.pause()
            if width >= 40:
                assert it.cursor == name
                assert name in it.screen
        assert "KV%" in it.screen


async def test_140_columns_have_a_side_pane_for_the_host_under_the_cursor():
    async with stage((140, 40)) as it:
        assert "TEMP" in it.screen
        assert "HISTORY 60 s" in it.screen
        assert "restarts 0" in it.screen
        name = it.rows[3]
        await it.press("j", "j", "j")
        assert f"│ {name}" in lines(it)[1]


async def test_a_tiny_screen_counts_the_problems_only():
    async with stage((30, 6)) as it:
        assert "2 problems: 1 down 1 warn" in it.screen
        assert "GEN" not in it.screen


async def test_a_low_screen_has_no_header_and_no_hints():
    async with stage((80, 10)) as it:
        assert "12 hosts" not in it.screen
        assert "Enter open" not in it.screen
        assert "GEN t/s" in lines(it)[0]


async def test_ascii_is_ascii():
    async with stage((140, 40), options=Options(tick=3600.0, ascii=True)) as it:
        await it.pass_seconds(5)
        assert it.screen.isascii()
        assert "+ busy" in it.screen
        await it.press("enter")
        assert it.screen.isascii()
        await it.ask("deploy", 2, ["rtx4070"])
        assert it.screen.isascii()


async def test_the_banner_and_the_status_are_where_they_belong():
    async with stage(options=Options(tick=3600.0, banner="SIMULATED")) as it:
        assert "SIMULATED" in lines(it)[0]
        assert "ssh timeout" in lines(it)[-2]
        assert "-> next: doctor mac" in lines(it)[-2]
        assert "? help" in lines(it)[-1]


async def test_a_silent_host_ages_goes_stale_and_leaves_the_total():
    async with stage() as it:
        await it.pass_seconds(2, is_silent=True)
        assert "1s" in it.screen or "2s" in it.screen
        await it.pass_seconds(2, is_silent=True)
        assert "~" in it.screen
        await it.pass_seconds(2, is_silent=True)
        assert "◌ stale" in it.screen
        assert "over 0/12" in it.screen
        assert "gen -- t/s" in it.screen


async def test_a_lost_host_is_down_and_its_values_are_unknown():
    async with stage() as it:
        lost = [LinkLost(ts=NOON, run="c", host=name, message="no keepalive") for name in it.rows]
        await it.tell(*lost)
        await it.pass_seconds(20, is_silent=True)
        assert "12 down" in it.screen
        assert "✖ down" in it.screen
        assert "61.4" not in it.screen


async def test_the_header_says_when_our_own_loop_is_behind():
    async with stage() as it:
        it.app.seconds = 1.0
        await it.look()
        it.clock[0] += 34.0
        await it.look()
        assert "behind" in it.app.header.text


async def test_a_host_says_what_is_wrong_and_what_comes_next():
    async with stage() as it:
        await it.press("G", "enter")
        assert "Fleet > mac" in it.screen
        assert "unreachable: ssh timeout" in it.screen
        assert "-> next: doctor mac" in it.screen
        assert "chat" in it.screen


async def test_a_host_shows_its_servers_with_reasons_and_real_traffic():
    async with stage((140, 40)) as it:
        name = it.cursor
        sick = ServerSampled(
            ts=NOON,
            run="c",
            host=name,
            server="code",
            state="wedged",
            model="qwen",
            reason="no token for 60 s",
        )
        measured = Measured(ts=NOON, run="c", host=name, server="chat", generation_tps=61.2, ttft=0.21)
        await it.tell(sick, measured)
        await it.press("enter")
        for text in ("code", "wedged", "no token for 60 s", "TTFT 210 ms", "RAM", "EVENTS", "probed"):
            assert text in it.screen
        await it.press("j", "x")
        assert it.sent == [f"stop code@{name}"]


async def test_no_host_chosen_says_what_to_do():
    async with stage(hosts=12) as it:
        it.app.scene.host = None
        it.app.show_view("host")
        await it.look()
        assert "Press 1" in it.screen


async def test_without_a_deploy_the_screen_says_how_to_make_one():
    async with stage() as it:
        await it.press("3")
        assert ":deploy HOST" in it.screen


async def test_a_deploy_goes_through_its_phases():
    async with stage((140, 40)) as it:
        names = ["rtx4070", "m3max", "laptop"]
        await it.press("3")
        parts = list(it.story.deploy("41", names, it.clock[0]))
        for events in parts[:2]:
            await it.tell(*events)
        assert "0/3 done" in it.screen
        assert it.screen.count(" wait") >= 3
        for events in parts[2:8]:
            await it.tell(*events)
        assert "ok 1m03" in it.screen
        assert "%" in it.screen
        assert it.app.scene.words["rtx4070"] == "deploying"
        for events in parts[8:]:
            await it.tell(*events)
        assert "3/3 done" in it.screen
        assert "done" in it.screen
        assert "failed" in it.screen
        assert "-> next: logs laptop" in it.screen
        assert "exit 3" in it.screen
        assert "by ana" in it.screen
        await it.press("z")
        assert list(it.app.view.table().keys) == ["laptop"]


async def test_a_row_of_a_deploy_fits_80_columns():
    async with stage() as it:
        await it.press("3")
        for events in it.story.deploy("41", ["rtx4070", "m3max"], it.clock[0]):
            await it.tell(*events)
        (row,) = [line for line in lines(it) if line.startswith(" rtx4070")]
        assert row.endswith("done")
        await it.press("enter")
        assert "PLAN rtx4070" in it.screen
        assert "--- output" in it.screen
        await it.press("escape")
        assert "PLAN" not in it.screen
        await it.press("escape")
        assert it.app.current == "fleet"


async def test_leaving_while_a_deploy_runs_asks_once():
    async with stage() as it:
        for events in list(it.story.deploy("41", ["rtx4070"], it.clock[0]))[:3]:
            await it.tell(*events)
        await it.press("q")
        assert it.app.is_running
        assert "still runs" in it.status
        await it.press("q")
        assert not it.app.is_running


async def test_a_host_that_is_not_known_yet_can_be_in_a_deploy():
    async with stage() as it:
        await it.press("3")
        await it.tell(
            RunStarted(ts=NOON, run="9", verb="deploy", hosts=("new-1",), actor="ana"),
            Planned(ts=NOON, run="9", host="new-1", steps=("push",), phases=("push",)),
            HostFailed(
                ts=NOON, run="9", host="new-1", kind="auth", message="no key fits", next="doctor new-1"
            ),
        )
        assert "no key fits" in it.screen


async def test_without_an_inventory_there_are_three_ways():
    async with stage(known=(), why="no inventory found (looked in: ./inventory.toml)") as it:
        for text in ("no inventory", "./inventory.toml", "fleet init", "fleet demo", "open PATH"):
            assert text in it.screen
        await it.press("1", "2", "3", "j", "d", "enter")
        assert "no inventory" in it.screen
        assert it.sent == []


@pytest.mark.parametrize(("key", "chosen"), [("i", "init"), ("D", "demo")])
async def test_the_first_run_leaves_with_what_was_chosen(key, chosen):
    async with stage(known=()) as it:
        await it.press(key)
        assert it.app.return_value == chosen


async def test_the_first_run_asks_for_a_path():
    async with stage(known=()) as it:
        await it.press("o")
        await it.type("/srv/x.toml")
        await it.press("enter")
        assert it.app.return_value == "open /srv/x.toml"


async def test_the_last_snapshot_is_there_at_once_and_is_as_old_as_it_is():
    async with stage() as before:
        text = dump(before.app.scene.state)
        known = before.story.known
    async with stage(known=known, state=load(text, known)) as it:
        it.clock[0] += 3600
        await it.look()
        assert "qwen3-8b-q4km" in it.screen
        assert "◌ stale" in it.screen
        assert "60m" in it.screen
        assert "over 0/12" in it.screen
