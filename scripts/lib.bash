# lib.bash - sourced by the scripts that run several steps: headings, times, one verdict.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
jobs=$(nproc)
failed=()

# step NAME COMMAND...: run it; its output is shown only if it fails. A line "say: ..." that it
# prints goes beside its name.
step() {
    local name=$1 began=$SECONDS log
    shift
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then
        printf 'ok    %-34s %4d s  %s\n' "$name" $((SECONDS - began)) "$(sed -n 's/^say: //p' "$log" | tail -1)"
        rm -f "$log"
        return 0
    fi
    printf 'FAIL  %-34s %4d s\n' "$name" $((SECONDS - began))
    sed 's/^/      | /' "$log"
    rm -f "$log"
    failed+=("$name")
    return 1
}

# Configure (the preset's folder is build-PRESET) and build all; errors of every file, once each.
build_preset() {
    mkdir -p "build-$1"
    cmake --preset "$1" >"build-$1/configure.log" 2>&1 || {
        cat "build-$1/configure.log"
        return 1
    }
    cmake --build "build-$1" -- -k 0 --quiet
}

verdict() {
    if [ ${#failed[@]} -gt 0 ]; then
        printf '%s: failed: %s\n' "$1" "${failed[*]}"
        exit 1
    fi
}
