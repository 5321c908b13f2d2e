# shellcheck shell=bash
# Sourced by every bash that a script's commands start (BASH_ENV). The kernel's own scripts set
# thirty sysctls one by one, and starting thirty processes is most of what such a script costs.
# Whatever is unusual, or goes wrong, is left to the real command.

sysctl() {
    local word name quiet=
    for word; do
        case $word in
        -q | -qw | -wq) quiet=yes ;;
        -w | [!-=]*=?*) ;;
        *) quiet= && break ;;
        esac
    done
    for word; do
        [[ $word == -* ]] && continue
        name=${word%%=*}
        if [[ -z $quiet ]] ||
            ! { printf '%s\n' "${word#*=}" >"/proc/sys/${name//./\/}"; } 2>/dev/null; then
            command sysctl "$@"
            return
        fi
    done
}
