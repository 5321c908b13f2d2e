# shellcheck shell=bash
# What the steps share. Sourced, never run.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# What the environment says, as options of tunfarm; for the steps that declare it.
# shellcheck disable=SC2034 # used by the steps
[[ -z ${MATRIX:-} ]] || matrix_options=(--matrix "$MATRIX")

# The step's own packages; quick when nothing is missing.
set_up() { ci/setup >&2; }
