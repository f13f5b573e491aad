"""A report of real hosts: everything that helps, and no secret, wherever one was put."""

import json
import os
import stat
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.controller import Controller, Ended
from tests.embedded import EmbeddedHost

KEY = "4be2c1d09f86a5370e1b2c3d4f5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978"  # as fleet makes them
TOKEN = "hf_" + "QwErTyUiOpAsDfGhJkLzXcVb123456"
PASSWORD = "swordfish"
PEM = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"
MODEL = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
BINARY = "0f" * 8 + "1e2d3c4b5a69788796a5b4c3d2e1f0a1" + "0f" * 8
ADDRESS = "192.168.77.20"
SPILL = f"""key {KEY} refused
Authorization: Bearer {KEY}
HF_TOKEN={TOKEN} and again {TOKEN}
curl https://ops:{PASSWORD}@mirror.example/x --password {PASSWORD}
{{"api_key": "{PASSWORD}", "token": "{TOKEN}"}}
-----BEGIN OPENSSH PRIVATE KEY-----
{PEM}
-----END OPENSSH PRIVATE KEY-----
from {ADDRESS}, /home/somebody/models
"""


def plant(root: Path) -> None:
    """What fleet has on a host, with secrets in all of it."""
    texts = {
        "LAYOUT": "1\n",
        "builds/0123456789abcdef/BUILD.json": json.dumps(
            {"fingerprint": "0123456789abcdef", "backend": "cpu", "files": {"llama-server": BINARY}}, indent=1
        ),
        "builds/0123456789abcdef/says/devices.txt": f"Available devices:\n{SPILL}",
        "releases/chat/aaaabbbbcccc/RELEASE.json": json.dumps(
            {"server": "chat", "sha256": MODEL, "argv": ["--api-key", PASSWORD, "--model", f"/m/{MODEL}/x"]}
        ),
        "services/chat/log/server.log": f"srv load_model: loading model\n{SPILL}last line of the log\n",
        "services/chat/key": KEY,
        "services/old/key": PASSWORD,
        "jobs/build-1/log": f"[ 99%] Built target llama-server\n{SPILL}",
        "jobs/build-1/script": f"TOKEN={TOKEN}",
        "jobs/build-1/rc": "0\n",
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "services" / "chat" / "key").chmod(0o600)
    (root / "releases" / "chat" / "ddddeeeeffff").mkdir()
    (root / "releases" / "chat" / "ddddeeeeffff" / "RELEASE.json").symlink_to(
        root / "services" / "chat" / "key"
    )


@pytest.fixture
def hosts(embedded) -> Mapping[str, EmbeddedHost]:
    found: Mapping[str, EmbeddedHost] = embedded.up(["good", "gone"])
    return found


@pytest.fixture
def controller(tmp_path: Path, hosts: Mapping[str, EmbeddedHost]) -> Controller:
    """Two hosts, the second of them down; the inventory has secrets too."""
    hosts["gone"].kill()
    found = Controller(tmp_path / "controller")
    kwargs = json.dumps({"api_key": PASSWORD, "token": TOKEN})
    servers: Mapping[str, Mapping[str, object]] = {
        "chat": {"model": "gemma", "on": ["all"], "args": {"chat-template-kwargs": kwargs}}
    }
    models = {"gemma": {"source": f"file:/home/somebody/{TOKEN}/g.gguf", "sha256": MODEL}}
    root = str(hosts["good"].home / "fleet")
    settings = {"good": {"root": root}, "gone": {"address": "127.0.0.2"}}
    found.write(hosts.values(), servers=servers, models=models, settings=settings)
    plant(Path(root))
    return found


def bundle(controller: Controller, ended: Ended) -> dict[str, str]:
    """File of the report -> text."""
    path = Path(ended.json["path"])
    assert path.parent == controller.folder
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        assert all(
            member.isreg() and (member.uid, member.uname, member.mtime) == (0, "", 0) for member in members
        )
        return {
            member.name.partition("/")[2]: file.read().decode()
            for member in members
            if (file := archive.extractfile(member)) is not None
        }


