"""The benchmark of decode speeds: public rows, and the figures that must hold on them."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "speed.py"
OURS = ROOT / "benchmarks" / "speed_rows.csv"
SHARED = Path(os.environ.get("FLEET_SHARED", ROOT.parent / "shared"))
REFERENCE = SHARED / "recordings" / "hardware" / "reference-decode-speeds.csv"
HEAD = "device,bandwidth_GBps,backend,model,size,test,tps,layers,bytes_read_per_token,fitted,source\n"
FILES = [OURS, *([REFERENCE] if REFERENCE.is_file() else [])]


def ratios(rows: Path) -> list[float]:
    return [row["ratio"] for row in json.loads(said("--rows", str(rows), "--json"))["rows"]]


def said(*words: str) -> str:
    done = subprocess.run([sys.executable, str(SCRIPT), *words], text=True, capture_output=True, check=True)
    return done.stdout


def errors(rows: Path) -> list[float]:
    return [abs(ratio - 1) for ratio in ratios(rows)]


@pytest.mark.parametrize("rows", FILES, ids=lambda path: path.name)
def test_the_median_error_is_below_5_percent(rows: Path) -> None:
    assert statistics.median(errors(rows)) < 0.05


@pytest.mark.parametrize("rows", FILES, ids=lambda path: path.name)
def test_rows_marked_fitted_are_within_6_percent(rows: Path, tmp_path: Path) -> None:
    marked = [line for line in rows.read_text().splitlines(keepends=True) if ",yes," in line]
    (tmp_path / "fitted.csv").write_text(HEAD + "".join(marked))
    assert len(marked) >= 12
    assert max(errors(tmp_path / "fitted.csv")) < 0.06


def test_max_and_ultra_chips_are_no_worse_than_the_rest(tmp_path: Path) -> None:
    wide = [
        line
        for line in OURS.read_text().splitlines(keepends=True)
        if " Max " in line[:9] or "Ultra" in line[:9]
    ]
    (tmp_path / "wide.csv").write_text(HEAD + "".join(wide))
    assert len(wide) > 30
    assert statistics.median(errors(tmp_path / "wide.csv")) < 0.05


def test_the_document_has_value_against_and_ratio(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(
        HEAD + "RTX 4070 Ti,504,CUDA,Llama-3-8B Q4_K_M,,gen1024,82.21,32,4622235729,,XiongjieDai\n"
    )
    (row,) = json.loads(said("--rows", str(tmp_path / "one.csv"), "--json"))["rows"]
    assert set(row) == {"what", "value", "against", "ratio"}
    assert row["what"] == "fleet, RTX 4070 Ti, Llama-3-8B Q4_K_M"
    assert row["ratio"] == pytest.approx(row["value"] / 82.21)


def test_the_table_names_what_it_cannot_judge(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(
        HEAD
        + "RTX 5070 (partial offload),672,llama.cpp,Qwen3-32B Q4_K_M,,bench,4.42,64,19324574368,,x\n"
        + "Core i7-1270P laptop,,CPU (ollama),gemma3:4b,,bench,8.93,,,,llmfit\n"
        + "M3 Max 40c 64GB,400,Metal,Llama-3-70B Q4_K_M,42.5 GB,gen1024,7.53,80,41908996352,,XiongjieDai\n"
        + "A card of next year,1000,CUDA,Llama-3-8B Q4_K_M,,tg128,150,32,4622235729,,somebody\n"
    )
    told = said("--rows", str(tmp_path / "rows.csv"))
    assert "all: 2 rows" in told
    assert "not judged: RTX 5070 (partial offload), Qwen3-32B Q4_K_M: partial offload" in told
    assert "not judged: Core i7-1270P laptop, gemma3:4b: no bandwidth, layers or bytes" in told
