"""What a Transport promises, kept over SSH and on this machine alike."""

import asyncio
import contextlib
import hashlib
import math
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fleet.core.errors import DeadlineError, StepError, UnreachableError
from fleet.io.local import LocalTransport
from fleet.io.ssh.transport import SshTransport
from tests.io.near import Near, Pieces, near, running


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Near]:
    async with near(tmp_path) as server:
        await server.trust()
        yield server


@pytest.fixture(params=["ssh", "local"])
async def host(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[SshTransport | LocalTransport]:
    if request.param == "local":
        yield LocalTransport("here")
        return
    async with near(tmp_path) as server:
        await server.trust()
        transport = await server.connect()
        yield transport
        await transport.close()


Either = SshTransport | LocalTransport


async def test_a_program_answers_with_its_status_and_both_outputs(host: Either) -> None:
    answer = await host.run("echo out; echo err >&2; exit 3", deadline=10)
    assert (answer.status, answer.out, answer.err) == (3, b"out\n", b"err\n")


async def test_bytes_come_as_they_were_and_the_connection_survives_them(host: Either) -> None:
    assert (await host.run(r"printf 'a\351b\000c'", deadline=10)).out == b"a\xe9b\0c"
    assert (await host.run("echo still here", deadline=10)).out == b"still here\n"


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("", 0),
        ("false", 1),
        ("set -e; false; echo no", 1),
        ("exec sh -c 'exit 7'", 7),
        ("( exit 9 )", 9),
        ("kill -TERM $$", 128 + 15),
        ("echo a # a comment at the end", 0),
        ("cat <<'END'\n$x\nEND", 0),
        ("if then fi", 2),
    ],
)
async def test_the_status_is_that_of_the_program(host: Either, script: str, status: int) -> None:
    assert (await host.run(script, deadline=10)).status == status


async def test_a_program_cannot_read_the_rest_of_itself(host: Either) -> None:
    assert (await host.run('cat; read x; echo "[$x]"', deadline=10)).out == b"[]\n"


async def test_lines_are_told_as_they_come(host: Either, tmp_path: Path) -> None:
    lines: list[bytes] = []
    go = tmp_path / "go"

    def told(line: bytes) -> None:
        lines.append(line)
        if line == b"one":
            go.touch()

    script = f"echo one; until [ -e '{go}' ]; do sleep 0.05; done; echo; printf two"
    answer = await host.run(script, deadline=20, on_line=told)
    assert (lines, answer.out) == ([b"one", b""], b"two")


async def test_too_much_output_is_an_error_not_memory(host: Either) -> None:
    with pytest.raises(StepError) as error:
        await host.run("yes", deadline=20, cap=100_000)
    assert error.value.kind == "too-much-output"
    with pytest.raises(StepError):
        await host.run("head -c 1001 /dev/zero", deadline=20, cap=1000)
    assert len((await host.run("head -c 1000 /dev/zero", deadline=20, cap=1000)).out) == 1000


async def test_errors_keep_their_end(host: Either) -> None:
    answer = await host.run("head -c 3000000 /dev/zero >&2; echo last >&2", deadline=20)
    assert answer.err.endswith(b"last\n") and len(answer.err) < 200_000


async def test_a_deadline_leaves_no_process(host: Either, tmp_path: Path) -> None:
    mark = f"6{tmp_path.name}"
    with pytest.raises(DeadlineError):
        await host.run(f"sh -c 'sleep 600; : {mark}'", deadline=1)
    await gone(mark)


async def test_cancelling_leaves_no_process_and_frees_its_place(host: Either, tmp_path: Path) -> None:
    mark = f"7{tmp_path.name}"
    begun = asyncio.Event()
    script = f"echo begun; sh -c 'sleep 600; : {mark}'"
    tasks = [
        asyncio.create_task(host.run(script, deadline=math.inf, on_line=lambda _: begun.set()))
        for _ in range(8)
    ]
    await asyncio.wait_for(begun.wait(), 20)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await gone(mark)
    assert (await host.run("echo free", deadline=10)).out == b"free\n"


async def gone(mark: str) -> None:
    async with asyncio.timeout(20):
        while running(mark):
            await asyncio.sleep(0.05)


async def test_a_detached_process_outlives_its_program(host: Either, tmp_path: Path) -> None:
    mark = tmp_path / "done"
    go = tmp_path / "go"
    child = f"until [ -e '{go}' ]; do sleep 0.05; done; touch '{mark}'"
    await host.run(f'nohup sh -c "{child}" </dev/null >/dev/null 2>&1 &', deadline=10)
    await host.close()
    go.touch()
    async with asyncio.timeout(20):
        while not mark.exists():
            await asyncio.sleep(0.05)


async def test_fourteen_programs_at_once_all_answer(host: Either) -> None:
    answers = await asyncio.gather(*(host.run(f"sleep 0.1; echo {n}", deadline=60) for n in range(14)))
    assert [answer.out for answer in answers] == [b"%d\n" % n for n in range(14)]


