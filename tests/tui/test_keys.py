"""What each key does on each screen."""

import json

import pytest

from fleet.io.desk import Desk
from fleet.tui.keys import GLOBAL, LOCAL
from fleet.tui.options import Options
from tests.tui.stage import stage

READ_ONLY = Options(tick=3600.0, read_only=True)


def test_no_local_key_gives_a_global_one_another_meaning():
    everywhere = {name for key in GLOBAL for name in key.keys.split(",")}
    assert len(everywhere) == sum(len(key.keys.split(",")) for key in GLOBAL)
    for keys in LOCAL.values():
        assert not everywhere & {name for key in keys for name in key.keys.split(",")}


async def test_the_fleet_says_how_everybody_is():
    async with stage() as it:
        assert "12 hosts" in it.screen
        assert "1 down" in it.screen
        assert "over 11/12" in it.screen
        assert "✖ down" in it.screen
        assert "▲ swapping" in it.screen
        assert "Enter open" in it.screen


async def test_moving_goes_to_every_row_and_not_beyond():
    async with stage() as it:
        await it.press("k")
        assert it.cursor == it.rows[0]
        await it.press("j", "down")
        assert it.cursor == it.rows[2]
        await it.press("G")
        assert it.cursor == it.rows[-1]
        await it.press("j")
        assert it.cursor == it.rows[-1]
        await it.press("g")
        assert it.cursor == it.rows[0]


async def test_pages_scroll_through_300_hosts():
    async with stage(hosts=300) as it:
        await it.press("pagedown", "pagedown")
        assert it.rows.index(it.cursor) == 2 * it.app.fleet_view.table().page
        assert it.cursor in it.screen
        await it.press("pageup", "end")
        assert it.rows[-1] in it.screen


async def test_enter_drills_in_and_esc_comes_back_to_the_same_row():
    async with stage() as it:
        await it.press("j", "j")
        name = it.cursor
        assert f"Fleet > {name}" in await it.press("enter")
        assert "SERVER" in it.screen
        await it.press("escape")
        assert it.cursor == name
        assert "GEN t/s" in it.screen


async def test_digits_switch_and_brackets_go_through_the_history():
    async with stage() as it:
        assert "Deploy" in await it.press("3")
        assert "Fleet >" in await it.press("1", "2")
        assert "Deploy" in await it.press("left_square_bracket", "left_square_bracket")
        assert "Fleet >" in await it.press("right_square_bracket", "right_square_bracket")
        await it.press("minus")
        assert it.app.current == "fleet"


@pytest.mark.parametrize("key", list("4567890"))
async def test_a_screen_that_comes_later_says_so_in_one_line(key):
    async with stage() as it:
        await it.press(key)
        assert "comes with the" in it.status
        assert "fleet " in it.status or "key :" in it.status


async def test_only_problems():
    async with stage() as it:
        await it.press("z")
        assert set(it.rows) == {"mac", "laptop"}
        await it.press("z")
        assert len(it.rows) == 12


async def test_sorting_by_other_columns_and_the_other_way():
    async with stage() as it:
        it.app.sort_by("host")
        await it.pilot.pause()
        assert it.rows == sorted(it.rows)
        await it.press("s")
        assert it.rows == sorted(it.rows, reverse=True)
        await it.press("less_than_sign")
        assert it.app.scene.sort == "age"
        await it.press("greater_than_sign", "greater_than_sign")
        assert it.app.scene.sort == "state"


async def test_hosts_without_a_value_come_last_both_ways():
    async with stage() as it:
        assert it.rows[-1] == "mac"
        await it.press("s")
        assert it.rows[-1] == "mac"


async def test_the_cursor_stays_on_its_host_when_the_order_changes():
    async with stage() as it:
        await it.press("j", "j", "j")
        name = it.cursor
        await it.press("s")
        assert it.cursor == name


async def test_marks_are_shown_and_stand_for_percent():
    async with stage() as it:
        await it.press("space", "space")
        first, second = it.rows[:2]
        assert f"*{first}" in it.screen
        await it.press("colon")
        await it.type("restart %")
        await it.press("enter")
        assert it.sent == [f"restart {first},{second}"]
        await it.press("u")
        assert f"*{first}" not in it.screen
        await it.press("asterisk")
        assert "12 marked" in it.status


