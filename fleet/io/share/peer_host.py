"""What runs on a host while a model is shared: it gives chunks to other hosts and takes chunks from them.

It comes over the SSH channel and is run by the host's own python3 (3.6 or newer; nothing but its
standard library) without being written to a disk. A line on standard input is a command, a line on
standard output an answer; it ends with its input, and when nothing came for a minute.

    start {"file", "is_whole", "size", "chunk", "sha256", "chunks", ...}       -> ready ADDRESS PORT
    ask ID ADDRESS PORT                                                        -> asked ID yes | no
    get ID CHUNK ADDRESS PORT READ_TOKEN    -> got ID SECONDS | bad ID WHY | unwritten ID WHY | off ID (again)
    alone: nothing else writes into the part
    careful ID: something else is about to                                     -> careful ID
    a chunk that fleet brought                                                 -> fed LANE CHUNK SHA256 | WHY
    anything that goes wrong with all of it                                    -> error WHY

Chunks are served as `GET /READ_TOKEN/SHA256/CHUNK` on the address at which fleet reaches this host, and taken
as `PUT /WRITE_TOKEN/LANE/CHUNK` from fleet, who alone knows that. A chunk that came in either way counts
once its hash is the one that was told over SSH, and this program writes nothing over it from then on.
"""

import contextlib
import http.client
import http.server
import ipaddress
import json
import os
import queue
import signal
import socket
import socketserver
import sys
import threading
import time

from fleet.io.share.peer_file import AT_ONCE, PutOff, Share, Unwritable  # on a host its text stands here

SILENCE = 60  # seconds without a line until it ends
CONNECT = 1.0  # seconds
STALL = 5.0  # seconds without a byte until a peer is given up
SLOWEST = 250_000  # bytes/s that a peer has to reach over a whole chunk
KEPT = 4  # connections that stay open for each of these
GUESTS = 256  # connections from other hosts

speaking = threading.Lock()


def say(*words: object) -> None:
    line = " ".join(str(word) for word in words).replace("\n", " ")[:300] + "\n"
    try:
        with speaking:
            sys.stdout.write(line)
            sys.stdout.flush()
    except OSError:
        os._exit(1)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: str, share: Share) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.share = share
        self.guests = threading.BoundedSemaphore(GUESTS)
        socketserver.TCPServer.__init__(self, (address, 0), Handler)

    def process_request(self, request: "socket.socket", client_address: object) -> None:  # type: ignore[override]
        if not self.guests.acquire(blocking=False):
            self.shutdown_request(request)
            return
        socketserver.ThreadingMixIn.process_request(self, request, client_address)

    def process_request_thread(self, request: "socket.socket", client_address: object) -> None:  # type: ignore[override]
        try:
            socketserver.ThreadingMixIn.process_request_thread(self, request, client_address)
        finally:
            self.guests.release()

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds, also for one that asks nothing

    def do_GET(self) -> None:
        share = self.server.share  # type: ignore[attr-defined]
        try:
            start, length = share.asked(self.path)
        except ValueError:
            self.answer(404)
            return
        self.answer(200, length)
        # Of a part that is shorter than its chunk nothing more comes: that ends the connection.
        if self.connection.sendfile(share.file, start, length) != length:
            self.close_connection = True

    def do_PUT(self) -> None:
        share = self.server.share  # type: ignore[attr-defined]
        try:
            lane, number = share.brought(self.path, self.headers.get("Content-Length"))
        except ValueError:
            self.answer(404)
            return
        self.connection.settimeout(SILENCE)  # fleet keeps to a limit, or to the hours that are quiet
        try:
            sha256 = share.received(self.rfile, number)
        except (OSError, ValueError, PutOff, Unwritable) as error:
            say("fed", lane, number, type(error).__name__, error)
            self.close_connection = True
        else:
            say("fed", lane, number, sha256)
            self.answer(200)

    def answer(self, status: int, length: int = 0) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", str(length))
        if status != 200:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Taker(threading.Thread):
    """Takes chunks from other hosts, one after another."""

    def __init__(self, share: Share, orders: "queue.Queue[list[str]]") -> None:
        threading.Thread.__init__(self, daemon=True)
        self.share, self.orders = share, orders
        self.open = {}  # type: dict[tuple[str, int], http.client.HTTPConnection]

    def run(self) -> None:
        while True:
            order = self.orders.get()
            began = time.monotonic()
            try:
                self.take(int(order[1]), (order[2], int(order[3])), order[4])
            except PutOff:
                say("off", order[0])
            except Unwritable as error:
                say("unwritten", order[0], error)
            except (OSError, ValueError, IndexError, http.client.HTTPException) as error:
                say("bad", order[0], type(error).__name__, error)
            else:
                say("got", order[0], f"{time.monotonic() - began:.6f}")

    def take(self, number: int, peer: "tuple[str, int]", token: str) -> None:
        _, length = self.share.place(number)
        path = f"/{token}/{self.share.prefix.split('/')[2]}/{number}"
        kept = self.open.pop(peer, None)
        http_line = kept or self.connected(peer)
        used = [http_line.sock]
        limit = threading.Timer(2 * STALL + length / SLOWEST, end, [used])
        limit.daemon = True
        limit.start()
        try:
            try:
                response = self.asked(http_line, path)
            except (ConnectionError, http.client.HTTPException):
                if kept is None:
                    raise
                http_line.close()  # it was closed over there meanwhile
                http_line = self.connected(peer)
                used.append(http_line.sock)
                response = self.asked(http_line, path)
            if response.status != 200 or response.getheader("Content-Length") != str(length):
                raise ValueError(f"status {response.status}")
            if self.share.received(response, number) != self.share.chunks[number]:
                raise ValueError("wrong bytes")
            response.read()  # so that the connection can be used again
        except BaseException:
            http_line.close()
            raise
        finally:
            limit.cancel()
        while len(self.open) >= KEPT:
            self.open.pop(next(iter(self.open))).close()
        self.open[peer] = http_line

    def connected(self, peer: "tuple[str, int]") -> "http.client.HTTPConnection":
        http_line = http.client.HTTPConnection(peer[0], peer[1], timeout=CONNECT)
        http_line.connect()
        http_line.sock.settimeout(STALL)
        return http_line

    def asked(self, http_line: "http.client.HTTPConnection", path: str) -> "http.client.HTTPResponse":
        http_line.request("GET", path)
        return http_line.getresponse()


