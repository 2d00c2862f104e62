#!/usr/bin/env python3
"""Slipway's speed against that of other programs: curl, lftp, rclone and ncftp, with real servers.

    make bench                                        everything; about a quarter of an hour; writes docs/bench.md
    make bench ARGS=--quick                           everything small; two minutes; writes nothing
    python3 scripts/bench --scenario small --server vsftpd --rounds 5

Scenarios: decoders, big, small (loopback), wan-small, wan-big (a long wire, see tests/wan), serve (our server beside
others). Each round runs every
program once, in turn, so that a machine that gets slower slows all of them. Files lie in memory, so that no disk is
measured. All but the decoders need root, for the servers and the wire. Every figure is also in target/bench.json.
"""

import argparse
import contextlib
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import time

# Nothing of root's in the working tree.
sys.dont_write_bytecode = True

import machine
import programs
import scenarios
import tables


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ["decoders", *(scenario.name for scenario in scenarios.ALL)]
    add = parser.add_argument
    add("--scenario", action="append", choices=names, help="only this one; may be repeated")
    add("--server", action="append", dest="servers", choices=list(machine.SERVERS), help="only this one; may be repeated")
    add("--protection", choices=["plain", "tls", "both"], help="default: both for big, plain for the others")
    add("--rounds", type=int, help="default: 3 on loopback, 2 over the wire")
    add("--quick", action="store_true", help="small files, few of them, one round")
    add("--write", action="store_true", help="write the tables to docs/bench.md as well")
    add("--mib", type=int, help="size of the big file (1024)")
    add("--files", type=int, help="small files on loopback (10000)")
    add("--folders", type=int, help="folders that they are in (100)")
    add("--far-files", type=int, help="small files over the wire (1000)")
    add("--default-files", type=int, help="the same for programs with their defaults (100)")
    add("--far-mb", type=int, help="megabytes of the big file over the wire (100)")
    add("--small", type=int, help="small files that a server is asked for in one session (2000)")
    add("--entries", type=int, help="entries of a folder that a server is to list (100000)")
    add("--rtt", type=float, default=50, help="round trip of the wire in milliseconds (50)")
    add("--limit", type=float, default=90, help="seconds after which a program is stopped; 0: never (90)")
    add("--built", action="store_true", help="measure the slip that is built already")
    # By itself, when it goes on as root.
    add("--resumed", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.servers = options.servers or list(machine.SERVERS)
    options.protection = {None: None, "plain": [False], "tls": [True], "both": [False, True]}[options.protection]
    options.scenario = options.scenario or names
    defaults = {"mib": 1024, "files": 10000, "folders": 100, "far_files": 1000, "default_files": 100, "far_mb": 100, "small": 2000, "entries": 100000}
    if options.quick:
        for scenario in scenarios.ALL:
            defaults |= scenario.quick
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def interrupt(*_):
    raise KeyboardInterrupt


def build():
    for words in (
        ["--release", "-p", "slip"],
        ["--release", "-p", "ftp-server", "--example", "serve"],
        ["-p", "support", "--example", "real_server"],
    ):
        subprocess.run(["cargo", "build", "-q", *words], cwd=machine.ROOT, check=True)


def as_root():
    """Goes on as root; what cargo builds stays the user's."""
    if not shutil.which("sudo"):
        raise SystemExit("root is needed, for the servers and the wire (and there is no sudo)")
    os.execvp("sudo", ["sudo", "-E", "env", f"PATH={os.environ['PATH']}", sys.executable, *sys.argv, "--resumed"])


def measure(scenario, options, bench):
    """One scenario: its tables, and all figures."""
    begun = time.monotonic()
    asked = options.rounds
    options.rounds = asked or (1 if options.quick else scenario.rounds)
    title, found = scenario.title.format(**vars(options)), []
    print(f"\n=== {scenario.name}: {title}", flush=True)
    try:
        # Closed at once when it is interrupted, so that servers end before the folder that they stand in goes.
        with contextlib.closing(scenario.run(bench, options)) as running:
            for contest in running:
                found.append(contest)
                print("\n  ".join([tables.line(contest), *tables.problems([contest])]), flush=True)
    except machine.Trouble as trouble:
        print(f"\n{scenario.name} is left out: {trouble}", flush=True)
    text = tables.scenario(title, found, options.rounds) if found else None
    options.rounds = asked
    if text:
        print(f"\n{text}\n\n({scenario.name} took {time.monotonic() - begun:.0f} s)", flush=True)
    return text, [contest.record() for contest in found]


def main():
    options = arguments()
    chosen = [scenario for scenario in scenarios.ALL if scenario.name in options.scenario]
    if chosen and not options.built and not options.resumed:
        build()
    signal.signal(signal.SIGTERM, interrupt)
    figures = {}
    if "decoders" in options.scenario and not options.resumed:
        print("\n=== decoders", flush=True)
        try:
            text = tables.decoders(options.quick)
        except machine.Trouble as trouble:
            raise SystemExit(str(trouble)) from None
        print(f"\n{text}", flush=True)
        if options.write:
            tables.write("decoders", text)
    if chosen and os.geteuid() != 0:
        as_root()
    if absent := programs.missing():
        print(f"missing, and failing in every row: {', '.join(absent)} (scripts/setup.sh bench installs them)")
    interrupted = False
    with machine.only_one(), machine.Bench() as bench:
        try:
            for scenario in chosen:
                text, figures[scenario.name] = measure(scenario, options, bench)
                if text and options.write:
                    tables.write(scenario.name, text)
        except KeyboardInterrupt:
            interrupted = True
            # Once is enough: what is running is being ended.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            print("\nstopped; cleaning up", flush=True)
    if chosen:
        today = datetime.date.today().isoformat()
        about = f"{today}, {os.cpu_count()} cores, Linux {os.uname().release.split('-')[0]}; {programs.versions()}."
        print(f"\n{about}")
        record = machine.TARGET / "bench.json"
        record.write_text(json.dumps({"about": about, "scenarios": figures}, indent=1) + "\n")
        if "SUDO_UID" in os.environ:
            os.chown(record, int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]))
        if options.write and not interrupted:
            tables.write("about", about)
    sys.exit(130 if interrupted else 0)


if __name__ == "__main__":
    main()
