#!/usr/bin/env bash
# Installs what is missing to build and run Slipway on Debian or Ubuntu, with the argument `test` also to test it; with
# `bench` what is missing to measure `slip`, and nothing for the window. Quick when nothing is: packages are looked up, tools are looked for, and npm runs only when the lock file has changed.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

packages=(
    # to build
    build-essential pkg-config curl ca-certificates git
    libwebkit2gtk-4.1-dev librsvg2-dev patchelf
    # to run the window, without a screen too
    xvfb openbox xdotool x11-utils imagemagick fonts-dejavu dbus dbus-x11 gnome-keyring at-spi2-core procps python3
)
for_tests=(
    webkit2gtk-driver python3-gi gir1.2-gtk-3.0
    # peers of the engine's tests
    lftp openssl iproute2 perl-base python3-venv
)
for_bench=(
    build-essential pkg-config ca-certificates git iproute2 procps python3 openssl perl-base
    # what slip is measured against
    curl lftp rclone ncftp
)
purpose=${1:-run}
case $purpose in
test) packages+=("${for_tests[@]}") ;;
bench) packages=("${for_bench[@]}") ;;
esac

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        die "root is needed to run: $*  (and there is no sudo)"
    fi
}

install_packages() {
    if ! have dpkg-query; then
        say "no dpkg here: please see to these packages yourself: ${packages[*]}"
        return 0
    fi
    local installed missing=() package
    installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "${packages[@]}" 2>/dev/null || true)"
    for package in "${packages[@]}"; do
        case $installed in *" installed:$package "*) ;; *) missing+=("$package") ;; esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing: ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" ||
        {
            # The lists of packages may be missing or stale.
            as_root apt-get update -q
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
        }
}

install_node() {
    # What Vite and its plugins ask for; older releases of Debian have none that is new enough.
    local wanted="Node 20.19, 22.13, 24 or later is needed (https://nodejs.org)"
    if have node && node -e '
        const [a, b] = process.versions.node.split(".").map(Number);
        process.exit((a === 20 && b >= 19) || (a === 22 && b >= 13) || a >= 24 ? 0 : 1)'; then
        have npm || as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends npm
        return 0
    fi
    local candidate
    candidate=$(apt-cache policy nodejs 2>/dev/null | sed -n 's/^ *Candidate: \([0-9]*\.[0-9]*\)\..*/\1/p')
    case $candidate in
    20.19 | 20.[2-9][0-9] | 22.1[3-9] | 22.[2-9][0-9] | 2[4-9].* | [3-9][0-9].*) ;;
    *) die "$wanted; this system has $(node --version 2>/dev/null || echo none)" ;;
    esac
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nodejs npm
}

install_tools() {
    have cargo || die "Rust is needed: https://rustup.rs"
    if have rustup; then
        cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
        cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
    fi
    [ "$purpose" = test ] || return 0
    # Built outside the project, so that its Cargo.lock, its target folder and its settings stay out of it.
    have cargo-nextest || (cd / && cargo install --locked cargo-nextest --version 0.9.143)
    have tauri-driver || (cd / && cargo install --locked tauri-driver --version 2.1.0)
}

install_ui() {
    local stamp
    stamp=$(stamp_of ui/package-lock.json ui/package.json)
    if [ -d ui/node_modules ] && [ "$(cat ui/node_modules/.slipway-stamp 2>/dev/null)" = "$stamp" ]; then
        return 0
    fi
    say "installing the front end's packages"
    (cd ui && npm ci --no-audit --no-fund)
    printf '%s\n' "$stamp" >ui/node_modules/.slipway-stamp
}

install_packages
install_tools
if [ "$purpose" != bench ]; then
    install_node
    install_ui
fi
if [ "$purpose" = test ]; then
    # Not a failure of the setup: without them their tests are skipped, loudly.
    scripts/python-servers.sh || say "the engine's tests go on without aioftp and pyftpdlib"
fi
say "everything that is needed is here"
