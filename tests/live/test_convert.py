"""Conversions for real: llama.cpp's own converter and tools on a real host, then its server."""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests import tiny_llama
from tests.controller import BUILD_DEADLINE, SMOKE, compiling, share_compilations
from tests.io.hubs import COMMIT, NEXT, TOKEN, ModelHub, Repo
from tests.live.sites import Site, digest

SHORT = ("--max-tokens", "8", "--temperature", "0")  # at random it might end before
TYPES = ("Q4_K_M", "Q5_K_M", "Q8_0")


@pytest.fixture
def site(embedded, controllers):
    host = embedded.up(["m"])["m"]
    share_compilations(host.home)
    controller = controllers()
    controller.write([host], servers={})
    controller.folder.joinpath("calibration.txt").write_text(tiny_llama.text(6000))
    controller.folder.joinpath("check.txt").write_text(tiny_llama.text(5000, seed=8))
    return Site(controller, host)


def convert(source, *words):
    texts = ("--imatrix", "calibration.txt", "--check", "check.txt")
    return "models", "convert", source, "--to", ",".join(TYPES), *texts, *words


def base(folder, name="tiny", seed=1):
    """A GGUF of F16, as the converter would make it of the tiny Llama."""
    path = folder / f"{name}-f16.gguf"
    tiny_llama.write_gguf(path, seed)
    return path


def test_a_gguf_of_16_bits_becomes_three_types_with_a_measured_loss_and_a_second_run_does_nothing(site):
    source = f"file:{base(site.controller.folder)}"
    words = convert(source, "--json")
    planned = site.controller.well(*words, "--dry-run").json
    assert [step["title"] for step in planned["steps"] if "send tiny" in step["title"]] == []
    assert not (site.root / "conversions").exists()
    with compiling():
        made = site.controller.well(*words, "--yes", deadline=BUILD_DEADLINE).json
    (model,) = made["models"]
    files = {file["type"]: file for file in model["files"]}
    assert tuple(files) == TYPES
    sizes = [files[name]["bytes"] for name in TYPES]
    assert sizes == sorted(sizes)
    for file in files.values():
        assert abs(file["bytes"] / file["predicted_bytes"] - 1) < 0.10
        assert file["kld"]["value"] > 0 and file["ppl"]["value"] > 1 and file["bits"] > 4
        assert (site.root / "models" / file["sha256"] / "model.gguf").stat().st_size == file["bytes"]
    # More bits lose less: the table is one of this very model.
    assert files["Q8_0"]["kld"]["value"] < files["Q5_K_M"]["kld"]["value"] < files["Q4_K_M"]["kld"]["value"]
    left = {path.name for path in (site.root / "conversions").glob("*/*")}
    assert not [name for name in left if name.endswith((".gguf", ".kld", ".tmp", ".txt"))]
    again = site.controller.well(*words, "--yes").json
    assert again["steps"] == []
    assert again["models"] == made["models"]


def test_a_killed_conversion_goes_on_where_it_was_and_its_model_is_served(site):
    words = convert(f"file:{base(site.controller.folder)}", "--yes", "--jsonl")
    run = site.controller.start(*words)
    assert run.stdout
    for line in run.stdout:
        event = json.loads(line)
        if event["event"] == "step_done" and event["step"].endswith("quantise to Q4_K_M"):
            break
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)
    again = site.controller.well(*words)
    done = [event["step"] for event in again.events("step_done")]
    assert not [step for step in done if "build llama.cpp" in step or "send base.gguf" in step]
    assert "tiny: quantise to Q4_K_M" not in done
    assert served(site, site.controller.well(*convert(words[2], "--json")).json)


def following(run, kind, step=""):
    """Reads what a run says until an event of that kind, of a step whose title ends so."""
    for line in run.stdout:
        event = json.loads(line)
        if event["event"] == kind and event.get("step", "").endswith(step):
            return event
    raise AssertionError(f"it ended with {run.wait()} before any {kind} {step}")


