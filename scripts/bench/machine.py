"""What a measurement stands on: the launcher, real servers, the long wire, files to move. All of it is cleaned up."""

import contextlib
import dataclasses
import fcntl
import filecmp
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
SLIP = TARGET / "release/slip"
SERVER = TARGET / "debug/examples/real_server"
WAN = ROOT / "tests/wan/wan.sh"
# What wan.sh gives the far host.
FAR = "10.83.0.2"
# The user that the servers become.
SERVER_UID = 1

SERVERS = {"vsftpd": "vsftpd", "proftpd": "ProFTPD", "pure-ftpd": "Pure-FTPd"}


class Trouble(Exception):
    """Something can't be measured here; the words say why."""


@dataclasses.dataclass
class Took:
    """What one run of a program took."""

    code: int
    seconds: float
    peak_mib: float
    cpu: float
    stopped: bool
    said: str

    @property
    def problem(self):
        """Why it counts as failed, if it does."""
        if self.code == 0 or self.stopped:
            return None
        last = [line for line in self.said.splitlines() if line.strip()]
        return f"exit code {self.code}" + (f": {last[-1].strip()[:160]}" if last else "")


class Bench:
    """The folder, the launcher and the running programs of one benchmark; ends them all on leaving."""

    def __init__(self):
        base = pathlib.Path("/dev/shm" if os.path.isdir("/dev/shm") else tempfile.gettempdir())
        for old in base.glob("slipway-bench-*"):
            # What a benchmark has left that was killed.
            if not os.path.exists(f"/proc/{old.name.rsplit('-', 1)[1]}"):
                shutil.rmtree(old, ignore_errors=True)
        self.folder = base / f"slipway-bench-{os.getpid()}"
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._running = set()

    def __enter__(self):
        self.folder.mkdir()
        # The servers' user goes through it.
        self.folder.chmod(0o755)
        self.launcher = self.folder / "launch"
        source = pathlib.Path(__file__).with_name("launch.c")
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", self.launcher, source], check=True)
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self):
        """Ends every program that runs, and lets none begin."""
        self.stopping.set()
        with self._lock:
            for process in self._running:
                process.terminate()

    def free(self):
        return shutil.disk_usage(self.folder).free

    def run(self, command, password="", limit=0, inside=()):
        """Runs a program in a home of its own, so that nothing is remembered from earlier runs."""
        if self.stopping.is_set():
            raise KeyboardInterrupt
        with tempfile.TemporaryDirectory(prefix="home-", dir=self.folder) as home, contextlib.ExitStack() as stack:
            environment = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL") if key in os.environ}
            environment |= {"HOME": home, "SLIP_PASSWORD": password, "TMPDIR": home}
            said = stack.enter_context(open(f"{home}/said", "w+b"))
            result, result_in = os.pipe()
            stack.callback(os.close, result)
            words = [*inside, self.launcher, str(result_in), str(limit), *map(str, command)]
            try:
                process = subprocess.Popen(
                    words,
                    env=environment | {"SLIPWAY_WAN": Wire.NAME},
                    cwd=home,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    pass_fds=[result_in],
                )
            finally:
                os.close(result_in)
            with self._lock:
                self._running.add(process)
            try:
                process.wait()
            finally:
                with self._lock:
                    self._running.discard(process)
                process.terminate()
            fields = os.read(result, 200).split()
            if self.stopping.is_set():
                raise KeyboardInterrupt
            said.seek(max(0, said.seek(0, os.SEEK_END) - 4000))
            text = said.read().decode(errors="replace")
            if len(fields) != 5:
                return Took(process.returncode or 1, 0, 0, 0, False, text or "the launcher said nothing")
            code, seconds, peak, cpu, stopped = map(float, fields)
            return Took(int(code), seconds, peak / 1024, cpu, bool(stopped), text)


