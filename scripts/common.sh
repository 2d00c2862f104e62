# shellcheck shell=bash
# What the scripts share. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$root/$target ;; esac
export PATH="$HOME/.cargo/bin:$PATH"

say() { printf '%s\n' "slipway: $*"; }
die() {
    printf '%s\n' "slipway: error: $*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# stamp_of FILE...: one word that changes when any of the files does.
stamp_of() { cat -- "$@" 2>/dev/null | sha256sum | cut -d ' ' -f 1; }

# ui_stamp: one word that changes when the front end's sources do.
ui_stamp() {
    find ui -type f -not -path 'ui/node_modules/*' -not -path 'ui/dist/*' -print0 | LC_ALL=C sort -z |
        xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}

# build_ui [--force]: ui/dist, unless it is that of these sources.
build_ui() {
    local stamp
    stamp=$(ui_stamp)
    if [ "${1:-}" != --force ] && [ -f ui/dist/index.html ] && [ "$(cat "$target/ui.stamp" 2>/dev/null)" = "$stamp" ]; then
        say "front end is up to date"
        return 0
    fi
    (cd ui && npm run build) || return 1
    mkdir -p "$target"
    printf '%s\n' "$stamp" >"$target/ui.stamp"
}