def test_several_models_come_to_other_hosts_and_into_the_inventory_also_when_the_run_was_killed(
    site, embedded
):
    other = Site(site.controller, embedded.up(["n"])["n"])
    site.controller.write([site.host, other.host], servers={})
    site.controller.inventory.write_text(f"# ours\n{site.controller.inventory.read_text()}\n# the end\n")
    sources = [
        f"file:{base(site.controller.folder, name, seed)}" for seed, name in enumerate(("one", "two"), 1)
    ]
    words = ("models", "convert", *sources, "--to", "Q4_K_M,Q8_0", "--on", "m", "--push", "n", "--add")
    with compiling():
        run = site.controller.start(*words, "--yes", "--jsonl")
        following(run, "step_done", "one: publish Q4_K_M, Q8_0")
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)
    assert "one-q8-0" not in site.controller.inventory.read_text()
    rest = [
        event["step"] for event in site.controller.well(*words, "--yes", "--jsonl").events("step_started")
    ]
    assert not [step for step in rest if step.startswith("one: ") or "build llama.cpp" in step]
    assert "two: publish Q4_K_M, Q8_0" in rest
    made = site.controller.well(*words, "--yes", "--json").json
    assert made["steps"] == []
    files = {file["model"]: file for model in made["models"] for file in model["files"]}
    names = ["one-q4-k-m", "one-q8-0", "two-q4-k-m", "two-q8-0"]
    assert list(files) == names
    assert len({file["sha256"] for file in files.values()}) == 4
    for file in files.values():
        for host in (site, other):
            there = host.root / "models" / file["sha256"] / "model.gguf"
            assert digest(there) == file["sha256"] == digest(Path(file["path"]))
    assert made["inventory"] == {"added": [], "there": names, "taken": []}
    text = site.controller.inventory.read_text()
    assert text.startswith("# ours\n")
    assert "# the end\n" in text
    known = site.controller.well("config", "show", "--json").json["inventory"]["models"]
    assert {name: known[name]["sha256"] for name in names} == {name: files[name]["sha256"] for name in names}

    shown = site.controller.well(*words, "--yes").out
    assert site.controller.inventory.read_text() == text
    assert f"in the inventory already: {', '.join(names)}" in shown
    assert "for inventory.toml" not in shown


def test_a_conversion_outlives_its_link(site):
    words = convert(f"file:{base(site.controller.folder)}", "--yes", "--jsonl")
    with compiling():
        site.controller.well("build", site.name, "--yes", deadline=BUILD_DEADLINE)
        run = site.controller.start(*words)
        following(run, "step_started", "measure the base on the text")
    site.host.kill()
    site.host.start()
    out, _ = run.communicate(timeout=BUILD_DEADLINE)
    assert run.returncode == 0, out[-2000:]
    done = [event["step"] for event in map(json.loads, out.splitlines()) if event["event"] == "step_done"]
    assert done[-4:] == [*(f"tiny: measure {name} against the base" for name in TYPES),
                         f"tiny: publish {', '.join(TYPES)}"]  # fmt: skip
    assert site.controller.well(*words[:-1], "--json").json["steps"] == []


def test_a_tool_that_is_killed_on_the_host_is_said_and_only_the_rest_is_done_again(site):
    words = convert(f"file:{base(site.controller.folder)}", "--yes", "--jsonl")
    # a text that takes long enough to be struck at
    site.controller.folder.joinpath("check.txt").write_text(tiny_llama.text(60000, seed=8))
    run = site.controller.start(*words)
    following(run, "step_started", "measure Q5_K_M against the base")
    strike(until_running(site, "llama-perplexity", "Q5_K_M.gguf"))
    failed = following(run, "step_failed")
    assert "llama-perplexity failed on Q5_K_M: it was killed" in failed["message"]
    run.communicate(timeout=60)
    assert run.returncode == 1
    again = site.controller.well(*words)
    assert [event["step"] for event in again.events("step_done") if event["phase"] == "build"] == [
        "tiny: measure Q5_K_M against the base",
        "tiny: measure Q8_0 against the base",
        f"tiny: publish {', '.join(TYPES)}",
    ]


def until_running(site, *words, program=True):
    """The process of the host whose command line holds the words, as soon as there is one.

    Args:
        program: one of the host's own files is what runs; else the host's home is named somewhere.
    """
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                line = entry.read_bytes().decode(errors="replace")
                place = line.partition("\0")[0] if program else line
                if str(site.home) in place and all(word in line for word in words):
                    return int(entry.parent.name)
    raise AssertionError(f"nothing runs with {words}")


