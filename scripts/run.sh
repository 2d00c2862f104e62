#!/usr/bin/env bash
# Builds Slipway and starts it. With a display: the window, for a person. Without one: a display of its own, the
# practice site, a screenshot in target/screenshots/run.png, and the end.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

title=practice     # stands in the window's title once the practice site is connected
start_limit=120    # seconds until it must
settle_limit=15    # seconds until two pictures in a row must be the same
app=$target/debug/slipway
shots=$target/screenshots
shot=$shots/run.png

build() {
    [ -d ui/node_modules ] || die "the front end's packages are missing: run 'make setup'"
    say "building the front end"
    build_ui || die "the front end does not build"
    say "building the app"
    cargo build -p slipway || die "the app does not build"
}

# The number of different colours in the picture, and a word for its content.
colours_of() { identify -format '%k' "$1"; }
content_of() { identify -format '%#' "$1"; }

picture() {
    local log=$target/run.log pid started window previous='' current code
    mkdir -p "$shots"
    rm -f "$shot"
    "$app" --practice >"$log" 2>&1 &
    pid=$!
    # shellcheck disable=SC2064
    trap "kill $pid 2>/dev/null || true; sleep 0.3; kill -9 $pid 2>/dev/null || true" EXIT

    started=$SECONDS
    until window=$(xdotool search --onlyvisible --name "$title" 2>/dev/null | head -n 1); [ -n "$window" ]; do
        if ! kill -0 "$pid" 2>/dev/null; then
            code=0
            wait "$pid" || code=$?
            tail -n 40 "$log" >&2
            die "the app left by itself with code $code; its output is above and in $log"
        fi
        if [ $((SECONDS - started)) -ge "$start_limit" ]; then
            import -window root "$shots/run-failed.png" 2>/dev/null || true
            tail -n 40 "$log" >&2
            die "no window with \"$title\" in its title after $start_limit s; see $shots/run-failed.png and $log"
        fi
        sleep 0.2
    done
    say "connected: $(xdotool getwindowname "$window")"

    # Rows may still be coming in: the picture counts when it stays the same.
    started=$SECONDS
    while :; do
        import -window root "$shot" || die "no screenshot can be taken"
        current=$(content_of "$shot")
        if [ "$current" = "$previous" ] && [ "$(colours_of "$shot")" -gt 16 ]; then break; fi
        previous=$current
        [ $((SECONDS - started)) -lt "$settle_limit" ] || break
        sleep 0.5
    done
    [ "$(colours_of "$shot")" -gt 16 ] || die "the screenshot $shot is blank: the window drew nothing"
    kill -0 "$pid" 2>/dev/null || die "the app crashed after it had connected; see $log"
    say "screenshot: $shot"
}

if [ "${1:-}" = --picture ]; then
    picture
    exit 0
fi

build
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    say "starting"
    exec "$app" "$@"
fi
say "no display here: starting one, to take a picture of the practice site"
# The window is 1280x800; its title bar and frame need room beside it.
scripts/with-display.sh --keyring --size 1320x880 scripts/run.sh --picture