async def test_copy_names_its_route_and_always_leaves_a_file(tmp_path):
    async with stage(desk=Desk(tmp_path, {})) as it:
        await it.press("y")
        assert it.cursor in (tmp_path / "yank.txt").read_text()
        assert "yank.txt" in it.status
        await it.press("Y")
        assert json.loads((tmp_path / "yank.txt").read_text())["name"] == it.cursor


@pytest.mark.parametrize(
    ("form", "found"), [("svg", "<svg"), ("text", "rtx4070"), ("csv", "host,"), ("json", '"hosts"')]
)
async def test_the_screen_is_exported(tmp_path, form, found):
    async with stage(desk=Desk(tmp_path, {})) as it:
        await it.press("e", "backspace", "backspace", "backspace")
        await it.type(form)
        await it.press("enter")
        (path,) = tmp_path.iterdir()
        assert found in path.read_text()
        assert path.name in it.status


async def test_pause_stops_painting_and_nothing_is_lost():
    async with stage() as it:
        await it.press("p")
        assert "paused" in it.app.header.text
        before = it.app.fleet_view.table().row_text()
        await it.pass_seconds(3)
        await it.press("p")
        assert "paused" not in it.app.header.text
        assert it.app.scene.state.newest == it.clock[0]
        assert it.app.fleet_view.table().row_text() != before


async def test_columns_are_chosen_and_wrong_ones_named():
    async with stage() as it:
        it.app._choose_columns("host disk nonsense")
        assert "nonsense" in it.status
        it.app._choose_columns("disk swap")
        await it.pilot.pause()
        assert "DISK" in it.screen
        assert "MODEL" not in it.screen


async def test_wide_scrolls_through_all_columns():
    async with stage() as it:
        await it.press("w")
        assert "PP t/s" in it.screen
        await it.press(*["right"] * 9)
        assert "VRAM" in it.screen
        assert "HOST" in it.screen
        await it.press("w")
        assert "VRAM" not in it.screen


async def test_themes_go_round():
    async with stage() as it:
        seen = set()
        for _ in it.app.scene.options.themes:
            await it.press("T")
            seen.add(it.app.theme)
            assert it.cursor in it.screen
        assert {"ansi-dark", "fleet-contrast", "fleet-cb"} <= seen


async def test_help_is_built_from_the_keys_and_can_be_searched():
    async with stage((140, 40)) as it:
        assert "GEN t/s" in await it.press("question_mark")
        assert "Help: Fleet" in it.screen
        await it.press("slash")
        text = await it.type("swapping")
        assert "degraded" in text
        assert "only problems" not in text
        await it.press("escape", "escape")
        assert "Help" not in it.screen


async def test_q_goes_back_and_at_the_top_quits():
    async with stage() as it:
        await it.press("enter", "q")
        assert it.app.current == "fleet"
        await it.press("q")
        assert not it.app.is_running


async def test_ctrl_c_once_warns_and_twice_quits():
    async with stage() as it:
        await it.press("ctrl+c")
        assert "once more" in it.status
        assert it.app.is_running
        await it.press("ctrl+c")
        assert not it.app.is_running


async def test_two_ctrl_c_far_apart_do_not_quit():
    async with stage() as it:
        await it.press("ctrl+c")
        it.clock[0] += 10
        await it.press("ctrl+c")
        assert it.app.is_running


async def test_a_click_selects_a_second_one_opens_and_a_click_on_the_head_sorts():
    async with stage() as it:
        table = it.app.fleet_view.table()
        await it.pilot.click(table, offset=(3, 4))
        assert it.cursor == it.rows[3]
        await it.pilot.click(table, offset=(3, 0))
        assert it.app.scene.sort == "host"
        row = it.rows.index(it.cursor) + 1
        await it.pilot.click(table, offset=(3, row))
        assert it.app.current == "host"


async def test_keys_can_be_mapped_anew():
    async with stage(keymap={"problems": "f5"}) as it:
        await it.press("f5")
        assert it.app.scene.only_problems
