"""An S3 server on loopback: moto in a process of its own, and before it a relay that breaks connections."""

import contextlib
import json
import socket
import socketserver
import subprocess
import sys
import threading
import tomllib
from typing import Any

import boto3
import httpx
from botocore.config import Config

from tests.controller import Controller, Ended

KEY, SECRET = "AKIATESTKEYTESTKEY77", "a-secret-that-nobody-may-see-0123456789ab"
SOURCE = "s3:models/tiny/tiny-Q4_K_M.gguf"
SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


class Relay(socketserver.ThreadingTCPServer):
    """Passes bytes on, and knows what was asked.

    Attributes:
        asked: the first line and the Range of each request.
        cuts: how many answers still break, after `most` bytes of one connection.
        sent: bytes of answers that went through.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.port, self.most = port, 1 << 20
        self.reset()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self.thread.start()

    def reset(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.cuts = self.sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def gets(self) -> list[str]:
        """The ranges that were asked for, of bytes and not of error messages."""
        return [span for line, span in self.asked if line.startswith("GET") and "X-Amz-Signature" in line]


class _Passing(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.port)) as behind:
            back = threading.Thread(target=self._back, args=(behind,))
            back.start()
            try:
                while data := self.request.recv(1 << 16):
                    self._note(data)
                    behind.sendall(data)
            except OSError:
                pass
            finally:
                _shut(behind)
                back.join()

    def _note(self, data: bytes) -> None:
        lines = data.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        if lines[0].endswith("HTTP/1.1"):
            spans = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("range:")]
            with self.server.lock:
                self.server.asked.append((lines[0], spans[0] if spans else ""))

    def _back(self, behind: socket.socket) -> None:
        passed = 0
        try:
            while data := behind.recv(1 << 16):
                passed += len(data)
                with self.server.lock:
                    is_cut = self.server.cuts > 0 and passed > self.server.most
                    self.server.cuts -= is_cut
                    self.server.sent += 0 if is_cut else len(data)
                if is_cut:
                    break
                self.request.sendall(data)
        except OSError:
            pass
        finally:
            _shut(self.request)
            _shut(behind)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


class Storage:
    """The server, and what tests do to it as its owner."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.relay = Relay(int(self.process.stdout.readline()))
        self.url = f"http://127.0.0.1:{self.relay.port}"  # past the relay
        self.s3 = self.client("s3")

    def reset(self) -> None:
        """As it was when it began, with one empty bucket."""
        httpx.post(f"{self.url}/moto-api/reset-auth", content=b"inf")
        httpx.post(f"{self.url}/moto-api/reset")
        self.s3.create_bucket(Bucket="models")
        self.relay.reset()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(request_checksum_calculation="when_required"),
        )

    def put(self, key: str, data: bytes, *, is_named: bool = True, **more: str) -> None:
        """An object, whose sha256 the bucket names or does not."""
        more |= {"ChecksumAlgorithm": "SHA256"} if is_named else {}
        self.s3.put_object(Bucket="models", Key=key, Body=data, **more)

    def demand_credentials(self) -> None:
        """From now on it knows who may do what."""
        httpx.post(f"{self.url}/moto-api/reset-auth", content=b"0")

    def close(self) -> None:
        self.relay.shutdown()
        self.relay.thread.join()
        self.relay.server_close()
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def environment(storage: Storage) -> dict[str, str]:
    """What a person has set who uses that server."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_S3": storage.relay.url,
    }


def write(fleet: Controller, source: str, model: str = "", defaults: str = "") -> None:
    fleet.inventory.write_text(
        f"[defaults]\n{defaults}\n[models.tiny]\nsource = {json.dumps(source, ensure_ascii=False)}\n{model}\n"
    )


def locked(fleet: Controller) -> dict:
    return tomllib.loads((fleet.folder / "fleet.lock").read_text())["fixed"]


def kept(fleet: Controller) -> list[str]:
    return sorted(
        path.name for path in (fleet.folder / "cache/fleet/models").glob("*") if path.suffix != ".lock"
    )


def assert_silent(fleet: Controller, *ended: Ended) -> None:
    """No credential and no signature in what was said or written."""
    texts = [text.encode() for one in ended for text in (one.out, one.err)]
    texts += [path.read_bytes() for path in fleet.folder.rglob("*") if path.is_file()]
    for word in (KEY.encode(), SECRET.encode(), b"X-Amz-Signature", b"X-Amz-Credential"):
        assert not any(word in text for text in texts)
