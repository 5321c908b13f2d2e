# shellcheck shell=bash
# Finds a version of qemu-system-x86 that fits the QEMU packages that are there. Sourced by ci/setup.
#
# QEMU's packages conflict across versions. A machine whose qemu-utils came from backports needs
# qemu-system-x86 from there too, although apt would prefer the release's own. So each version
# that apt knows is tried in simulation, the one that fits what is installed first, and the first
# that installs without removing anything is taken.

# Prints the version of the QEMU packages that are already here, if any.
qemu_version_here() {
    local package
    for package in qemu-system-common qemu-system-data qemu-utils; do
        if installed "$package"; then
            dpkg-query -W -f '${Version}\n' "$package"
            return
        fi
    done
}

# Prints `version suite` of every qemu-system-x86 apt knows, best first.
qemu_choices() {
    local here=$1 version source suite
    while IFS='|' read -r _ version source; do
        read -r version <<<"$version"
        # ` URI SUITE/COMPONENT ARCH Packages`; what comes from elsewhere has no suite.
        read -r _ suite _ <<<"$source"
        [[ $suite == */* ]] || continue
        local rank=2
        [[ ${version%%-*} != "${here%%-*}" ]] || rank=1
        [[ $version != "$here" ]] || rank=0
        printf '%s %s %s\n' "$rank" "$version" "${suite%/*}"
    done < <(apt-cache madison qemu-system-x86) | sort -s -k1,1n | cut -d' ' -f2-
}

# Makes this release's backports known to apt, from the mirror that apt already uses.
enable_backports() {
    local codename uri signed_by
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [[ -n $codename ]] || return 1
    uri=$(apt_target "$codename" REPO_URI)
    signed_by=$(apt_target "$codename" SIGNED_BY)
    [[ -n $uri ]] || return 1
    [[ -z $(apt_target "$codename-backports" REPO_URI) ]] || return 1
    say "adding the suite $codename-backports of this machine's own mirror"
    as_root tee /etc/apt/sources.list.d/tunfarm-backports.sources >/dev/null <<SOURCES
# Written by tunfarm's ci/setup: the QEMU packages that are here came from this suite.
Types: deb
URIs: $uri
Suites: $codename-backports
Components: main
${signed_by:+Signed-By: $signed_by}
SOURCES
    refresh_lists
}

# Prints one field of apt's own configuration for a suite; apt prints what it lacks as `$(…)`.
apt_target() {
    apt-get indextargets --format "\$(RELEASE) \$(COMPONENT) \$($2)" \
        "Created-By: Packages" 2>/dev/null |
        awk -v suite="$1" '$1 == suite && $2 == "main" && $3 !~ /^\$/ { print $3; exit }'
}

# Installs the first choice that fits.
install_qemu() {
    local here choice version suite from
    here=$(qemu_version_here)
    if [[ $here == *~bpo* ]] && ! qemu_choices "$here" | grep -qF -- "$here "; then
        enable_backports || true
    fi
    while read -r version suite; do
        # First QEMU's own packages alone from that suite: with `-t` apt would take libraries from
        # there too, and what is built against the release's own could not be installed any more.
        for from in own all; do
            choice=("qemu-system-x86=$version")
            if [[ $from == own ]]; then
                choice+=({qemu-system-common,qemu-system-data,seabios}"/$suite")
            else
                choice+=(-t "$suite")
            fi
            install_packages --simulate "${choice[@]}" >/dev/null 2>&1 || continue
            say "qemu-system-x86 $version from $suite${here:+ (fits the QEMU $here that is here)}"
            install_packages "${choice[@]}"
            return
        done
    done < <(qemu_choices "$here")
    die "no qemu-system-x86 that apt knows fits ${here:+the QEMU $here that is }here; apt says:
$(LC_ALL=C apt-get install --simulate --no-install-recommends qemu-system-x86 2>&1 | tail -n 12)"
}
