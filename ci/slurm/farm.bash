# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run.

# What a farm consists of: the binary, the number of shards, the options of `tunfarm run` and of
# sbatch.
tunfarm='' shards='' run_options=() sbatch_options=()

# Prints the comment at the head of a script: its help.
help_of() { sed -n '2,/^[^#]/{/^#/{s/^# \{0,1\}//;p;}}' "$1"; }

# Ends with a message and the status for usage and configuration.
die() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

# Writes what is to be run, so that it can be repeated exactly.
write_farm() {
    {
        echo "# Written by ci/slurm/submit. Read by bash."
        printf 'tunfarm=%q\nshards=%q\n' "$tunfarm" "$shards"
        echo "run_options=(${run_options[*]@Q})"
        echo "sbatch_options=(${sbatch_options[*]@Q})"
        [[ -z ${TUNFARM_CACHE:-} ]] || printf 'export TUNFARM_CACHE=%q\n' "$TUNFARM_CACHE"
        [[ -z ${TUNFARM_MIRROR:-} ]] || printf 'export TUNFARM_MIRROR=%q\n' "$TUNFARM_MIRROR"
    } >"$1/farm.conf.part"
    mv -- "$1/farm.conf.part" "$1/farm.conf"
}

# Reads it.
read_farm() {
    [[ -r $1/farm.conf ]] || die "$1 has no farm.conf: submit it first"
    # shellcheck disable=SC1091 # written by write_farm
    source "$1/farm.conf"
}

# Prints the folders of the shards that are there, by number.
shard_folders() {
    find "$1/shards" -mindepth 1 -maxdepth 1 -type d -print | sort -V
}

# Prints the numbers of the shards without a usable result, separated by commas: what `merge`
# cannot read, or refuses, is missing too.
missing_shards() {
    local folders
    mapfile -t folders < <(shard_folders "$1")
    "$tunfarm" merge --missing --shards "$shards" "${folders[@]}"
}
