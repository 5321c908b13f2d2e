# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run.

set -euo pipefail

# The top of the tree, whatever the current folder is.
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export TOP

# One profile for tests, lints and the binary, so that nothing is compiled twice.
export PROFILE=release

# Where cargo puts what it builds.
TARGET=${CARGO_TARGET_DIR:-$TOP/target}
[[ $TARGET == /* ]] || TARGET=$TOP/$TARGET

# The guest's target: the host's own, linked statically.
export GUEST_TRIPLE=x86_64-unknown-linux-gnu

# Prints a heading. On stderr, so that a script's output stays its own.
step() { printf '\n==> %s\n' "$*" >&2; }

# Prints a line for people.
say() { printf '%s\n' "$*" >&2; }

# Ends with a message.
die() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Prints the comment at the head of the calling script: its help.
help_of() { sed -n '2,/^[^#]/{/^#/{s/^# \{0,1\}//;p;}}' "$1"; }

# Runs a command as root: as it is, or by sudo, which never asks when nobody is there to answer.
as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif ! command -v sudo >/dev/null; then
        die "this needs root: $* (no sudo here; run ci/setup as root once)"
    elif [[ -t 0 ]]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}
