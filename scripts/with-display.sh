#!/usr/bin/env bash
# Runs a command with a desktop of its own: an X display (Xvfb) with a window manager, a session bus, and with
# --keyring an unlocked gnome-keyring, all under a temporary home. Everything ends with the command.
#
#   scripts/with-display.sh [--keyring] [--size 1280x800] COMMAND...
#
# Set for the command: DISPLAY, DBUS_SESSION_BUS_ADDRESS, HOME and the XDG folders (temporary; with RUSTUP_HOME
# and CARGO_HOME still the real ones), and SLIPWAY_OWN_DISPLAY=1.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

if [ "${1:-}" = --inside-session ]; then
    # Second stage, on the new session bus.
    shift
    keyring=$1
    shift
    if [ "$keyring" = yes ]; then
        # An empty password on stdin makes and unlocks the login keyring: no prompt can come up.
        # --start would need a running daemon; --unlock starts one that stays.
        eval "$(printf '\n' | gnome-keyring-daemon --unlock --components=secrets 2>/dev/null)" || true
        ready=no
        for _ in $(seq 100); do
            if dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
                string:org.freedesktop.secrets 2>/dev/null | grep -q 'boolean true'; then
                ready=yes
                break
            fi
            sleep 0.1
        done
        [ "$ready" = yes ] || { echo "slipway: error: gnome-keyring did not come up" >&2; exit 1; }
    fi
    exec "$@"
fi

keyring=no size=1280x800
while [ $# -gt 0 ]; do
    case $1 in
        --keyring) keyring=yes ;;
        --size) size=$2 && shift ;;
        --) shift && break ;;
        -*) echo "with-display.sh: unknown option $1" >&2 && exit 2 ;;
        *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || { echo "with-display.sh: no command" >&2; exit 2; }

work=$(mktemp -d "${TMPDIR:-/tmp}/slipway-desktop.XXXXXX")
pids=() session=
finish() {
    local code=$?
    trap - EXIT INT TERM
    if [ -n "$session" ]; then
        kill -- -"$session" 2>/dev/null || true
        for _ in $(seq 50); do kill -0 -- -"$session" 2>/dev/null && sleep 0.1 || break; done
        kill -9 -- -"$session" 2>/dev/null || true
    fi
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work" 2>/dev/null || { sleep 0.5 && rm -rf "$work"; } || true
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
export HOME=$work/home XDG_RUNTIME_DIR=$work/run
export XDG_CONFIG_HOME=$HOME/.config XDG_DATA_HOME=$HOME/.local/share XDG_CACHE_HOME=$HOME/.cache XDG_STATE_HOME=$HOME/.local/state
mkdir -p "$XDG_CONFIG_HOME" "$XDG_DATA_HOME/keyrings" "$XDG_CACHE_HOME" "$XDG_STATE_HOME" "$XDG_RUNTIME_DIR"
chmod 700 "$XDG_RUNTIME_DIR"

# Xvfb chooses a free display by itself and writes its number once it takes connections.
mkfifo "$work/number"
Xvfb -displayfd 3 -screen 0 "${size}x24" -nolisten tcp -noreset 3>"$work/number" >"$work/xvfb.log" 2>&1 &
pids+=($!)
if ! read -r -t 20 number <"$work/number"; then
    cat "$work/xvfb.log" >&2
    echo "slipway: error: Xvfb did not start" >&2
    exit 1
fi
export DISPLAY=:$number SLIPWAY_OWN_DISPLAY=1
unset WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS
export GDK_BACKEND=x11 XDG_SESSION_TYPE=x11
# No graphics card here. (WEBKIT_DISABLE_DMABUF_RENDERER is not the way: with it WebDriver pictures can hang after a resize.)
export LIBGL_ALWAYS_SOFTWARE=1

openbox --sm-disable >"$work/openbox.log" 2>&1 &
pids+=($!)
for _ in $(seq 100); do
    if xprop -root _NET_SUPPORTING_WM_CHECK 2>/dev/null | grep -q 'window id'; then break; fi
    sleep 0.05
done

# A child in a group of its own: a signal to this script ends the wait at once, and then the whole group.
setsid dbus-run-session -- "$here/with-display.sh" --inside-session "$keyring" "$@" &
session=$!
code=0
wait "$session" || code=$?
exit "$code"
