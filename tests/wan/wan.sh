#!/usr/bin/env bash
# Two hosts on this machine with a long wire between them, for tests and measurements.
#
#   wan.sh up [ROUND_TRIP_MS [MBIT [LOSS_PERCENT]]]   50 ms, no limit, no loss, unless it is said otherwise
#   wan.sh client COMMAND...      run a command on the client's host, 10.83.0.1
#   wan.sh server COMMAND...      run a command on the server's host, 10.83.0.2
#   wan.sh down                   end the wire and remove the hosts
#
# The hosts are the network namespaces slipway-client and slipway-server; with SLIPWAY_WAN=NAME, NAME-client and
# NAME-server, so that several can stand side by side. wire.c carries the packets; the kernel needs no netem. It
# takes root, /dev/net/tun, a C compiler and iproute2.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
name=${SLIPWAY_WAN:-slipway}
client=$name-client server=$name-server
state=/run/slipway-wan/$name

die() {
    printf 'wan.sh: %s\n' "$*" >&2
    exit 1
}

# The wire's process id, if it runs. What else may have got that number since is not called so.
running() {
    local pid
    pid=$(cat "$state/pid" 2>/dev/null) || return 1
    [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$state/wire" ] || return 1
    printf '%s\n' "$pid"
}

down() {
    local pid namespace
    if pid=$(running); then
        kill "$pid" 2>/dev/null || true
        # Ended, or given up after two seconds. (Not every init buries the dead at once.)
        for _ in $(seq 100); do running >/dev/null || break; sleep 0.02; done
    fi
    for namespace in "$client" "$server"; do
        [ ! -e "/run/netns/$namespace" ] || ip netns del "$namespace" 2>/dev/null || true
    done
    rm -rf "$state"
}

# host NAMESPACE ADDRESS
host() {
    ip -n "$1" link set lo up
    ip -n "$1" address add "$2/24" dev wan0
    # A queue that loses nothing of what a connection sends at once: losses are the wire's business.
    ip -n "$1" link set wan0 mtu 1500 txqueuelen 20000 up
    # What the last connection to that host was like is not remembered, so that all runs begin alike.
    ip netns exec "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_no_metrics_save'
}

up() {
    local half
    half=$(awk -v trip="${1:-50}" 'BEGIN { if (trip !~ /^[0-9]+(\.[0-9]+)?$/) exit 1; print trip / 2 }') ||
        die "\"$1\" is no number of milliseconds"
    ! running >/dev/null || die "the wire \"$name\" is up; take it down first, or choose another name by SLIPWAY_WAN"
    # What a run that was killed has left.
    down
    mkdir -p "$state"
    trap down EXIT
    "${CC:-cc}" -O2 -Wall -Wextra -pthread -o "$state/wire" "$here/wire.c" || die "wire.c does not compile"
    ip netns add "$client" || die "no network namespaces here"
    ip netns add "$server"
    # Neither end keeps anything of ours open: who waits for our output to end would wait for the wire.
    setsid "$state/wire" -d "$half" -r "${2:-0}" -l "${3:-0}" "/run/netns/$client" "/run/netns/$server" \
        </dev/null >"$state/log" 2>&1 &
    echo $! >"$state/pid"
    for _ in $(seq 100); do
        ! grep -q '^ready' "$state/log" || break
        [ -d "/proc/$!" ] || break
        sleep 0.02
    done
    grep -q '^ready' "$state/log" || die "the wire did not start: $(cat "$state/log")"
    host "$client" 10.83.0.1
    host "$server" 10.83.0.2
    trap - EXIT
}

case ${1:-} in
up | client | server | down)
    [ "$(id -u)" -eq 0 ] || die "root is needed, for network namespaces"
    command -v ip >/dev/null || die "iproute2 is needed (the program \"ip\")"
    ;;&
up)
    command -v "${CC:-cc}" >/dev/null || die "a C compiler is needed"
    [ -c /dev/net/tun ] || die "there is no /dev/net/tun here (modprobe tun; in a container: --device /dev/net/tun)"
    shift
    up "$@"
    ;;
client | server)
    namespace=$name-$1
    shift
    [ -e "/run/netns/$namespace" ] || die "the wire \"$name\" is not up"
    exec ip netns exec "$namespace" "$@"
    ;;
down) down ;;
*)
    sed -n '2,12s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