Report = Callable[..., dict[str, str]]


@pytest.fixture
def report(controller: Controller) -> Report:
    def make(*words: str) -> dict[str, str]:
        return bundle(controller, controller.well("report", "--json", *words))

    return make


def test_no_secret_is_in_the_report_and_no_name(report: Report) -> None:
    texts = report()
    everything = "\n".join([*texts, *texts.values()])
    for secret in (KEY, TOKEN, PASSWORD, PEM):
        assert secret not in everything
    for name in (ADDRESS, "somebody", str(Path.home()) if str(Path.home()) != "/root" else "somebody"):
        assert name not in everything
    assert "services/chat/key" not in texts


def test_what_helps_is_in_the_report(report: Report) -> None:
    texts = report()
    good = {name.removeprefix("hosts/good/"): text for name, text in texts.items() if "/good/" in name}
    assert json.loads(good["facts.json"])["name"] == "good"
    assert BINARY in good["builds/0123456789abcdef/BUILD.json"]
    assert MODEL in good["releases/chat/aaaabbbbcccc/RELEASE.json"]
    assert good["services/chat/log/server.log"].endswith("last line of the log\n")
    assert "Built target llama-server" in good["jobs/build-1/log"]
    assert json.loads(texts["report.json"])["hosts"].keys() == {"good", "gone"}
    assert json.loads(texts["inventory.json"])["models"]["gemma"]["sha256"] == MODEL
    assert '"event": "run_started"' in texts["events.jsonl"]
    assert "***" in texts["README.txt"]


def test_a_link_is_not_followed_out_of_the_records(report: Report) -> None:
    assert not [name for name in report() if "ddddeeeeffff" in name]


def test_a_host_that_is_down_says_so_inside(controller: Controller) -> None:
    ended = controller.well("report", "--json")
    error = json.loads(bundle(controller, ended)["hosts/gone/error.json"])
    assert error["kind"] == "unreachable"
    assert {host["name"]: host["error"] is None for host in ended.json["hosts"]} == {
        "good": True,
        "gone": False,
    }


def test_names_are_kept_on_request_and_secrets_never(report: Report) -> None:
    everything = "\n".join(report("--keep-names").values())
    assert ADDRESS in everything
    assert "/home/somebody/models" in everything
    assert KEY not in everything
    assert TOKEN not in everything
    assert PASSWORD not in everything


def test_people_are_told_the_path_and_what_is_missing(controller: Controller) -> None:
    ended = controller.well("report", "--output", "mine.tar.gz")
    assert str(controller.folder / "mine.tar.gz") in ended.out
    assert "gone: " in ended.out
    assert (controller.folder / "mine.tar.gz").is_file()


def test_a_file_that_is_there_is_not_overwritten(controller: Controller) -> None:
    (controller.folder / "mine.tar.gz").write_text("precious")
    ended = controller("report", "good", "--output", "mine.tar.gz")
    assert ended.code == 1
    assert "-> next: another name with --output" in ended.err
    assert (controller.folder / "mine.tar.gz").read_text() == "precious"


def test_logs_are_bounded(hosts: Mapping[str, EmbeddedHost], report: Report) -> None:
    log = hosts["good"].home / "fleet" / "services" / "chat" / "log" / "server.log"
    with open(log, "a") as file:
        file.writelines(f"line {number} {'x' * 90}\n" for number in range(20_000))
    text = report("good", "--lines", "30")["hosts/good/services/chat/log/server.log"]
    assert len(text.splitlines()) == 30
    assert text.splitlines()[-1].startswith("line 19999 ")
    os.truncate(log, 0)
    with open(log, "a") as file:
        file.write("y" * 10_000_000)
    assert len(report("good", "--lines", "30")["hosts/good/services/chat/log/server.log"]) < 200_000
