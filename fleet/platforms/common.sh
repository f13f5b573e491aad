# Comes before every program that fleet sends to a host. POSIX sh; dash, busybox, bash 3.2, zsh.
# Variables set by the sender: FLEET_ROOT (may be empty: the platform's own place), FLEET_GENERATION.
# shellcheck shell=sh
umask 077
LC_ALL=C TERM=dumb
PATH="${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin:/usr/local/bin:/opt/homebrew/bin:/usr/local/cuda/bin:/opt/rocm/bin:/usr/lib/wsl/lib"
export LC_ALL TERM PATH
unset CDPATH ENV BASH_ENV GREP_OPTIONS

os=$(uname -s)

# Where fleet lives on this host.
if [ -z "${FLEET_ROOT:-}" ]; then
    case $os in
        Darwin) FLEET_ROOT="$HOME/Library/Application Support/fleet" ;;
        *) FLEET_ROOT="${XDG_DATA_HOME:-$HOME/.local/share}/fleet" ;;
    esac
fi
