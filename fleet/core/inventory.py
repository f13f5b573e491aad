"""inventory.toml as values: what people wish for. Pydantic, frozen, unknown keys refused."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    create_model,
)

from fleet.core.inventory_types import (
    Address,
    Bytes,
    Cache,
    Hours,
    Hub,
    Key,
    Kind,
    Name,
    Names,
    Rate,
    Ref,
    Sha256,
    Source,
    Text,
    Texts,
    User,
    Value,
    many,
)
from fleet.core.inventory_words import folder, network, path_text, wake
from fleet.core.selectors import is_on

if TYPE_CHECKING:
    from fleet.core.inventory_keys import Described


class LlamaCpp(Value):
    """`[llama_cpp]`: where the source comes from."""

    source: Source = Field(
        default="git:https://github.com/ggml-org/llama.cpp",
        description="git:URL, archive:FILE|URL, dir:PATH, sdist:NAME==VERSION/SUBFOLDER or prebuilt:FILE|URL",
    )
    ref: Ref | None = Field(
        default=None, description="tag, branch or commit; required for git:, for no other"
    )
    sha256: Sha256 | None = Field(
        default=None, description="of the file; required for archive:, sdist: and prebuilt:"
    )
    assets: Mapping[str, Sha256] = Field(
        default_factory=dict,
        description="prebuilt: archives of the release by what {asset} stands for, with the sha256 of each",
    )
    build: int | None = Field(
        default=None, ge=0, le=2**31 - 1, description="build number to stamp where the source has no history"
    )


class Host(Value):
    """`[hosts.NAME]`. Defaults are already merged in."""

    address: Address | None = Field(default=None, description="host name or IP address; or ssh")
    ssh: Address | None = Field(
        default=None, description="alias in ~/.ssh/config: user, port, key, jump host come from there"
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="TCP port of sshd; 22")
    user: User | None = Field(default=None, description="user to log in as; yours")
    identity: Text | None = Field(default=None, description="path of a private key on this machine")
    known_hosts: Text | None = Field(
        default=None, description="path of a known_hosts file; else fleet's own pins"
    )
    host_key: Key | None = Field(
        default=None, description="pinned fingerprint of the host key, as ssh prints it: SHA256:…"
    )
    tags: Names = Field(default=(), description="names for selectors: @gpu")
    root: Annotated[str, AfterValidator(path_text)] | None = Field(
        default=None, description="absolute path on the host below which fleet keeps everything"
    )
    model_folders: Annotated[tuple[Annotated[str, AfterValidator(folder)], ...], BeforeValidator(many)] = (
        Field(
            default=(), description="folders on the host whose .gguf files may be adopted; absolute, or ~/…"
        )
    )
    backend: Kind | None = Field(
        default=None, description="what llama.cpp computes with: cpu, cuda, metal …; else found out"
    )
    cmake: Mapping[str, Any] = Field(
        default_factory=dict, description="CMake options of llama.cpp by name: { GGML_CUDA_FORCE_MMQ = true }"
    )
    portable: bool = Field(
        default=False, description="one build with the code of every CPU, so that unequal hosts share it"
    )
    rpc: Texts = Field(
        default=(),
        description='ADDRESS:PORT of ggml-rpc-servers whose devices it uses; needs backend = "rpc"',
    )
    supervisor: Kind | None = Field(
        default=None, description="who keeps servers alive: systemd, launchd, supervise; else the best"
    )
    part_time: bool = Field(
        default=False, description="comes and goes: absent is asleep, not down, and its work waits"
    )
    mac: Annotated[str, AfterValidator(wake)] | None = Field(
        default=None, description="Ethernet address for wake on LAN"
    )
    limit_rate: Rate | None = Field(
        default=None,
        ge=1000,
        le=2**40,
        description="bytes/s that it is sent at most; or 50M, 400Mbit/s",
    )
    quiet_hours: Hours | None = Field(
        default=None, description="hours of this machine's clock with a lower rate: 08:00-18:00 20M"
    )
    pull: bool = Field(
        default=False,
        description="it may fetch models itself from where anybody can; no token is ever sent to it",
    )
    sudo: bool = Field(default=False, description="packages may be installed with sudo")
    transport: Literal["ssh", "local"] = Field(
        default="ssh", description='"local": this machine, without SSH'
    )

    @property
    def where(self) -> str:
        """How it is reached, for people."""
        if self.transport == "local":
            return "this machine"
        port = f":{self.port}" if self.port else ""
        return f"ssh {self.ssh}{port}" if self.ssh else f"{self.address}{port}"


class Model(Value):
    """`[models.NAME]`."""

    source: Source = Field(
        description="hf:OWNER/REPO[@REVISION]:QUANT or /FILE, url:URL, file:PATH, "
        "package:NAME==VERSION[#FILE], ollama:[NAMESPACE/]NAME[:TAG], s3:BUCKET/KEY[?endpoint=URL]"
    )
    sha256: Sha256 | None = Field(
        default=None,
        description="of the published file; required unless allow_unpinned, or hf: ollama: s3: (fleet.lock)",
    )
    parts: Annotated[tuple[Sha256, ...], BeforeValidator(many)] = Field(
        default=(),
        description="in place of sha256, where the model has several files: of each, in their order",
    )
    allow_unpinned: bool = Field(default=False, description="take whatever the source holds today")
    mmproj: Name | None = Field(
        default=None, description="name of the model that is its multimodal projector"
    )
    draft: Name | None = Field(default=None, description="name of the model that drafts for it")
    lora: Names = Field(default=(), description="names of the models that are its adapters")

    @property
    def companions(self) -> tuple[tuple[str, str], ...]:
        """The models that are served with it: as what, and their names."""
        single = (("mmproj", self.mmproj), ("draft", self.draft))
        return (*((role, name) for role, name in single if name), *(("lora", name) for name in self.lora))


class Server(Value):
    """`[servers.NAME]`. Defaults are already merged in."""

    model: Name = Field(description="name of its model")
    on: Texts = Field(description='hosts: names, globs, "@tag", "all", and "^name" for minus')
    kind: Literal["chat", "embedding", "rerank"] = Field(
        default="chat", description="what it answers: chat, embedding or rerank"
    )
    context: int | None = Field(
        default=None,
        ge=1,
        le=2**31 - 1,
        description="tokens, over all slots; else what fits, as trained at most",
    )
    parallel: int | None = Field(
        default=None, ge=1, le=4096, description="slots: conversations at the same time"
    )
    kv_type: Cache | None = Field(default=None, description="how keys and values are packed: f16, q8_0 …")
    devices: Text | None = Field(
        default=None, description="llama.cpp devices to use, as --list-devices names them: CUDA0,CUDA1"
    )
    listen: Text = Field(
        default="socket", description='"socket" (0700 folder, through SSH) or "ADDRESS:PORT"'
    )
    args: Mapping[str, Any] = Field(
        default_factory=dict, description="llama-server flags by their long names, no dashes"
    )


class Inventory(Value):
    """A whole file."""

    llama_cpp: LlamaCpp = LlamaCpp()
    hosts: Mapping[str, Host] = Field(default_factory=dict)
    models: Mapping[str, Model] = Field(default_factory=dict)
    servers: Mapping[str, Server] = Field(default_factory=dict)
    private_networks: Annotated[
        tuple[Annotated[str, AfterValidator(network)], ...], BeforeValidator(many)
    ] = Field(
        default=(),
        description="networks in which nobody listens: hosts share models there without a cipher, and "
        "servers may have an open port: 192.168.1.0/24",
    )
    cache_max: Bytes | None = Field(
        default=None, ge=0, le=2**63 - 1, description="cap of fleet's cache here; bytes, or 20 GiB"
    )
    hub: Hub | None = Field(
        default=None, description="address of the mirror that hf: sources mean; HF_ENDPOINT goes before it"
    )
    connections: int | None = Field(
        default=None, ge=1, le=16, description="connections to the server of one download; else by its size"
    )
    ollama: Hub | None = Field(
        default=None, description="address of the registry that ollama: sources mean; FLEET_OLLAMA goes first"
    )
    s3: Hub | None = Field(
        default=None,
        description="address of the server that s3: sources mean; AWS_ENDPOINT_URL_S3 goes first",
    )
    converter_index: Hub | None = Field(default=None, description="one more package index for models convert")
    path: str = ""  # the file it came from

    def servers_on(self, host: str) -> dict[str, Server]:
        """The servers that should run on the host, by name."""
        tags = self.hosts[host].tags if host in self.hosts else ()
        return {name: server for name, server in self.servers.items() if is_on(server.on, host, tags)}

    def tags(self) -> dict[str, tuple[str, ...]]:
        """Every host and its tags, as selectors want them."""
        return {name: host.tags for name, host in self.hosts.items()}

    def document(self) -> dict[str, Any]:
        """What was written, with `[defaults]` merged in; what is not set is left out."""
        values = self.model_dump(mode="json", exclude={"path"}, exclude_none=True, exclude_unset=True)
        return {key: value for key, value in values.items() if value not in ({}, [])}

    def described(self) -> tuple["Described", ...]:
        """Every key a file may have."""
        from fleet.core.inventory_keys import described  # it needs the classes of this file

        return described()


# keys of [defaults] that belong to no host or server
OVERALL = ("private_networks", "cache_max", "hub", "connections", "ollama", "s3", "converter_index")


def _optional(field: Any) -> tuple[Any, Any]:
    field = copy(field)
    if field.is_required():
        field.default = None
    return field.annotation, field


_shapes: dict[str, Any] = {
    key: _optional(field)
    for fields in (Host.model_fields, Server.model_fields, {k: Inventory.model_fields[k] for k in OVERALL})
    for key, field in fields.items()
}
Defaults: type[Value] = create_model("Defaults", __base__=Value, **_shapes)


def parse(
    document: Mapping[str, Any],
    path: str = "inventory.toml",
    judge: Callable[[Mapping[str, Any]], Sequence[str]] = lambda args: (),
    check: Mapping[str, Callable[[str], object]] | None = None,
    options: Callable[[Host], Sequence[str]] = lambda host: (),
) -> Inventory:
    """The inventory of a TOML document.

    Args:
        document: as tomllib gives it.
        path: for messages and for what lies beside the file.
        judge: says what is wrong with llama-server flags.
        options: says what is wrong with the CMake options of a host.
        check: by `hosts.backend`, `models.source` …: raises FleetError for a value that no shelf has.

    Raises:
        InventoryError: holds every problem of the file.
    """
    from fleet.core.inventory_parse import read  # it needs the classes above

    return read(document, path, judge, check or {}, options)
