#!/usr/bin/env python3
"""Whole programs against each other on loopback: slip, curl and lftp, in turn, against a real server.

    make bench                       every server, plain and TLS, 1 GiB, 5 rounds
    scripts/bench.py --rounds 9 --mib 256 --server vsftpd

Each round runs every program once, in turn, so that a machine that gets slower slows all of them; medians are
compared, and the ratio is of the medians. Files lie in memory (/dev/shm), so that no disk is measured. Needs root
(for the servers); peak memory is that of the program alone.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLIP = ROOT / "target/release/slip"
SERVER = ROOT / "target/debug/examples/real_server"


class Server:
    """A real server, as long as this object is used with `with`."""

    def __init__(self, kind, tls):
        self.process = subprocess.Popen(
            [SERVER, kind, tls], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline().split()
        if len(line) != 5:
            raise SystemExit(f"{kind} did not start")
        self.port, self.user, self.password, self.root, self.ca = line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def programs(server, tls, folder):
    """The three programs: how each fetches `big` and stores it again."""
    local = f"{folder}/big"
    at = f"127.0.0.1:{server.port}"
    login = f"{server.user}:{server.password}"
    curl = ["curl", "-s", "-S", "-u", login]
    lftp = "set net:max-retries 1; "
    if tls == "explicit":
        curl += ["--ssl-reqd", "--cacert", server.ca]
        lftp += f"set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ssl:ca-file {server.ca}; "
        slip = [SLIP, "-q", "--ca", server.ca]
        url = f"ftpes://{server.user}@{at}"
    else:
        lftp += "set ftp:ssl-allow no; "
        slip = [SLIP, "-q", "--plaintext"]
        url = f"ftp://{server.user}@{at}"
    where = f"-u {server.user},{server.password} {at}"

    def lftp_run(command):
        return ["lftp", "-c", f"{lftp}open {where}; {command}"]

    return {
        "down": {
            "slip": [slip[0], "get", *slip[1:], f"{url}/big", "-o", f"{local}.slip"],
            "curl": [*curl, f"ftp://{at}/big", "-o", f"{local}.curl"],
            "lftp": lftp_run(f"set xfer:clobber yes; get big -o {local}.lftp"),
        },
        "up": {
            "slip": [slip[0], "put", *slip[1:], local, f"{url}/up.slip"],
            "curl": [*curl, "-T", local, f"ftp://{at}/up.curl"],
            "lftp": lftp_run(f"put {local} -o up.lftp"),
        },
    }


def timed(command, environment):
    """Seconds and peak MiB of one run."""
    begun = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} failed with {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


def measure(kind, tls, mib, rounds, folder):
    rows = []
    with Server(kind, tls) as server:
        big = pathlib.Path(server.root) / "big"
        block = os.urandom(1 << 20)
        with open(big, "wb") as file, open(f"{folder}/big", "wb") as local:
            for _ in range(mib):
                file.write(block)
                local.write(block)
        shutil.chown(big, 1, 1)
        environment = dict(os.environ, SLIP_PASSWORD=server.password)
        for direction, commands in programs(server, tls, folder).items():
            commands = {name: c for name, c in commands.items() if shutil.which(c[0])}
            seconds = {name: [] for name in commands}
            memory = {name: 0 for name in commands}
            for turn in range(rounds + 1):
                for name, command in commands.items():
                    took, peak = timed(command, environment)
                    # The first round only warms up.
                    if turn:
                        seconds[name].append(took)
                        memory[name] = max(memory[name], peak)
                    pathlib.Path(f"{folder}/big.{name}").unlink(missing_ok=True)
            medians = {name: statistics.median(all_of) for name, all_of in seconds.items()}
            best = min((value for name, value in medians.items() if name != "slip"), default=None)
            rows.append((kind, tls, direction, medians, memory, best and best / medians["slip"]))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--server", action="append", choices=["vsftpd", "proftpd", "pure-ftpd"])
    parser.add_argument("--write", action="store_true", help="write the table to docs/bench.md as well")
    options = parser.parse_args()
    subprocess.run(["cargo", "build", "--release", "-q", "-p", "slip"], cwd=ROOT, check=True)
    subprocess.run(["cargo", "build", "-q", "-p", "support", "--example", "real_server"], cwd=ROOT, check=True)
    base = "/dev/shm" if os.path.isdir("/dev/shm") else None
    lines = [
        "| server | protection | direction | slip MiB/s | curl MiB/s | lftp MiB/s | slip to the better | slip peak MiB |",
        "|--|--|--|--:|--:|--:|--:|--:|",
    ]
    # The servers keep their files there too.
    os.environ["TMPDIR"] = base or tempfile.gettempdir()
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory(dir=base) as folder:
        for kind in options.server or ["vsftpd", "proftpd", "pure-ftpd"]:
            for tls in ["off", "explicit"]:
                for row in measure(kind, tls, options.mib, options.rounds, folder):
                    _, _, direction, medians, memory, ratio = row
                    speed = [
                        f"{options.mib / medians[name]:.0f}" if name in medians else "-"
                        for name in ("slip", "curl", "lftp")
                    ]
                    protection = "plain" if tls == "off" else "TLS"
                    cells = [kind, protection, direction, *speed, f"{ratio:.2f}" if ratio else "-", f"{memory['slip']:.0f}"]
                    lines.append("| " + " | ".join(cells) + " |")
                    print(lines[-1], flush=True)
    if options.write:
        page = ROOT / "docs/bench.md"
        head = page.read_text().split("<!-- table -->")[0]
        how = f"{options.mib} MiB, {options.rounds} rounds on {os.cpu_count()} cores:"
        page.write_text(f"{head}<!-- table -->\n\n{how}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
