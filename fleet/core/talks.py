"""What a flow asks of a server: a completion, or a way to it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Complete:
    """One streamed completion from a server. Answer: Completion."""

    host: str
    server: str
    listen: str
    messages: tuple[tuple[str, str], ...]  # role, content
    max_tokens: int
    temperature: float | None
    is_quiet: bool = False  # do not print the text


@dataclass(frozen=True, slots=True)
class Completion:
    text: str
    tokens: int | None
    generation_tps: float | None  # tokens/s, timed by llama-server
    prompt_tps: float | None
    ttft: float | None  # seconds to the first content, timed here
    finish: str | None


@dataclass(frozen=True, slots=True)
class Forward:
    """127.0.0.1:port on the controller to a server, until interrupted. Answer: None."""

    host: str
    server: str
    listen: str
    port: int  # 0 takes a free one
