# shellcheck shell=bash
# Runs checks and tests and counts them. Sourced by ci/test.

# Runs one check; it counts as one test.
check() {
    local name=$1
    shift
    step "$name"
    if "$@" >&2; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        say "failed: $name: $*"
    fi
}

# Prints one attribute of the first `testsuites` element of a JUnit file.
junit_count() { sed -n 's/.*<testsuites .*\b'"$2"'="\([0-9]*\)".*/\1/p' "$1" | head -n 1; }

# Runs the examples in the documentation, which nextest does not.
run_doc_tests() {
    step "examples in the documentation"
    count_libtest "documentation" --doc
}

# Runs the fast or the slow tests with nextest where it is, else with cargo's own harness.
run_tests() {
    step "$1 tests"
    if cargo nextest --version >/dev/null 2>&1; then
        run_nextest "$1"
    else
        run_cargo_test "$1"
    fi
}

# The counts come from nextest's JUnit file: its text output is for people.
run_nextest() {
    local junit=$TARGET/nextest/$1/junit.xml all bad status=0
    rm -f "$junit"
    cargo nextest run --cargo-profile "$PROFILE" --locked --workspace --profile "$1" >&2 || status=$?
    if [[ ! -s $junit ]]; then
        say "failed: $1 tests did not run (nextest's status $status)"
        failed=$((failed + 1))
        return
    fi
    all=$(junit_count "$junit" tests)
    bad=$(($(junit_count "$junit" failures) + $(junit_count "$junit" errors)))
    passed=$((passed + all - bad))
    failed=$((failed + bad))
    if ((status != 0 && bad == 0)); then
        say "failed: nextest ended with status $status although no test did"
        failed=$((failed + 1))
    fi
}

# Cargo's harness runs one test binary after another; slow ones get one thread, as they share
# the machine.
run_cargo_test() {
    local options=() binaries=()
    mapfile -t binaries < <(slow_test_names)
    if [[ $1 != fast ]]; then
        mapfile -t binaries < <(slow_test_names | of_part "$1")
        ((${#binaries[@]} > 0)) || return 0
        options=("${binaries[@]/#/--test=}" -- --test-threads=1)
    else
        options=(--lib --bins)
        mapfile -t binaries < <(fast_test_names)
        ((${#binaries[@]} == 0)) || options+=("${binaries[@]/#/--test=}")
    fi
    count_libtest "$1" "${options[@]}"
}

# Runs `cargo test` with these options and counts from what its harness prints.
count_libtest() {
    local name=$1 log ok bad status=0
    shift
    log=$(mktemp)
    cargo test --profile "$PROFILE" --locked --workspace --no-fail-fast "$@" |
        tee "$log" >&2 || status=$?
    ok=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
    bad=$(awk '/^test result:/ { n += $6 } END { print n + 0 }' "$log")
    rm -f "$log"
    if ((status != 0 && bad == 0)); then
        say "failed: $name tests ended with status $status although no test did"
        bad=1
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
}

# Names of the test binaries, by kind.
test_names() { find . -path ./target -prune -o -path '*/tests/*.rs' -print | grep -E '/tests/[^/]+\.rs$' | sed 's|.*/||; s|\.rs$||' | sort -u; }
slow_test_names() { test_names | grep -E '^(boot|net|root)_' || true; }
# The long ones are those that .config/nextest.toml names.
readonly LONG='^(boot_bare|boot_probe|boot_selftests|net_build|net_selftests)$'
of_part() { if [[ $1 == long ]]; then grep -E "$LONG"; else grep -vE "$LONG"; fi || true; }
fast_test_names() { test_names | grep -vE '^(boot|net|root)_' || true; }
