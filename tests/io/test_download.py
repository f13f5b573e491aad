"""Model files behind real HTTP servers of all habits."""

import asyncio
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fleet.core.errors import DeadlineError, FleetError, InventoryError, PlanError
from fleet.io import download
from tests.io.controllers import GGUF, OTHER, SHA256, Here


@pytest.fixture
def here(tmp_path) -> Here:
    (tmp_path / "inventory").mkdir()
    return Here(tmp_path / "inventory", tmp_path / "state", tmp_path / "cache", tmp_path / "config")


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