@contextlib.contextmanager
def only_one():
    """Two benchmarks at a time would measure each other."""
    with open("/run/slipway-bench.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("another benchmark is running on this machine") from None
        yield


class Wire:
    """The long wire of tests/wan, as long as this object is used with `with`."""

    NAME = "slipway-bench"

    def __init__(self, milliseconds):
        self.milliseconds = milliseconds

    def __enter__(self):
        self._script("down")
        up = self._script("up", str(self.milliseconds))
        if up.returncode:
            raise Trouble(up.stderr.strip() or "the wire did not start")
        return self

    def __exit__(self, *_):
        self._script("down")

    # What goes before a command to run it on the near and the far host.
    client = [WAN, "client"]
    server = [WAN, "server"]
    host = FAR

    def _script(self, *words):
        environment = dict(os.environ, SLIPWAY_WAN=self.NAME)
        return subprocess.run([WAN, *words], env=environment, capture_output=True, text=True)


class Loopback:
    """The machine's own loopback: client and server side by side."""

    client = server = []
    host = "127.0.0.1"


class PrivateLoopback(Loopback):
    """A loopback for tens of thousands of connections a minute, as long as this object is used with `with`.

    A connection's port stays taken for a minute after its end (TIME_WAIT), so that on the machine's own loopback the
    ports run out, and it is the later program that fails. This one is a network namespace that keeps few of them.
    """

    NAME = "slipway-bench-loop"
    client = server = ["ip", "netns", "exec", NAME]
    SETUP = """
        ip link set lo up
        echo 500 >/proc/sys/net/ipv4/tcp_max_tw_buckets
        echo 10000 60999 >/proc/sys/net/ipv4/ip_local_port_range
    """

    def __enter__(self):
        self.__exit__()
        for words in (["ip", "netns", "add", self.NAME], [*self.client, "sh", "-ec", self.SETUP]):
            made = subprocess.run(words, capture_output=True, text=True)
            if made.returncode:
                self.__exit__()
                raise Trouble(f"no network namespace: {made.stderr.strip()}")
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "delete", self.NAME], capture_output=True)


class Server:
    """A real server in some place (one of the above), as long as this object is used with `with`."""

    def __init__(self, bench, kind, tls=False, place=Loopback):
        self.kind, self.tls = kind, tls
        self.host, self.inside = place.host, place.client
        words = [SERVER, kind, "explicit" if tls else "off", self.host]
        # In a group of its own: Ctrl+C must not end it before it can end its sessions.
        self.process = subprocess.Popen(
            [*place.server, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ, TMPDIR=str(bench.folder), SLIPWAY_WAN=Wire.NAME),
            process_group=0,
        )

    def __enter__(self):
        line = self.process.stdout.readline().split()
        if len(line) != 5:
            self.__exit__()
            said = self.process.stderr.read().strip().splitlines()
            raise Trouble(f"{SERVERS[self.kind]} did not start: {said[-1] if said else 'it said nothing'}")
        self.port, self.user, self.password, root, self.ca = line
        self.root = pathlib.Path(root)
        # What it says from now on nobody reads; it must not wait for a reader.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def fresh(self, name):
        """An empty folder below the root, owned by the server's user."""
        folder = self.root / name
        # A session that was just cut off may still be writing there.
        for _ in range(20):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
        folder.mkdir(exist_ok=True)
        os.chown(folder, SERVER_UID, SERVER_UID)
        return folder


class Tree:
    """Files of one size with random content, below `folder`."""

    def __init__(self, folder, files, size, folders=1):
        self.folder, self.files, self.size = folder, files, size
        self.bytes = files * size
        folder.mkdir()
        for number in range(files):
            place = folder / f"folder-{number * folders // files:03}" if folders > 1 else folder
            place.mkdir(exist_ok=True)
            with open(place / f"file-{number:05}.bin", "wb") as file:
                for begin in range(0, size, 1 << 20):
                    file.write(os.urandom(min(size - begin, 1 << 20)))

    def copy_to(self, server):
        """The same files below a server's root."""
        place = server.root / self.folder.name
        shutil.copytree(self.folder, place)
        for name, _, files in os.walk(place):
            os.chown(name, SERVER_UID, SERVER_UID)
            for file in files:
                os.chown(os.path.join(name, file), SERVER_UID, SERVER_UID)

    def arrived(self, folder):
        """How many of them are in `folder` (or in a folder of this tree's name there) in full."""
        nested = folder / self.folder.name
        if nested.is_dir():
            folder = nested
        whole, other = [], 0
        for place, _, files in os.walk(folder):
            for name in files:
                relative = pathlib.Path(place, name).relative_to(folder)
                if os.path.exists(self.folder / relative) and os.path.getsize(folder / relative) == self.size:
                    whole.append(relative)
                else:
                    other += 1
        return folder, whole, other

    def wrong(self, folder, compare):
        """What is wrong with a result that should be complete; `compare` looks at every byte."""
        folder, whole, other = self.arrived(folder)
        if len(whole) != self.files:
            return f"{self.files - len(whole)} of {self.files} files missing or short"
        if other:
            return f"{other} files too many"
        if compare:
            for relative in whole:
                if not filecmp.cmp(self.folder / relative, folder / relative, shallow=False):
                    return f"{relative} is not the same"
        return None
