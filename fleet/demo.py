"""Three SSH hosts on this machine, llama.cpp really built, a real model really served.

Nothing of it is simulated but the distance: the hosts are an SSH server of our own in a
process each, with a home of its own below the cache folder. All of it is taken down at the end.
"""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fleet.commands.base import VERBS, Request
from fleet.core.errors import INTERRUPTED, FleetError
from fleet.io.console import Console
from fleet.io.demo_hosts import HOSTS, hosts
from fleet.io.engine import Engine
from fleet.io.runs import carry_out, world
from fleet.io.shelltext import packaged, placed
from fleet.io.world import World

PROMPT = "Write a long story about a lighthouse keeper and a storm."
TOKENS = 64  # of each answer


def demo(is_json: bool, is_kept: bool, simulated: int | None) -> int:
    """The whole demo. Returns an exit code; 0 only when every server answered."""
    if simulated is not None:
        from fleet.tui import play

        play.main(["--hosts", str(simulated)])
        return 0
    is_interactive = not is_json and sys.stdin.isatty() and sys.stdout.isatty()
    return asyncio.run(_demo(is_json, is_kept, is_interactive))


async def _demo(is_json: bool, is_kept: bool, is_interactive: bool) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    console = Console(mode="lines", yes=True, max_hosts=len(HOSTS), out=sys.stderr if is_json else sys.stdout)
    try:
        async with hosts() as inventory, world(inventory, console, "demo") as opened:
            return await _show(opened, console, is_json, is_kept, is_interactive)
    except FleetError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except asyncio.CancelledError:
        console.interrupted()
        return INTERRUPTED


async def _show(opened: World, console: Console, is_json: bool, is_kept: bool, is_interactive: bool) -> int:
    """Deploy, traffic, status; the dashboard where there is a terminal; stop."""
    try:
        _, code = await _verb(opened, "deploy")
        if code:
            return code
        if is_interactive:
            from fleet.tui.run import dashboard

            async with traffic(opened, forever=True):
                await dashboard(opened, "DEMO")
            return 0
        async with traffic(opened, forever=False):
            pass
        results, code = await _verb(opened, "status")
        verb = VERBS.take("status")
        request = Request("status", HOSTS)
        assert verb.document is not None and verb.lines is not None
        document = {"schema": verb.schema} | verb.document(request, results)
        code = code or _verdict(document)
        if not is_json:
            print(*verb.lines(request, results), sep="\n", flush=True)
        if is_kept:
            print(f"up until ctrl+c: fleet --inventory {opened.inventory.path} status", file=sys.stderr)
            await asyncio.Event().wait()
    finally:
        print("stopping servers and hosts", file=sys.stderr, flush=True)
        console.is_quiet = True
        await asyncio.shield(asyncio.create_task(_stop(opened)))
    if is_json:
        print(json.dumps(document, ensure_ascii=False), flush=True)
    return code


async def _verb(opened: World, name: str, **options: Any) -> tuple[Mapping[str, Any], int]:
    return await carry_out(opened, name, VERBS.take(name), Request(name, HOSTS, options))


async def _stop(opened: World) -> None:
    """End what runs on the hosts: servers, and a build that was interrupted."""
    with contextlib.suppress(FleetError):
        await carry_out(opened, "stop", VERBS.take("stop"), Request("stop", HOSTS, reason="the demo is over"))
    for host in HOSTS:
        with contextlib.suppress(FleetError):
            transport = await opened.transport(host)
            await transport.run(placed(packaged("end_jobs"), opened.root(host)), deadline=20)


def _verdict(document: Mapping[str, Any]) -> int:
    """0 where every host serves and its speed was measured."""
    for host in document["hosts"]:
        for server in host["servers"]:
            if server["state"] not in ("ready", "busy") or not server["generation_tps"]:
                print(f"{host['name']}: {server['name']} is {server['state']}", file=sys.stderr)
                return 1
    return 0


@contextlib.asynccontextmanager
async def traffic(opened: World, forever: bool) -> AsyncIterator[None]:
    """Real questions to every server: one each, or again and again while the block runs.

    One each is asked in turn, since the three share the processors of this machine.
    """

    async def ask(host: str) -> None:
        options = {"prompt": PROMPT, "max_tokens": TOKENS, "temperature": 0.0, "quiet": True}
        request = Request("chat", (host,), options, ("chat",))
        while True:
            await Engine(opened, "chat", VERBS.take("chat"), request).run()
            if not forever:
                return
            await opened.clock.sleep(1.0)

    if not forever:
        for host in HOSTS:
            await ask(host)
        yield
        return
    tasks = [asyncio.create_task(ask(host)) for host in HOSTS]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
