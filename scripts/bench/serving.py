"""The other way round: one program and several servers that serve the same files. What is measured is the server."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from contest import Contest, Entrant
from machine import ROOT, SERVER_UID, TARGET, Server, Tree, Trouble

OURS = TARGET / "release/examples/serve"
PYTHON = pathlib.Path(os.environ.get("SLIPWAY_SERVERS_DIR", TARGET / "servers")) / "python/bin/python"
MIB = 1 << 20

PYFTPDLIB = """
import logging, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
logging.basicConfig(level=logging.ERROR)
users = DummyAuthorizer()
users.add_user("ann", "secret", sys.argv[1], perm="elradfmwMT")
FTPHandler.authorizer = users
server = FTPServer(("127.0.0.1", 0), FTPHandler)
print(server.socket.getsockname()[1], flush=True)
server.serve_forever()
"""

AIOFTP = """
import asyncio, sys, aioftp
async def main():
    user = aioftp.User("ann", "secret", base_path=sys.argv[1])
    server = aioftp.Server([user])
    await server.start("127.0.0.1", 0)
    print(server.server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Program:
    """A server that says its address in its last line before it serves, as long as this object is used with `with`."""

    user, password, host = "ann", "secret", "127.0.0.1"

    def __init__(self, name, words, root, lines=1):
        self.name, self.root = name, root
        self.process = subprocess.Popen(
            [*map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, process_group=0
        )
        said = [self.process.stdout.readline().strip() for _ in range(lines)][-1]
        if not said:
            self.__exit__()
            raise Trouble(f"{name} did not start")
        self.port = said.rsplit(":", 1)[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def peak_mib(self):
        """The most memory that it has had."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


class Real:
    """One of the servers from Debian, in the same form."""

    def __init__(self, server):
        self.server, self.name, self.root = server, server.kind, server.root
        self.user, self.password, self.host, self.port = server.user, server.password, server.host, server.port


class Sink:
    """Where nothing is kept: only how much there was is looked at."""

    def __init__(self, files, size, expected):
        self.files, self.size, self.expected = files, size, expected

    def arrived(self, place):
        """Nobody knows how much of it has come."""
        return place, [], 0

    def wrong(self, place, compare):
        sizes = sorted(os.path.getsize(path) for path in place.iterdir())
        if sizes and self.expected(place):
            return None
        return f"what came is not what is there: {sizes[:3]}"


class Subject:
    """What the tables call the thing that is done."""

    password, inside = "", []

    def __init__(self, kind, tls):
        self.kind, self.tls = kind, tls


def curl(server, tls, words):
    protection = ["--ssl-reqd", "-k"] if tls else []
    return ["curl", "-s", "-S", "-u", f"{server.user}:{server.password}", *protection, *words]


def url(server, path):
    return f"ftp://{server.host}:{server.port}/{path}"


def filled(root, source, entries, small):
    """One big file, many empty ones in a folder, and small ones, by links where that can be."""
    root.mkdir(exist_ok=True)
    os.link(source, root / "big.bin")
    (root / "many").mkdir()
    for number in range(entries):
        (root / "many" / f"a-file-with-a-usual-name-{number:06}.txt").touch()
    (root / "small").mkdir()
    for number in range(small):
        (root / "small" / f"{number:05}.bin").write_bytes(os.urandom(1024))
    (root / "in").mkdir(mode=0o777)
    for place, folders, files in os.walk(root):
        for name in (place, *(os.path.join(place, name) for name in (*folders, *files))):
            os.chown(name, SERVER_UID, SERVER_UID)


@contextlib.contextmanager
def servers(bench, source, tls, entries, small):
    """All that can be started here."""
    with contextlib.ExitStack() as stack:
        found = []
        common = bench.folder / "served"
        if not common.exists():
            filled(common, source, entries, small)
        option = ["--tls"] if tls else []
        found.append(stack.enter_context(Program("slip", [OURS, common, *option], common, 2 if tls else 1)))
        for kind in ("vsftpd", "pure-ftpd"):
            try:
                server = stack.enter_context(Server(bench, kind, tls))
                filled(server.root / "served", source, 0 if kind == "pure-ftpd" else entries, small)
                found.append(Real(server))
            except Trouble as trouble:
                print(f"\n{kind} is left out: {trouble}", flush=True)
        if not tls and PYTHON.exists():
            for name, source_text in (("pyftpdlib", PYFTPDLIB), ("aioftp", AIOFTP)):
                found.append(stack.enter_context(Program(name, [PYTHON, "-c", source_text, common], common)))
        for server in found:
            server.path = "served/" if isinstance(server, Real) else ""
        yield found


def serve(bench, options):
    """curl (lftp for small files) against each server in turn."""
    if not OURS.exists():
        raise Trouble(f"{OURS.relative_to(ROOT)} is not built: cargo build --release -p ftp-server --example serve")
    tree = Tree(bench.folder / "source", 1, options.mib * MIB)
    source = next(tree.folder.iterdir())
    for tls in options.protection or [False, True]:
        with servers(bench, source, tls, options.entries, options.small) as found:
            for subject, direction, unit, make in (
                (f"{options.mib} MiB", "down", "MiB", down(options)),
                (f"{options.mib} MiB", "up", "MiB", up(source)),
                (f"{few(options, tls)} files of 1 KiB, one session", "down", "files", small(few(options, tls))),
                (f"LIST of {options.entries}", "down", "files", listing(options)),
            ):
                entrants, measured = [], None
                for server in found:
                    if made := make(server, tls):
                        words, measured = made
                        place = fresh(bench, server)
                        entrants.append(
                            Entrant(server.name, words(place), lambda place=place: emptied(place), ours=server.name == "slip")
                        )
                contest = Contest(Subject(subject, tls), direction, entrants, measured, unit, patience=4)
                contest.run(bench, options.rounds, options.limit)
                ours = next(server for server in found if server.name == "slip")
                contest.ours.peak_mib = ours.peak_mib()
                yield contest


def fresh(bench, server):
    return bench.folder / f"result-{server.name}"


def emptied(place):
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return place


def down(options):
    size = options.mib * MIB
    # What is written nowhere takes no time; that all of it came is told by curl.
    sink = Sink(1, size, lambda place: (place / "size").read_text() == str(size))

    def make(server, tls):
        words = ["-o", "/dev/null", "-w", "%{size_download}", url(server, f"{server.path}big.bin")]
        return lambda place: shell(curl(server, tls, words), place / "size"), sink

    return make


def up(source):
    size = source.stat().st_size
    # The server's file is the result: a link to it stands where results are looked for.
    sink = Sink(1, size, lambda place: (place / "arrived").stat().st_size == size)

    def make(server, tls):
        target = server.root / server.path / "in/up.bin"
        command = curl(server, tls, ["-T", source, url(server, f"{server.path}in/up.bin")])
        script = 'rm -f "$1"; ln -s "$1" "$2"; shift 2; exec "$@"'
        return lambda place: ["sh", "-c", script, "sh", target, place / "arrived", *command], sink

    return make


def few(options, tls):
    """How many small files: by TLS lftp takes 60 ms for each, whatever the server."""
    return min(options.small, 100) if tls else options.small


def small(count):
    def whole(place):
        return sum(1 for path in place.iterdir() if path.stat().st_size == 1024) == count

    sink = Sink(count, 1024, whole)

    def make(server, tls):
        # Not curl: where a reply comes at once, 7.88 waits a second for nothing.
        settings = "set net:max-retries 1; set ssl:verify-certificate no; "
        settings += "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; " if tls else "set ftp:ssl-allow no; "
        login = f"open -u {server.user},{server.password} {server.host}:{server.port}; "
        get = f"mget {server.path}small/{'000' if count == 100 else ''}*"
        return lambda place: ["lftp", "-c", f"{settings}{login}lcd {place}; {get}"], sink

    return make


def listing(options):
    count = options.entries

    def whole(place):
        with open(place / "out", "rb") as file:
            return sum(1 for line in file if b"a-file-with" in line) == count

    sink = Sink(count, 1, whole)

    def make(server, tls):
        # Pure-FTPd stops at its limit.
        if server.name == "pure-ftpd":
            return None
        return lambda place: shell(curl(server, tls, [url(server, f"{server.path}many/")]), place / "out"), sink

    return make


def shell(command, out):
    """The command with its output in a file."""
    return ["sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", out, *command]
