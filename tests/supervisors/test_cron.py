"""The one line in the user's crontab, and all the others in it."""

from pathlib import Path

import pytest

from fleet.platforms.base import program
from fleet.supervisors.base import packaged
from tests.supervisors.conftest import SHELLS

# busybox would run its own crontab whatever the PATH says.
pytestmark = pytest.mark.parametrize("place", [name for name in SHELLS if name != "busybox"], indirect=True)

# Keeps a table as crontab does; there need be no cron to test what is written into it.
CRONTAB = """#!/bin/sh
table="$TABLE"
case $1 in
    -l) [ -f "$table" ] || { echo "no crontab for ops" >&2; exit 1; }; cat "$table" ;;
    *) cat "$1" > "$table" ;;
esac
"""
BROKEN = '#!/bin/sh\n[ "$1" = -l ] || : > "$TABLE"\necho \'crontab: cannot open /var/spool\' >&2\nexit 1\n'


@pytest.fixture
def table(place):
    command = place.shells / "crontab"
    command.write_text(CRONTAB)
    command.chmod(0o700)
    path = place.root.parent / "table"
    place.env["TABLE"] = str(path)
    (place.root / "services" / "chat").mkdir(parents=True)
    return path


def edit(place, what):
    body = f'service="$FLEET_ROOT/services/chat"\n{what}\n'
    return place.sh(program(packaged("own", "supervise_control") + body, SERVER="chat"))


def test_the_line_is_written_once_and_taken_away_alone(place, table):
    table.write_text("MAILTO=ops\n5 * * * * backup # fleet chatter\n")
    before = table.read_text()
    for _ in range(2):
        assert edit(place, "service_enable").stdout == ""
    added = table.read_text().removeprefix(before)
    assert added.count("@reboot") == 1
    assert f"'{place.root}/bin/supervise.sh' chat" in added
    assert edit(place, "service_remove").returncode == 0
    assert table.read_text() == before


def test_without_a_table_one_is_begun(place, table):
    edit(place, "service_enable")
    assert table.read_text().count("\n") == 1


def test_a_table_that_cannot_be_read_is_never_written(place, table):
    table.write_text("5 * * * * backup\n")
    (place.shells / "crontab").write_text(BROKEN)
    answer = edit(place, "service_enable")
    assert "does not survive a reboot" in answer.stdout
    assert table.read_text() == "5 * * * * backup\n"


def test_percent_signs_and_quotes_in_the_root_reach_cron_unharmed(place, table):
    place.root = Path(f"{place.root} 100% it's")
    (place.root / "services" / "chat").mkdir(parents=True)
    edit(place, "service_enable")
    edit(place, "service_enable")
    assert table.read_text().count("@reboot") == 1
    assert "100\\% it'\\''s/bin/supervise.sh' chat" in table.read_text()
    edit(place, "service_remove")
    assert table.read_text() == ""
