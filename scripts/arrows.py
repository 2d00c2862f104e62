#!/usr/bin/env python3
"""Checks who may use whom among the crates, as the design says. Development dependencies are exempt."""

import json
import subprocess
import sys
from pathlib import Path

APP = {"transfer", "ftp-client", "ftp-server", "site-config", "site-import", "vault", "vfs"}

# Every crate of the workspace, and the crates of the workspace that it may depend on.
ALLOWED = {
    "slipway": APP,
    "slip": APP,
    "transfer": {"ftp-client", "vfs"},
    "ftp-server": {"ftp-net", "ftp-proto", "vfs"},
    "ftp-client": {"ftp-net", "ftp-proto"},
    "ftp-proto": set(),
    "ftp-net": set(),
    "vfs": set(),
    "vault": set(),
    # Where a saved site becomes a connection; neither of the two knows the other.
    "site-config": {"ftp-client", "vault"},
    "site-import": {"vault"},
    "support": set(),
    "fuzz": {"ftp-client", "ftp-net", "ftp-proto"},
    # The tests of the engine look at every crate from the outside.
    "engine-tests": {"support", "ftp-client", "ftp-net", "ftp-proto", "ftp-server", "transfer", "vault", "vfs"},
}

# What a crate must not reach, by however many steps. "tauri*" stands for every name that begins so.
NO_DESKTOP = ["tauri*", "specta*", "wry", "tao"]
FORBIDDEN = {name: NO_DESKTOP for name in ALLOWED if name != "slipway"}
FORBIDDEN["ftp-proto"] = [*NO_DESKTOP, "tokio*", "mio", "rustls*", "socket2"]
FORBIDDEN["ftp-net"] = [*NO_DESKTOP, "rusqlite", "keyring*"]

# The engine is ours: no other FTP implementation anywhere.
FTP_CRATES = ["suppaftp", "libunftp", "unftp*", "async_ftp", "ftp", "ftp-*", "ftp_*", "rust-ftp*", "*-ftp", "*ftpd*"]


def is_named(name, pattern):
    if pattern.startswith("*"):
        return name.endswith(pattern[1:]) if not pattern.endswith("*") else pattern.strip("*") in name
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def main():
    root = Path(__file__).resolve().parent.parent
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--manifest-path", str(root / "Cargo.toml")]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        print("arrows: cargo metadata failed (is Cargo.lock up to date?)", file=sys.stderr)
        return 1
    data = json.loads(done.stdout)

    names = {package["id"]: package["name"] for package in data["packages"]}
    ours = {names[member]: member for member in data["workspace_members"]}
    edges = {}
    for node in data["resolve"]["nodes"]:
        real = [dep["pkg"] for dep in node["deps"] if any(kind["kind"] != "dev" for kind in dep["dep_kinds"])]
        edges[node["id"]] = real

    faults = []
    for name, member in sorted(ours.items()):
        if name not in ALLOWED:
            faults.append(f"{name}: a crate that scripts/arrows.py does not know; say there what it may use")
            continue
        for dep in edges[member]:
            if names[dep] in ours and dep == ours[names[dep]] and names[dep] not in ALLOWED[name]:
                faults.append(f"{name} -> {names[dep]}: not an arrow of the design")
        faults += reached(name, member, edges, names)

    for package in data["packages"]:
        if package["source"] is not None and any(is_named(package["name"], pattern) for pattern in FTP_CRATES):
            faults.append(f"{package['name']}: an FTP crate that is not ours")

    for fault in faults:
        print(f"arrows: {fault}", file=sys.stderr)
    if not faults:
        print(f"arrows: {len(ours)} crates, all as designed")
    return 1 if faults else 0


def reached(name, member, edges, names):
    """The forbidden crates that a crate reaches, each with the way to it."""
    faults, seen, open_ends = [], {member}, [(member, [name])]
    while open_ends:
        package, way = open_ends.pop()
        for dep in edges[package]:
            if dep in seen:
                continue
            seen.add(dep)
            further = [*way, names[dep]]
            if any(is_named(names[dep], pattern) for pattern in FORBIDDEN.get(name, [])):
                faults.append(" -> ".join(further) + ": forbidden")
            else:
                open_ends.append((dep, further))
    return faults


if __name__ == "__main__":
    sys.exit(main())
