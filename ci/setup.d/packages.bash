# shellcheck shell=bash
# Which packages tunfarm needs and why, and how they are installed. Sourced by ci/setup.

# Lines of: purpose, package, reason.
readonly PACKAGES='
all    qemu-system-x86         the virtual machines
all    gpgv                    checks the signature of the archive the kernels come from
all    debian-archive-keyring  the keys it is checked against
all    bubblewrap              enters the small roots that drivers are built in, without privileges
all    patch                   applies patches to a kernel'"'"'s own driver
all    gcc                     links the programs
all    libc6-dev               the static C library, for the guest
all    ca-certificates         archives behind https
bisect make                    builds kernels from their sources
bisect flex                    generates their configuration'"'"'s scanner
bisect bison                   generates its parser
bisect bc                      computes their time constants
bisect libelf-dev              checks their objects
bisect libssl-dev              signs their modules
bisect ccache                  builds what did not change only once
bisect git                     chooses commits
test   shellcheck              checks the scripts of ci/
test   chromium                reads reports as people do
test   python3                 finds free ports, compares results
test   libxml2-utils           checks JUnit files against their schema
test   tshark                  a second opinion about captures
test   tcpdump                 a third
test   strace                  proves what the guest asks its kernel for
test   python3-venv            linters of pipelines come as Python packages
test   slurmctld               a cluster on one machine: its controller
test   slurmd                  its nodes
test   slurm-client            its commands
test   munge                   its authentication
'

# Prints `package reason` for each purpose given: `all`, `bisect`, `test`.
wanted_packages() {
    local for_what package reason
    while read -r for_what package reason; do
        [[ -n $for_what && " $* " == *" $for_what "* ]] || continue
        printf '%s %s\n' "$package" "$reason"
    done <<<"$PACKAGES"
}

# Whether a package is installed.
installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Whether apt could install a package.
has_candidate() { [[ -n $(apt-cache madison "$1" 2>/dev/null) ]]; }

# apt, never asking, waiting for whoever holds its lock.
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

# Brings the package lists up to date.
refresh_lists() { apt_get update >&2 || die "apt-get update failed: is a mirror reachable?"; }

# Installs packages without what is merely recommended; removes nothing.
install_packages() { apt_get install -y --no-install-recommends --no-remove "$@" >&2; }

# The oldest Rust this tree can be built with.
rust_version() { sed -n 's/^rust-version = "\(.*\)"/\1/p' "$TOP/Cargo.toml"; }

# Whether a static program can be linked.
cc_works() {
    local scratch status=0
    scratch=$(mktemp -d)
    echo 'int main(void) { return 0; }' >"$scratch/main.c"
    cc -static -o "$scratch/main" "$scratch/main.c" || status=1
    rm -rf "$scratch"
    return "$status"
}