async def test_data_arrives_whole(host: Either) -> None:
    piece = bytes(range(256)) * 1024
    answer = await host.feed("sleep 0.2; sha256sum", Pieces(piece, 80), deadline=60)
    assert answer.out.split()[0].decode() == hashlib.sha256(piece * 80).hexdigest()


async def test_a_reader_that_stops_early_says_why(host: Either) -> None:
    answer = await host.feed("head -c 10; echo full >&2; exit 28", Pieces(b"x" * 65536, 400), deadline=60)
    assert (answer.status, answer.out, answer.err) == (28, b"x" * 10, b"full\n")


async def test_the_program_that_is_fed_is_not_in_the_process_list(host: Either) -> None:
    # Made at run time, so that it stands in no command line of this machine but by mistake.
    word = "hunter" + secrets.token_hex(8)
    answer = await host.feed(f"secret={word}; ps axww -o args; cat >/dev/null", Pieces(b"x", 3), deadline=20)
    assert b"ps axww" in answer.out
    assert word.encode() not in answer.out


async def test_a_program_of_two_lines_cannot_be_fed(host: Either) -> None:
    with pytest.raises(ValueError):
        await host.feed("echo a\necho b", Pieces(b"", 0), deadline=5)


async def test_output_of_any_size_is_handed_on(host: Either) -> None:
    digest, size = hashlib.sha256(), 0

    def take(data: bytes) -> None:
        nonlocal size
        digest.update(data)
        size += len(data)

    assert await host.drain("head -c 20000000 /dev/zero; exit 4", take, deadline=60) == 4
    assert (size, digest.hexdigest()) == (20_000_000, hashlib.sha256(bytes(20_000_000)).hexdigest())


@pytest.mark.parametrize("kind", ["port", "socket"])
async def test_a_stream_reaches_a_server_on_the_host(host: Either, tmp_path: Path, kind: str) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data.upper())
        writer.close()

    if kind == "port":
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        listen = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    else:
        listen = str(tmp_path / "s")
        server = await asyncio.start_unix_server(echo, listen)
    async with server:
        stream = await host.open(listen, deadline=10)
        await stream.write(b"hello")
        assert await stream.read(100) == b"HELLO"
        await stream.close()


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "/nowhere/at/all"])
async def test_nothing_listening_is_said(host: Either, listen: str) -> None:
    with pytest.raises(StepError, match="nothing listens on") as error:
        await host.open(listen, deadline=10)
    assert error.value.kind == "no-listener"


async def test_a_lost_connection_is_never_a_success(server: Near) -> None:
    transport = await server.connect()
    begun = asyncio.Event()
    waiting = asyncio.create_task(
        transport.run("echo a; sleep 60", deadline=50, on_line=lambda _: begun.set())
    )
    await asyncio.wait_for(begun.wait(), 120)
    await server.server.close()
    with pytest.raises(UnreachableError) as error:
        await waiting
    assert error.value.kind == "link-lost"
    with pytest.raises(UnreachableError) as error:
        await transport.run("true", deadline=5)
    assert error.value.kind == "link-lost"


async def test_the_end_of_a_connection_is_told_once(server: Near) -> None:
    lost: list[BaseException | None] = []
    transport = await server.connect(on_lost=lost.append)
    await transport.close()
    assert len(lost) == 1


async def test_a_message_of_the_day_is_not_output(tmp_path: Path) -> None:
    loud = tmp_path / "loud"
    loud.write_text(
        "#!/bin/sh\nprintf 'Welcome!\\nno newline'; IFS= read -r gone\nprintf x >&2\nexec /bin/sh \"$@\"\n"
    )
    loud.chmod(0o755)
    async with near(tmp_path, shell=str(loud)) as server:
        await server.trust()
        transport = await server.connect()
        assert (await transport.run("echo mine", deadline=10)).out == b"mine\n"
        assert (await transport.feed("cat", Pieces(b"data", 2), deadline=10)).out == b"datadata"
        kept = bytearray()
        assert await transport.drain("printf raw", kept.extend, deadline=10) == 0
        assert kept == b"raw"
        await transport.close()


async def test_a_host_without_a_shell_says_what_it_said(tmp_path: Path) -> None:
    none = tmp_path / "nologin"
    none.write_text("#!/bin/sh\necho 'This account is \033[31mnot available.'\nexit 1\n")
    none.chmod(0o755)
    async with near(tmp_path, shell=str(none)) as server:
        await server.trust()
        transport = await server.connect()
        with pytest.raises(StepError, match="This account is") as error:
            await transport.run("echo", deadline=10)
        assert error.value.kind == "shell" and "\033" not in str(error.value)
        with contextlib.suppress(UnreachableError):
            await transport.close()


async def test_the_cipher_is_the_cheap_one(server: Near) -> None:
    transport = await server.connect()
    assert transport.cipher == "aes128-gcm@openssh.com"
    await transport.close()
