"""What is measured."""

import concurrent.futures
import contextlib
import dataclasses

from contest import Contest, Entrant
from machine import SERVERS, PrivateLoopback, Server, Tree, Trouble, Wire
from programs import curl, curl_url, lftp, ncftp, rclone, rclone_path, slip, slip_url
from serving import serve

MIB = 1 << 20
# Where there are many programs, or slow ones, the later rounds measure only those that come this near to the best.
NEAR = 0.7
NEAR_FAR = 0.95


@dataclasses.dataclass
class Scenario:
    """What a scenario measures; `run` gives its contests one by one."""

    name: str
    title: str
    rounds: int
    quick: dict
    run: object


class Maker:
    """Makes the entrants of one server: every way of moving one tree down or up."""

    def __init__(self, bench, server, tree, label=""):
        self.bench, self.server, self.tree = bench, server, tree
        self.name = tree.folder.name
        self.label = f"up{label}-"
        self.home = bench.folder / f"{server.kind}-{'tls' if server.tls else 'plain'}{label}"
        self.home.mkdir(exist_ok=True)

    def _here(self, slug):
        def place():
            folder = self.home / slug
            folder.mkdir()
            return folder

        return place

    def _there(self, slug):
        return lambda: self.server.fresh(slug)

    def _entrant(self, direction, name, command, **more):
        slug = f"{self.label}{''.join(c if c.isalnum() else '-' for c in name)}"
        place = self._here(slug) if direction == "down" else self._there(slug)
        return Entrant(name, command(self.home / slug if direction == "down" else slug), place, **more)

    def slip(self, direction, name, connections=None):
        """A whole tree."""
        if direction == "down":
            words = lambda to: ["get", "-r", slip_url(self.server, self.name), "-d", to]
        else:
            words = lambda to: ["put", "-r", self.tree.folder, slip_url(self.server, f"{to}/")]
        return self._entrant(direction, name, lambda to: slip(self.server, words(to), connections), ours=True)

    def slip_file(self, direction, file):
        if direction == "down":
            words = lambda to: ["get", slip_url(self.server, f"{self.name}/{file}"), "-o", to / file]
        else:
            words = lambda to: ["put", self.tree.folder / file, slip_url(self.server, f"{to}/{file}")]
        return self._entrant(direction, "slip", lambda to: slip(self.server, words(to)), ours=True)

    def curl_file(self, direction, file):
        if direction == "down":
            words = lambda to: [curl_url(self.server, f"{self.name}/{file}"), "-o", to / file]
        else:
            words = lambda to: ["-T", self.tree.folder / file, curl_url(self.server, f"{to}/{file}")]
        return self._entrant(direction, "curl", lambda to: curl(self.server, words(to)))

    def lftp_file(self, direction, file, verb="get", name="lftp", sync=True, **more):
        if direction == "down":
            words = lambda to: f"{verb} {self.name}/{file} -o {to}/{file}"
        else:
            words = lambda to: f"put {self.tree.folder}/{file} -o {to}/{file}"
        return self._entrant(direction, name, lambda to: lftp(self.server, words(to), sync), **more)

    def lftp(self, direction, name, parallel="", sync=True):
        if direction == "down":
            words = lambda to: f"mirror {parallel} {self.name} {to}/{self.name}"
        else:
            words = lambda to: f"mirror -R {parallel} {self.tree.folder} {to}/{self.name}"
        return self._entrant(direction, name, lambda to: lftp(self.server, words(to), sync))

    def rclone(self, direction, name, transfers=None):
        path = lambda place: rclone_path(self.server, place)
        if direction == "down":
            words = lambda to: ["copy", path(self.name), to]
        else:
            words = lambda to: ["copy", self.tree.folder, path(to)]
        return self._entrant(direction, name, lambda to: rclone(self.server, words(to), transfers))

    def ncftp(self, direction):
        if direction == "down":
            return self._entrant(direction, "ncftp", lambda to: ncftp(self.server, "ncftpget", [to, f"/{self.name}"]))
        return self._entrant(direction, "ncftp", lambda to: ncftp(self.server, "ncftpput", [f"/{to}", self.tree.folder]))


def big(bench, options):
    """One big file over loopback."""
    need = 4 * options.mib * MIB
    if bench.free() < need:
        raise Trouble(f"{need // MIB} MiB of memory are needed in {bench.folder}; --mib makes it less")
    # Memory that was touched once is faster than memory that the machine has yet to find.
    with open(bench.folder / "touch", "wb") as file:
        for _ in range(3 * options.mib):
            file.write(bytes(MIB))
    (bench.folder / "touch").unlink()
    tree = Tree(bench.folder / "big", 1, options.mib * MIB)
    for kind in options.servers:
        for tls in options.protection or [False, True]:
            with guarded(kind), Server(bench, kind, tls) as server:
                tree.copy_to(server)
                make = Maker(bench, server, tree)
                for direction in ("down", "up"):
                    file = "file-00000.bin"
                    entrants = [
                        make.slip_file(direction, file),
                        make.curl_file(direction, file),
                        make.lftp_file(direction, file),
                    ]
                    contest = Contest(server, direction, entrants, tree, "MiB")
                    contest.run(bench, options.rounds, options.limit)
                    yield contest


