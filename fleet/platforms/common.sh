# Comes before every program that fleet sends to a host. POSIX sh; dash, busybox, bash 3.2, zsh.
# Variables set by the sender, before this text: FLEET_ROOT (may be empty or unset: the platform's own
# place), FLEET_GENERATION (generation of the held lock; empty or unset: none is held).
# Helpers keep their own variables behind an underscore.
# shellcheck shell=sh
[ -z "${ZSH_VERSION:-}" ] || emulate sh
umask 077
LC_ALL=C TERM=dumb
PATH="${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin:/usr/local/bin:/opt/homebrew/bin:/usr/local/cuda/bin:/opt/cuda/bin:/opt/rocm/bin:/usr/lib/wsl/lib"
export LC_ALL TERM PATH
unset CDPATH ENV BASH_ENV GREP_OPTIONS
[ -n "${HOME:-}" ] || HOME=$(cd ~ && pwd)

os=$(uname -s)
FLEET_GENERATION=${FLEET_GENERATION:-}

# Where fleet lives on this host.
if [ -z "${FLEET_ROOT:-}" ]; then
    case $os in
        Darwin) FLEET_ROOT="$HOME/Library/Application Support/fleet" ;;
        *) FLEET_ROOT="${XDG_DATA_HOME:-$HOME/.local/share}/fleet" ;;
    esac
fi

# An inventory may say ~/fleet, or end with a slash.
case $FLEET_ROOT in \~/*) FLEET_ROOT=$HOME/${FLEET_ROOT#??} ;; esac
case $FLEET_ROOT in ?*/) FLEET_ROOT=${FLEET_ROOT%/} ;; esac
# What fleet brought comes first: there was none here, or an old one.
for _bin in "$FLEET_ROOT"/tools/*/bin; do [ ! -d "$_bin" ] || PATH=$_bin:$PATH; done

# is_here NAME: the program is installed.
is_here() { command -v "$1" >/dev/null 2>&1; }

# limited SECONDS CMD...: ends a program that hangs, where this host has a way to.
limited() {
    if [ -z "${_limit:-}" ]; then
        _limit=none
        is_here perl && _limit=perl
        # timeout of old busybox wants -t before the seconds
        is_here timeout && timeout 5 true 2>/dev/null && _limit=timeout
    fi
    _seconds=$1
    shift
    case $_limit in
        timeout) timeout "$_seconds" "$@" ;;
        perl) perl -e 'alarm shift; exec { $ARGV[0] } @ARGV; exit 127' "$_seconds" "$@" ;;
        *) "$@" ;;
    esac
}

# digest FILE: sha256 in hex, by the fastest tool: openssl is four times as fast as sha256sum.
# A python3 of macOS may be a shim that opens a window, so it is not asked there.
digest() {
    for _tool in openssl python3 sha256sum shasum; do
        is_here "$_tool" || continue
        case $_tool:$os in
            openssl:*) _sum=$(openssl dgst -sha256 -r <"$1" 2>/dev/null) ;;
            python3:Darwin) continue ;;
            python3:*) _sum=$(python3 -c 'import hashlib, sys
h = hashlib.sha256()
while True:
    b = sys.stdin.buffer.read(1 << 20)
    if not b: break
    h.update(b)
print(h.hexdigest())' <"$1" 2>/dev/null) ;;
            sha256sum:*) _sum=$(sha256sum <"$1" 2>/dev/null) ;;
            shasum:*) _sum=$(shasum -a 256 <"$1" 2>/dev/null) ;;
        esac
        _sum=${_sum%%[!0-9a-f]*}
        if [ ${#_sum} -eq 64 ]; then
            printf '%s\n' "$_sum"
            return 0
        fi
    done
    echo "fleet: cannot hash $1: unreadable, or none of openssl python3 sha256sum shasum" >&2
    return 1
}

# start_time PID: one word that with the PID identifies a process; fails if it ended (a zombie has).
start_time() {
    case $1 in '' | *[!0-9]*) return 1 ;; esac
    if [ -r "/proc/$1/stat" ]; then
        # state is the 1st word after "(name)", start the 20th, in ticks since boot
        _stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
        _stat=${_stat##*) }
        case $_stat in '' | [ZX]*) return 1 ;; esac
        # shellcheck disable=SC2086
        printf '%s\n' "$(set -- $_stat && shift 19 && echo "$1")"
    else
        process_start "$1"
    fi
}

# is_alive PID START BOOT: this very process still runs.
is_alive() {
    [ -n "${1:-}" ] && [ "${3:-}" = "$(boot_id)" ] && [ "${2:-}" = "$(start_time "$1")" ] && [ -n "${2:-}" ]
}

# fence: ends the program with 75 if somebody took the host over since we locked it.
# A job that a later holder took over finds its generation in FLEET_GENERATION_FILE.
fence() {
    if [ -r "${FLEET_GENERATION_FILE:-}" ]; then
        read -r FLEET_GENERATION <"$FLEET_GENERATION_FILE"
    fi
    [ -n "$FLEET_GENERATION" ] || return 0
    for _lock in "$FLEET_ROOT"/lock/lock.*; do
        _generation=${_lock##*/lock.}
        case $_generation in '' | *[!0-9]*) continue ;; esac
        if [ "$_generation" -gt "$FLEET_GENERATION" ]; then
            echo "fleet: the lock $FLEET_GENERATION was taken over by $_generation" >&2
            exit 75
        fi
    done
}

