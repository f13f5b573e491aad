"""Values of this second that the kernel shows without a tool."""

from pathlib import Path

import pytest

from fleet.platforms.base import program
from tests.platforms.shells import SHELLS, run


@pytest.mark.parametrize("shell", SHELLS)
def test_cards_of_amd_show_their_load_without_a_tool(shell, tmp_path: Path):
    for card, files in {
        "card0": {
            "mem_info_vram_total": 25753026560,
            "mem_info_vram_used": 1572757504,
            "gpu_busy_percent": 37,
        },
        "card1": {"mem_info_vram_total": 67108864, "mem_info_vram_used": 26079232, "gpu_busy_percent": 99},
        "card2": {"mem_info_vram_total": 17163091968, "mem_info_vram_used": 0},
        "card3": {"vendor": "0x8086"},
    }.items():
        (tmp_path / card / "device").mkdir(parents=True)
        for name, value in files.items():
            (tmp_path / card / "device" / name).write_text(f"{value}\n")
    answer = run(shell, program(f"_gpu=''\nlinux_radeons '{tmp_path}'\necho \"$_gpu\"\n"))
    assert (answer.stderr, answer.stdout) == (b"", b"37,1499,24560,,;,0,16368,,\n")