def small(bench, options):
    """Many small files over loopback."""
    tree = Tree(bench.folder / "small", options.files, 1024, options.folders)
    with PrivateLoopback() as place:
        for kind in options.servers:
            for tls in options.protection or [False]:
                with guarded(kind), Server(bench, kind, tls, place) as server:
                    tree.copy_to(server)
                    make = Maker(bench, server, tree)
                    for direction in ("down", "up"):
                        entrants = [
                            make.slip(direction, "slip"),
                            make.ncftp(direction),
                            make.rclone(direction, "rclone 4", 4),
                            make.rclone(direction, "rclone 8", 8),
                            make.lftp(direction, "lftp -P1", "-P1"),
                            make.lftp(direction, "lftp -P4", "-P4"),
                            make.lftp(direction, "lftp -P8", "-P8"),
                        ]
                        contest = Contest(server, direction, entrants, tree, "files", near=NEAR, patience=4)
                        contest.run(bench, options.rounds, options.limit)
                        yield contest


def wan_small(bench, options):
    """Small files over the long wire.

    It is the wire that takes the time, so servers and directions are measured side by side; what moves the same files
    to or from the same server still goes in turn. With defaults some programs take a third of a second a file, so
    there are fewer of them.
    """

    def one(server, direction, make_equal, make_default):
        contests = []
        equal = [
            make_equal.slip(direction, "slip", 8),
            make_equal.lftp(direction, "lftp -P8", "-P8"),
            make_equal.lftp(direction, "lftp -P8, sync-mode off", "-P8", sync=False),
        ]
        default = [
            make_default.slip(direction, "slip"),
            make_default.rclone(direction, "rclone"),
            make_default.lftp(direction, "lftp"),
        ]
        for make, label, entrants in (
            (make_equal, f"8 connections, {options.far_files} files", equal),
            (make_default, f"defaults, {options.default_files} files", default),
        ):
            contest = Contest(server, direction, entrants, make.tree, "files", label, NEAR_FAR)
            contest.run(bench, options.rounds, options.limit)
            contests.append(contest)
        return contests

    trees = [
        Tree(bench.folder / name, count, 1024)
        for name, count in (("far", options.far_files), ("far-default", options.default_files))
    ]
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(Wire(options.rtt))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(max_workers=32))
        waiting = []
        try:
            for kind in options.servers:
                for tls in options.protection or [False]:
                    with guarded(kind):
                        server = stack.enter_context(Server(bench, kind, tls, wire))
                        for tree in trees:
                            tree.copy_to(server)
                        for direction in ("down", "up"):
                            # Folders of their own, since the names of the programs are the same.
                            makers = [Maker(bench, server, tree, f"-{direction}-{tree.folder.name}") for tree in trees]
                            waiting.append(pool.submit(one, server, direction, *makers))
            for future in concurrent.futures.as_completed(waiting):
                yield from future.result()
        except BaseException:
            # What runs in the pool must end before the servers do.
            bench.stop()
            pool.shutdown(cancel_futures=True)
            raise


def wan_big(bench, options):
    """One file over the long wire."""
    tree = Tree(bench.folder / "far-big", 1, options.far_mb * 1_000_000)
    with Wire(options.rtt) as wire:
        for kind in options.servers:
            for tls in options.protection or [False]:
                with guarded(kind), Server(bench, kind, tls, wire) as server:
                    tree.copy_to(server)
                    make = Maker(bench, server, tree, "-far")
                    for direction in ("down", "up"):
                        file = "file-00000.bin"
                        entrants = [
                            make.slip_file(direction, file),
                            make.curl_file(direction, file),
                            make.lftp_file(direction, file),
                        ]
                        if direction == "down":
                            pget = make.lftp_file(
                                direction, file, "pget -n 5", "lftp pget -n 5", sync=False, counts=False
                            )
                            entrants.append(pget)
                        contest = Contest(server, direction, entrants, tree, "MiB")
                        contest.run(bench, options.rounds, options.limit)
                        yield contest


@contextlib.contextmanager
def guarded(kind):
    """One server that does not start is no reason to give up on the others."""
    try:
        yield
    except Trouble as trouble:
        print(f"\n{SERVERS[kind]}: {trouble}", flush=True)


ALL = [
    Scenario(
        "big",
        "One file of {mib} MiB on loopback, MiB/s",
        3,
        {"mib": 128},
        big,
    ),
    Scenario(
        "small",
        "{files} files of 1 KiB in {folders} folders on loopback, files/s",
        3,
        {"files": 1000, "folders": 10},
        small,
    ),
    Scenario(
        "wan-small",
        "Files of 1 KiB over {rtt:g} ms, files/s",
        2,
        {"far_files": 100, "default_files": 30},
        wan_small,
    ),
    Scenario(
        "wan-big",
        "One file of {far_mb} MB over {rtt:g} ms, MiB/s",
        2,
        {"far_mb": 20},
        wan_big,
    ),
    Scenario(
        "serve",
        "Servers on loopback: curl with one file of {mib} MiB in MiB/s, lftp with small ones, a long listing",
        3,
        {"mib": 128, "small": 200, "entries": 10000},
        serve,
    ),
]
