#!/usr/bin/env bash
# Every check there is, each a named step. A failure does not stop the ones after it; the closing summary names
# it, and the exit code is not zero. One step by name: scripts/test.sh NAME...  (the names are in the summary).
set -uo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

logs=$target/test-logs
mkdir -p "$logs"
: >"$target/skipped.txt"
# What could not be downloaded in the last run is tried again in this one.
rm -f "${SLIPWAY_SERVERS_DIR:-$target/servers}"/*.failed
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto} RUST_BACKTRACE=${RUST_BACKTRACE:-1}

# All Rust steps but clippy choose the same packages, so that cargo unifies features in the same way and
# everything is compiled once; what a step runs is chosen by nextest's filter.
everything=(--workspace)
names=() results=() times=() notes=()
only=("$@")

wanted() {
    [ ${#only[@]} -eq 0 ] && return 0
    local name
    for name in "${only[@]}"; do [ "$name" = "$1" ] && return 0; done
    return 1
}

# step NAME COMMAND...
step() {
    local name=$1 begun=$SECONDS code
    shift
    wanted "$name" || return 0
    printf '\n=== %s: %s\n' "$name" "$*"
    "$@" 2>&1 | tee "$logs/$name.log"
    code=${PIPESTATUS[0]}
    names+=("$name")
    times+=($((SECONDS - begun)))
    # A test runner's own closing line goes into the summary as well.
    notes+=("$(sed 's/\x1b\[[0-9;]*m//g' "$logs/$name.log" |
        grep -E '^ *Summary \[|^test result:|^ +Tests +|^size: |^arrows: ' | tail -n 1 | sed 's/^ *//')")
    if [ "$code" -eq 0 ]; then results+=(ok); else results+=("FAILED ($code)"); fi
    return "$code"
}

sizes() {
    local file lines count=0
    while IFS= read -r file; do
        [ -f "$file" ] || continue
        lines=$(wc -l <"$file")
        if [ "$lines" -gt 400 ]; then
            printf 'warning: %s has %s lines; over 400 it should be two files\n' "$file" "$lines"
            count=$((count + 1))
        fi
    done < <(git ls-files --cached --others --exclude-standard '*.rs' '*.ts' '*.svelte' '*.py' '*.sh' | grep -v 'bindings\.ts$')
    printf 'size: %s files over 400 lines\n' "$count"
}

doctests() {
    local code=0
    cargo test --doc "${everything[@]}" >"$logs/doctests.out" 2>&1 || code=$?
    grep -vE '^$|^running 0 tests|ok\. 0 passed; 0 failed; 0 ignored' "$logs/doctests.out"
    return "$code"
}

shell_syntax() {
    local file
    for file in scripts/*.sh tests/wan/*.sh .ci/run; do bash -n "$file" || return 1; done
    python3 - scripts/*.py scripts/bench/*.py tests/window/*.py <<'PYTHON'
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path).read(), path)
PYTHON
}

fuzzing() {
    cargo build --quiet "${everything[@]}" --bin fuzz && "$target/debug/fuzz" all --inputs 2000
}

npm_in_ui() { (cd ui && npm run --silent "$@"); }

step scripts shell_syntax
step sizes sizes
step format cargo fmt --all --check
step arrows python3 scripts/arrows.py

step ui-lint npm_in_ui lint
step ui-check npm_in_ui check
step ui-test npm_in_ui test
step ui-build build_ui --force
# The app takes ui/dist in when it is compiled: without it, the app can't be, but the engine can.
engine=(-E 'not package(slipway)') with_app=yes
if [ ! -f ui/dist/index.html ]; then
    say "there is no front end: the app and its window are left out"
    everything+=(--exclude slipway) engine=() with_app=no
fi

step clippy cargo clippy "${everything[@]}" --all-targets -- -D warnings
step build cargo build "${everything[@]}" --all-targets
step engine cargo nextest run "${everything[@]}" "${engine[@]}"
step doctests doctests
# A few seconds of it; the long run is in fuzz/README.md.
step fuzz fuzzing
if [ "$with_app" = yes ]; then
    # The generated bindings are checked for staleness in here.
    step app cargo nextest run "${everything[@]}" -E 'package(slipway) & not kind(test)'
    step window scripts/with-display.sh --keyring \
        cargo nextest run "${everything[@]}" -E 'package(slipway) & kind(test)'
else
    step app false
fi

failed=0
printf '\n================================ make test ================================\n'
for index in "${!names[@]}"; do
    [ "${results[$index]}" = ok ] || failed=$((failed + 1))
    printf '%-12s %-13s %5d s   %s\n' "${names[$index]}" "${results[$index]}" "${times[$index]}" "${notes[$index]}"
done
if [ -s "$target/skipped.txt" ]; then
    printf '\nSKIPPED (LOUD), %s in all; SLIPWAY_REQUIRE_SERVERS=1 makes each a failure:\n' "$(wc -l <"$target/skipped.txt")"
    sort "$target/skipped.txt" | uniq -c | sed 's/^/  /'
fi
printf 'total        %s   %5d s   logs in %s\n' "$([ "$failed" -eq 0 ] && echo 'all passed ' || echo "$failed FAILED   ")" "$SECONDS" "$logs"
[ ${#names[@]} -gt 0 ] || die "no step is called ${only[*]}"
[ "$failed" -eq 0 ]
