"""Headers of models that lie elsewhere: files, parts, and the beginnings of files behind http."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fleet.core.errors import FleetError, PlanError
from fleet.io.fetch import ranges
from fleet.io.models.headers import _at
from fleet.io.models.memory import read_header
from fleet.models.layout import layout
from fleet.sources.base import Local
from tests.parts import SMOKE, split
from tests.shapes import SHAPES, Shape, write

LARGE = Shape("wide", "llama", 400, 256, 4, 2, 64, 512, 4096)


class Server:
    """Serves one file, with ranges or without; counts what it sent."""

    def __init__(self, path, has_ranges: bool = True) -> None:
        self.sent, self.asked, outer = 0, [], self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked, size = self.headers.get("Range"), path.stat().st_size
                outer.asked.append(asked)
                first, last = 0, size - 1
                if asked and has_ranges:
                    first, last = (int(one) for one in asked.removeprefix("bytes=").split("-"))
                    last = min(last, size - 1)
                if self.path == "/gone":
                    self.send_error(404)
                    return
                self.send_response(206 if asked and has_ranges else 200)
                self.send_header("Content-Length", str(last + 1 - first))
                if asked and has_ranges:
                    self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
                self.end_headers()
                with open(path, "rb") as file:
                    file.seek(first)
                    left = last + 1 - first
                    while left > 0:
                        data = file.read(min(left, 1 << 16))
                        try:
                            self.wfile.write(data)
                        except OSError:
                            return
                        outer.sent += len(data)
                        left -= len(data)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,))
        self.thread.start()

    def url(self, path: str = "model.gguf") -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{path}"

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def serve():
    servers = []

    def one(path, has_ranges: bool = True) -> Server:
        servers.append(Server(path, has_ranges))
        return servers[-1]

    yield one
    for server in servers:
        server.close()


def header(url: str):
    async def read():
        async with ranges.client() as client:
            return await ranges.header(client, url)

    return asyncio.run(read())


def test_of_a_model_of_gigabytes_only_its_beginning_comes(tmp_path, serve):
    path = write(tmp_path / "model.gguf", SHAPES["llama3-8b"])
    server = serve(path)
    found, size = header(server.url())
    assert size == path.stat().st_size > 8e9
    assert layout(found).layers == 32
    assert server.sent <= ranges.FIRST
    assert server.asked == [f"bytes=0-{ranges.FIRST - 1}"]


def test_a_server_without_ranges_is_left_after_the_header(tmp_path, serve):
    server = serve(write(tmp_path / "model.gguf", SHAPES["llama3-8b"]), has_ranges=False)
    found, _ = header(server.url())
    assert layout(found).layers == 32
    assert server.sent < 16 << 20  # what was under way when we left


def test_a_longer_header_is_asked_for_again_from_where_it_ended(tmp_path, serve):
    path = write(tmp_path / "model.gguf", LARGE)
    server = serve(path)

    async def read():
        async with ranges.client() as client:
            return await ranges.header(client, server.url(), first=4096)

    found, _ = asyncio.run(read())
    assert len(found.sums.layers) == 400
    starts = [int(asked.removeprefix("bytes=").split("-")[0]) for asked in server.asked]
    assert starts == sorted(set(starts))
    assert server.sent < 2 * found.length + 4096


def test_what_is_not_there_says_so(tmp_path, serve):
    server = serve(write(tmp_path / "model.gguf", SHAPES["qwen3-0.6b"], 1))
    with pytest.raises(PlanError, match="answered 404"):
        header(server.url("gone"))


def test_nobody_listens_is_an_error_with_the_address(tmp_path, serve):
    server = serve(write(tmp_path / "model.gguf", SHAPES["qwen3-0.6b"], 1))
    url = server.url()
    server.http.socket.close()
    with pytest.raises(FleetError, match=r"no connection|no whole header"):
        asyncio.run(_briefly(url))


async def _briefly(url: str):
    async with ranges.client(idle=2.0) as client:
        return await ranges.header(client, url, deadline=4.0)


def test_a_web_page_is_no_model(tmp_path, serve):
    page = tmp_path / "login"
    page.write_text("<!doctype html><p>Please sign in</p>")
    with pytest.raises(PlanError, match="not a GGUF file"):
        header(serve(page).url())


def test_a_file_that_lacks_a_part_names_it(tmp_path):
    files = split(tmp_path)
    found = asyncio.run(_at(Local(str(files[0])), tmp_path, "s", None))
    assert found.size == sum(file.stat().st_size for file in files)
    assert found.sums == read_header(SMOKE).sums
    files[1].unlink()
    with pytest.raises(PlanError, match=files[1].name):
        asyncio.run(_at(Local(str(files[0])), tmp_path, "s", None))