def end(used: "list[socket.socket]") -> None:
    """Who waits for a byte waits no longer: one that comes every few seconds is no progress."""
    with contextlib.suppress(OSError):
        used[-1].shutdown(socket.SHUT_RDWR)


def ask(name: str, address: str, port: int) -> None:
    try:
        socket.create_connection((address, port), CONNECT).close()
    except OSError:
        say("asked", name, "no")
    else:
        say("asked", name, "yes")


def own_address(networks: "list[str]") -> str:
    """Where fleet reaches this host, as its sshd tells."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    if len(words) != 4:
        raise ValueError("its sshd does not say at which address it was reached")
    address = ipaddress.ip_address(words[2])
    if not any(address in ipaddress.ip_network(network, strict=False) for network in networks):
        raise ValueError(f"{address} lies in none of private_networks")
    return str(address)


def begun(share: Share, told: "dict[str, object]") -> "queue.Queue[list[str]]":
    """Serving, and ready to take."""
    server = Server(own_address(list(told["networks"])), share)  # type: ignore[call-overload]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    orders = queue.Queue()  # type: queue.Queue[list[str]]
    for _ in range(AT_ONCE):
        Taker(share, orders).start()
    say("ready", *server.server_address[:2])
    return orders


def main() -> None:
    orders = share = None
    while True:
        signal.alarm(SILENCE)  # nothing in this process waits for it: it ends
        line = sys.stdin.buffer.readline()
        if not line:
            os._exit(0)
        words = line.decode("utf-8", "replace").rstrip("\n").split(" ")
        try:
            if words[0] == "start":
                told = json.loads(" ".join(words[1:]))
                share = Share(told)
                orders = begun(share, told)
            elif words[0] == "ask":
                threading.Thread(target=ask, args=(words[1], words[2], int(words[3])), daemon=True).start()
            elif words[0] == "get" and orders is not None:
                orders.put(words[1:])
            elif words[0] == "alone" and share is not None:
                share.alone()
            elif words[0] == "careful" and share is not None:
                share.careful()
                say("careful", words[1])
        except (OSError, ValueError, LookupError, RuntimeError) as error:
            say("error", error)


if __name__ == "__main__":
    main()
