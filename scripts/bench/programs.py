"""How each program is told to do the same thing."""

import functools
import shutil
import subprocess

from machine import SLIP

# What comes from Debian, by the name of the program and of its package.
PEERS = {"curl": "curl", "lftp": "lftp", "rclone": "rclone", "ncftpget": "ncftp"}


def missing():
    """Packages of programs that are not here."""
    return [package for program, package in PEERS.items() if not shutil.which(program)]


def versions():
    """One line about what was measured."""
    found = []
    for program, arguments in (("curl", ["--version"]), ("lftp", ["--version"]), ("rclone", ["version"])):
        if shutil.which(program):
            said = subprocess.run([program, *arguments], capture_output=True, text=True).stdout.split("\n")[0]
            found.append(" ".join(said.replace("| Version", "").replace("LFTP", "lftp").split(" (")[0].split()[:2]))
    if shutil.which("ncftpget"):
        said = subprocess.run(["ncftpget", "--version"], capture_output=True, text=True)
        words = (said.stdout + said.stderr).split()
        found.append("ncftp" + next((f" {word.split('/')[0]}" for word in words if word[:1].isdigit()), ""))
    return ", ".join(found)


@functools.cache
def _slip_connections():
    """The option of this build of slip that says how many connections."""
    help_text = subprocess.run([SLIP, "get", "--help"], capture_output=True, text=True).stdout
    return next((option for option in ("--connections", "--jobs", "-j") if f"{option} " in help_text), "-j")


@functools.cache
def _obscured(password):
    if not shutil.which("rclone"):
        return ""
    return subprocess.run(["rclone", "obscure", password], capture_output=True, text=True, check=True).stdout.strip()


def slip(server, words, connections=None):
    verb, *rest = words
    protection = ["--ca", server.ca] if server.tls else ["--plaintext"]
    count = [_slip_connections(), connections] if connections else []
    return [SLIP, verb, "-q", *protection, *count, *rest]


def slip_url(server, path):
    scheme = "ftpes" if server.tls else "ftp"
    return f"{scheme}://{server.user}@{server.host}:{server.port}/{path}"


def curl(server, words):
    protection = ["--ssl-reqd", "--cacert", server.ca] if server.tls else []
    return ["curl", "-s", "-S", "-u", f"{server.user}:{server.password}", *protection, *words]


def curl_url(server, path):
    return f"ftp://{server.host}:{server.port}/{path}"


def lftp(server, command, sync=True):
    settings = ["net:max-retries 1", "xfer:clobber yes", f"ftp:sync-mode {'on' if sync else 'off'}"]
    if server.tls:
        settings += ["ftp:ssl-force yes", "ftp:ssl-protect-data yes", f"ssl:ca-file {server.ca}"]
    else:
        settings += ["ftp:ssl-allow no"]
    script = "".join(f"set {setting}; " for setting in settings)
    return ["lftp", "-c", f"{script}open -u {server.user},{server.password} {server.host}:{server.port}; {command}"]


def rclone(server, words, transfers=None):
    count = ["--transfers", transfers, "--checkers", transfers] if transfers else []
    return ["rclone", "-q", "--retries", "1", "--low-level-retries", "1", *count, *words]


def rclone_path(server, path):
    options = {"host": server.host, "port": server.port, "user": server.user, "pass": _obscured(server.password)}
    if server.tls:
        options |= {"explicit_tls": "true", "no_check_certificate": "true"}
    if server.kind == "vsftpd":
        # It sets times by MDTM; without this, rclone counts each upload as failed.
        options["writing_mdtm"] = "true"
    return f":ftp,{','.join(f'{key}={value}' for key, value in options.items())}:{path}"


def ncftp(server, program, words):
    # -T: never as a tar archive made on the fly, which these servers don't do.
    tar = ["-T"] if program == "ncftpget" else []
    login = ["-u", server.user, "-p", server.password, "-P", server.port]
    return [program, "-V", "-R", *tar, "-r", "1", *login, server.host, *words]
