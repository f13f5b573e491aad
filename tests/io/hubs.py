"""A model hub on loopback: its API and its redirects as documented, and the other host that has the bytes.

Source: huggingface_hub `HfApi.model_info(files_metadata=True)`, utils/_http.py `hf_raise_for_status`;
    the hub's own documentation of its API and of its rate limits.
"""

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

COMMIT, NEXT = "a" * 40, "b" * 40
COMMIT_LIKE = re.compile("[0-9a-f]{40}")
TOKEN = "hf_" + "x" * 34
WRONG = "Invalid credentials in Authorization header"


@dataclass
class Asked:
    """One request that came."""

    path: str
    token: str | None
    range: str | None
    by: str = ""  # address of who asked
    method: str = "GET"


class Served:
    """An HTTP server in a thread; `answer` says what it does."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = self.headers
                words = self.path, headers.get("Authorization"), headers.get("Range")
                outer.asked.append(Asked(*words, self.client_address[0], self.command))
                outer.answer(self)

            do_HEAD = do_GET

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer((address, 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://{self.http.server_address[0]}:{self.http.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


def send(request: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


class Storage(Served):
    """Where the hub sends those who want bytes: by hash, with ranges, and without any token."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__(address)
        self.blobs: dict[str, bytes] = {}
        self.cuts = 0  # how many answers still break in their middle
        self.sent = 0

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        data = self.blobs[request.path.strip("/").partition("?")[0]]
        start, end, asked = 0, len(data), request.headers.get("Range")
        if asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last) + 1 if last else end, end)
        request.send_response(206 if asked else 200)
        request.send_header("ETag", '"blob"')
        request.send_header("Content-Length", str(end - start))
        if asked:
            request.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        request.end_headers()
        body = data[start:end]
        if self.cuts:
            self.cuts -= 1
            body = body[: len(body) // 2]
            request.close_connection = True
        self.sent += len(body)
        request.wfile.write(body)


@dataclass
class Repo:
    """What one repository holds at one commit."""

    files: dict[str, bytes]
    commit: str = COMMIT
    gate: bool = False  # its files need an account that was let in
    is_lfs: bool = True
    extra: list[Any] = field(default_factory=list)  # siblings as they are
    before: "Repo | None" = None  # what it held until this commit

    def at(self, revision: str) -> "Repo | None":
        """What it holds at a branch, tag or commit."""
        if revision in ("main", "v1.0", self.commit):
            return self
        return self.before.at(revision) if self.before and COMMIT_LIKE.fullmatch(revision) else None


class ModelHub(Served):
    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__(address)
        self.storage = Storage(address)
        self.repos: dict[str, Repo] = {}
        self.known: str | None = TOKEN  # the only good token
        self.let_in = True
        self.raw: tuple[int, bytes, dict[str, str]] | None = None  # what every API call is answered

    def close(self) -> None:
        super().close()
        self.storage.close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        parts = [unquote(part) for part in path.strip("/").split("/")]
        token = request.headers.get("Authorization")
        if token is not None and token != f"Bearer {self.known}":
            return send(request, 401, X_Error_Message=WRONG)
        if parts[:2] == ["api", "models"]:
            return self._api(request, parts[2:], query)
        return self._file(request, "/".join(parts[:2]), parts[3], "/".join(parts[4:]), token)

    def _api(self, request: BaseHTTPRequestHandler, parts: list[str], query: str) -> None:
        if self.raw is not None:
            status, body, headers = self.raw
            return send(request, status, body, **headers)
        if not parts:
            assert query.startswith("author=")
            return send(request, 200, json.dumps([{"id": name} for name in self.repos]).encode())
        repo = self.repos.get("/".join(parts[:2]))
        if repo is None:
            return send(request, 401, X_Error_Code="RepoNotFound", X_Error_Message="Repository not found")
        if parts[2] == "refs":
            refs = {"branches": [{"name": "main"}, {"name": "imatrix"}], "tags": [{"name": "v1.0"}]}
            return send(request, 200, json.dumps(refs).encode())
        repo = repo.at(parts[3])
        if repo is None:
            return send(request, 404, X_Error_Code="RevisionNotFound", X_Error_Message="Invalid rev id")
        assert query == "blobs=true"
        body = {"id": "/".join(parts[:2]), "sha": repo.commit, "siblings": self._siblings(repo)}
        return send(request, 200, json.dumps(body).encode())

    def _siblings(self, repo: Repo) -> list[Any]:
        listed: list[Any] = [{"rfilename": "README.md", "size": 12, "blobId": "0" * 40}]
        for name, data in repo.files.items():
            entry: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": "1" * 40}
            if repo.is_lfs:
                sha256 = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 135}
            listed.append(entry)
        return listed + repo.extra

    def _file(
        self, request: BaseHTTPRequestHandler, name: str, commit: str, file: str, token: str | None
    ) -> None:
        repo = self.repos[name]
        if repo.gate and (token is None or not self.let_in):
            return send(request, 401 if token is None else 403, X_Error_Code="GatedRepo")
        there = repo.at(commit) if COMMIT_LIKE.fullmatch(commit) else None
        if there is None or file not in there.files:
            return send(request, 404, X_Error_Code="EntryNotFound")
        repo = there
        sha256 = hashlib.sha256(repo.files[file]).hexdigest()
        self.storage.blobs.setdefault(sha256, repo.files[file])
        location = f"{self.storage.url}/{sha256}?X-Amz-Signature=0"
        return send(request, 302, Location=location, X_Repo_Commit=commit, X_Linked_Etag=f'"{sha256}"')