# detach LOG CMD...: runs a program in a session of its own, survives the link; prints its PID at once.
detach() {
    _log=$1
    shift
    : >>"$_log" || return 1
    if is_here setsid; then
        setsid "$@" </dev/null >>"$_log" 2>&1 &
    elif is_here perl; then
        perl -e 'use POSIX; POSIX::setsid(); exec { $ARGV[0] } @ARGV; exit 127' "$@" </dev/null >>"$_log" 2>&1 &
    else
        nohup "$@" </dev/null >>"$_log" 2>&1 &
    fi
    echo $!
}

# nearest DIR: it, or the closest folder above it that exists.
nearest() {
    _dir=$1
    while [ ! -d "$_dir" ] && [ "$_dir" != / ] && [ -n "$_dir" ]; do
        case $_dir in
            */*) _dir=${_dir%/*} ;;
            *) _dir=. ;;
        esac
        [ -n "$_dir" ] || _dir=/
    done
    printf '%s\n' "$_dir"
}

# free_bytes DIR: for an ordinary user, on the file system that holds or would hold it.
free_bytes() {
    df -Pk "$(nearest "$1")" | awk 'NR > 1 && match($0, /[0-9]+ +[0-9]+ +-?[0-9]+ +[0-9]+%/) {
        split(substr($0, RSTART, RLENGTH), cell, / +/)
        printf "%.0f\n", cell[3] * 1024
        found = 1
        exit
    } END { exit !found }'
}

# flush PATH: its bytes are on the disk, not only in memory.
flush() {
    if [ -d "$1" ]; then
        sync -f "$1" 2>/dev/null || sync
    else
        sync "$1" 2>/dev/null || sync
    fi
}

# rename FROM TO: as rename(2). A plain mv moves into TO where that is (a link to) a folder.
rename() {
    if [ ! -d "$2" ]; then
        mv -f "$1" "$2"
    else
        mv -fT "$1" "$2" 2>/dev/null || mv -fh "$1" "$2" 2>/dev/null ||
            perl -e 'rename $ARGV[0], $ARGV[1] or die "$!\n"' "$1" "$2"
    fi
}

# publish TMP FINAL: gives a finished file, folder or link its name, in one step, never into FINAL.
# A folder that has the name goes to the trash.
publish() {
    [ -L "$1" ] || flush "$1"
    fence # after what may take long: a holder who lost the lock meanwhile renames nothing
    if [ -d "$2" ] && [ ! -L "$2" ]; then
        if [ -L "$1" ] || [ ! -d "$1" ]; then
            echo "fleet: $2 is a folder" >&2
            return 1
        fi
        mkdir -p "$FLEET_ROOT/trash" && mv "$2" "$FLEET_ROOT/trash/${2##*/}.$$" || return 1
    fi
    rename "$1" "$2"
}