def strike(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pytest.fail("it ended by itself before it was struck: it has too little to do")


def served(site, made) -> str:
    """Deploys the smallest of the types, as the conversion says how, and gives what the server answered."""
    file = made["models"][0]["files"][0]
    model = {"source": f"file:{file['path']}", "sha256": file["sha256"]}
    chat = {"model": "made", "on": [site.name], "context": 256, "parallel": 1}
    site.controller.write([site.host], servers={"chat": chat}, models={"made": model})
    with compiling():
        deployed = site.controller.well("deploy", site.name, "--yes", "--json", deadline=BUILD_DEADLINE).host
    assert not [step for step in deployed["steps"] if "push model" in step["title"]]  # it was made there
    answer = site.controller.well("chat", f"chat@{site.name}", "the", *SHORT, "--json").host
    site.controller.well("stop", f"chat@{site.name}", "--yes", "--reason", "the test is over")
    assert answer["tokens"] == 8
    return str(answer["text"])


def test_what_cannot_be_converted_is_refused_before_anything_moves(site, tmp_path):
    folder = tiny_llama.write(tmp_path / "hf")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    pickled = site.controller("models", "convert", f"file:{folder}", "--yes")
    assert pickled.code == 6
    assert "runs code that is in it" in pickled.err
    unknown = site.controller("models", "convert", f"file:{folder}", "--to", "IQ4_XXS")
    assert unknown.code == 2
    assert "-> next: --to IQ4_XS" in unknown.err
    twice = site.controller("models", "convert", f"file:{SMOKE}", "--dry-run")
    assert twice.code == 6
    assert "is quantised already (Q8_0): made smaller again it would lose twice" in twice.err
    assert not (site.root / "conversions").exists()


@pytest.mark.long
def test_a_hugging_face_folder_becomes_three_types_and_is_served(site, tmp_path):
    """Fetches 0.6 GB of Python packages once for a machine, and unpacks 1.3 GB on the host."""
    folder = tiny_llama.write(tmp_path / "Tiny Llama")
    words = convert(f"file:{folder}", "--outtype", "f16", "--json")
    with compiling():
        made = site.controller.well(*words, "--yes", deadline=BUILD_DEADLINE).json
    files = {file["type"]: file for file in made["models"][0]["files"]}
    assert tuple(files) == TYPES
    assert files["Q8_0"]["kld"]["value"] < files["Q5_K_M"]["kld"]["value"] < files["Q4_K_M"]["kld"]["value"]
    # The converter and the test's own writer make the same model.
    ours = site.controller.well(*convert(f"file:{base(site.controller.folder)}", "--json", "--yes")).json
    assert ours["models"][0]["base_ppl"]["value"] == pytest.approx(
        made["models"][0]["base_ppl"]["value"], rel=0.5
    )
    assert site.controller.well(*words, "--yes").json["steps"] == []
    assert served(site, made)

    (folder / "config.json").write_text((folder / "config.json").read_text().replace("LlamaFor", "NoSuchFor"))
    unknown = site.controller("models", "convert", f"file:{folder}", "--to", "Q8_0", "--yes")
    assert unknown.code == 1
    assert "llama.cpp's converter refused: Model NoSuchForCausalLM is not supported" in unknown.err


@pytest.mark.long
def test_a_repository_of_a_hub_is_converted_as_it_was_pinned_and_a_killed_run_goes_on(site, tmp_path):
    """Needs the same packages as a folder does."""
    folder = tiny_llama.write(tmp_path / "tiny")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub = ModelHub()
    try:
        hub.repos["acme/Tiny"] = Repo(files | {"modeling_tiny.py": b"raise SystemExit"})
        site.controller.env |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path)}
        words = ("models", "convert", "hf:acme/Tiny", "--to", "Q4_K_M,Q8_0", "--outtype", "f16", "--yes")
        with compiling():
            run = site.controller.start(*words, "--jsonl")
            following(run, "step_started", "convert tiny to f16 GGUF")
            strike(until_running(site, "convert_hf_to_gguf.py", program=False))
            assert "llama.cpp's converter refused: it was killed" in following(run, "step_failed")["message"]
            run.communicate(timeout=60)
        # The hub moves on; what was pinned is what is made.
        hub.repos["acme/Tiny"] = Repo(files | {"config.json": b"{}"}, NEXT, before=hub.repos["acme/Tiny"])
        again = site.controller.well(*words, "--jsonl", deadline=BUILD_DEADLINE)
        done = [event["step"] for event in again.events("step_done")]
        assert done[:4] == [
            "tiny: convert tiny to f16 GGUF",
            "tiny: quantise to Q4_K_M",
            "tiny: quantise to Q8_0",
            "tiny: publish Q4_K_M, Q8_0",
        ]
        (model,) = site.controller.well(*words, "--json").json["models"]
        assert model["source"] == f"hf:acme/Tiny@{COMMIT}"
        assert [file["type"] for file in model["files"]] == ["Q4_K_M", "Q8_0"]
        assert list(site.root.rglob("modeling_tiny.py")) == []
        sent = hub.storage.sent
        site.controller.well(*words)
        assert hub.storage.sent - sent < 32768  # headers and settings; no weights
    finally:
        hub.close()
