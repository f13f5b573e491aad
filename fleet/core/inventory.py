"""inventory.toml as values: what people wish for. Pydantic, frozen, unknown keys refused."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from fleet.core.names import PATTERN

Name = Annotated[str, Field(pattern=PATTERN)]


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LlamaCpp(Value):
    """`[llama_cpp]`: where the source comes from."""

    source: str = "git:https://github.com/ggml-org/llama.cpp"
    ref: str | None = None
    sha256: str | None = None
    build: int | None = None


class Host(Value):
    """`[hosts.NAME]`. Defaults are already merged in."""

    address: str | None = None
    ssh: str | None = None
    port: int | None = Field(None, ge=1, le=65535)
    user: str | None = None
    identity: str | None = None
    known_hosts: str | None = None
    host_key: str | None = None
    tags: tuple[Name, ...] = ()
    root: str | None = None
    backend: str | None = None
    supervisor: str | None = None
    part_time: bool = False
    mac: str | None = None
    sudo: bool = False
    transport: str = "ssh"


class Model(Value):
    """`[models.NAME]`."""

    source: str
    sha256: str | None = None
    allow_unpinned: bool = False
    mmproj: str | None = None
    draft: str | None = None
    lora: tuple[str, ...] = ()


class Server(Value):
    """`[servers.NAME]`. Defaults are already merged in."""

    model: str
    on: tuple[str, ...]
    kind: str = "chat"
    context: int | None = None
    parallel: int | None = None
    kv_type: str | None = None
    devices: str | None = None
    listen: str = "socket"
    args: Mapping[str, Any] = Field(default_factory=dict)


class Inventory(Value):
    llama_cpp: LlamaCpp = LlamaCpp()
    hosts: Mapping[str, Host] = Field(default_factory=dict)
    models: Mapping[str, Model] = Field(default_factory=dict)
    servers: Mapping[str, Server] = Field(default_factory=dict)
    private_networks: tuple[str, ...] = ()
    cache_max: int | None = None  # bytes
    path: str = ""  # the file it came from

    def servers_on(self, host: str) -> dict[str, Server]:
        """The servers that should run on the host, by name."""
        raise NotImplementedError
