"""Ask a server and stream its answer."""

from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.core.errors import PlanError
from fleet.core.events import Measured, Notice
from fleet.core.facts import Facts, Instance
from fleet.core.flow import Flow, Now, Print, ReadLine, Say, probe
from fleet.core.render import rate_text
from fleet.core.talks import Complete, Completion

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def chat(request: Request, inventory: "Inventory", host: str) -> Flow[Completion | None]:
    """One question where a prompt was given; else questions until the input ends."""
    found = yield from probe(host)
    instance = running(found, request.servers, host)
    history: list[tuple[str, str]] = []
    if request["system"]:
        history.append(("system", str(request["system"])))
    prompt: str | None = request["prompt"]
    once = prompt is not None
    completion: Completion | None = None
    while True:
        if prompt is None:
            prompt = yield ReadLine("you> ")
        if prompt is None:
            return completion
        if prompt.strip():
            history.append(("user", prompt))
            completion = yield Complete(
                host=host,
                server=instance.server,
                listen=str(instance.listen),
                messages=tuple(history),
                max_tokens=int(request["max_tokens"]),
                temperature=request["temperature"],
                is_quiet=bool(request["quiet"]),
            )
            assert completion is not None
            history.append(("assistant", completion.text))
            if not request["quiet"]:
                yield Print("")
            yield from _measured(host, instance.server, completion)
            if completion.tokens is not None:
                now, run = yield Now()
                yield Say(Notice(ts=now, run=run, host=host, message=summary(completion)))
        if once:
            return completion
        prompt = None


def running(found: Facts, names: tuple[str, ...], host: str) -> Instance:
    """The one server meant.

    Raises:
        PlanError: it does not run, or several do and none was named.
    """
    there = [one for one in found.instances if not names or one.server in names]
    up = [one for one in there if one.state == "running" and one.listen]
    if len(up) > 1:
        raise PlanError(
            "several servers run here", next="name one: " + ", ".join(f"{one.server}@{host}" for one in up)
        )
    if up:
        return up[0]
    what = f"{there[0].server} is {there[0].state}" if there else "no such server is here"
    raise PlanError(what, next=f"fleet start {host}" if there else f"fleet deploy {host}")


def _measured(host: str, server: str, completion: Completion) -> Flow[None]:
    if completion.generation_tps is None:
        return
    now, run = yield Now()
    yield Say(
        Measured(
            ts=now,
            run=run,
            host=host,
            server=server,
            generation_tps=completion.generation_tps,
            prompt_tps=completion.prompt_tps,
            ttft=completion.ttft,
            tokens=completion.tokens,
        )
    )


def document(request: Request, results: Results) -> dict[str, Any]:
    good, errors = split(results)
    return {"hosts": [_document(host, good.get(host), errors) for host in results]}


def _document(host: str, answer: Completion | None, errors: dict[str, Any]) -> dict[str, Any]:
    error = errors[host].document() if host in errors else None
    if answer is None:
        return {"name": host, "text": None, "error": error}
    return {
        "name": host,
        "text": answer.text,
        "tokens": answer.tokens,
        "generation_tps": answer.generation_tps,
        "prompt_tps": answer.prompt_tps,
        "ttft_s": answer.ttft,
        "finish": answer.finish,
        "error": error,
    }


def summary(completion: Completion) -> str:
    ttft = "--" if completion.ttft is None else f"{completion.ttft * 1000:.0f} ms"
    cut = ", cut off by --max-tokens" if completion.finish == "length" else ""
    return f"TTFT {ttft}, {rate_text(completion.generation_tps)} t/s, {completion.tokens or '--'} tokens{cut}"


verb = Verb(
    help="Ask a server through its host's SSH connection and stream the answer.",
    level=0,
    flow=chat,
    document=document,
    selects="server",
    schema="fleet.chat/1",
    options=(
        Option("PROMPT", "what to ask; without it, lines of standard input"),
        Option("--max-tokens", "longest answer, in tokens", "integer", 512, "N"),
        Option("--temperature", "0 is the same answer each time", "number", None, "T"),
        Option("--quiet", "do not print the answer, only its speed", "flag"),
        Option("--system", "instruction before the conversation", metavar="TEXT"),
    ),
)
