#!/usr/bin/env bash
# FTP servers in Python (aioftp, pyftpdlib) for the engine's tests, in a virtual environment of their own; nothing is installed.
# Quick when it is there. scripts/python-servers.sh [FOLDER]; the tests themselves call it too.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

wanted=tests/support/python/requirements.txt
home=${1:-${SLIPWAY_SERVERS_DIR:-$target/servers}/python}
mkdir -p "$home"
# Parallel tests wait for the first.
exec 9>"$home.lock"
flock 9
# What is there is of these versions, and of a Python that still exists.
if cmp -s "$wanted" "$home/complete" && "$home/bin/python" -c '' 2>/dev/null; then exit 0; fi
rm -rf "$home"
have python3 || die "python3 is needed"
python3 -m venv "$home" >"$home.log" 2>&1 ||
    { tail -n 3 "$home.log" >&2; die "no virtual environment can be made: Debian has that in python3-venv"; }
timeout 240 "$home/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --retries 1 --timeout 20 \
    --only-binary cffi,cryptography -r "$wanted" >"$home.log" 2>&1 ||
    { grep -m 1 -i error "$home.log" >&2 || tail -n 1 "$home.log" >&2; die "the servers in Python can't be downloaded"; }
cp "$wanted" "$home/complete"
