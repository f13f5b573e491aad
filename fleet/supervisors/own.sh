# Which processes are ours. Expects common.sh. Part of every program about a service.
# A record is a file of four lines: pid, start time, boot id, release.
# shellcheck shell=sh disable=SC2154,SC2034

# argv_of PID: its command line, one line; nothing where it cannot be read.
argv_of() {
    if [ -r "/proc/$1/cmdline" ]; then
        tr '\000' ' ' < "/proc/$1/cmdline" 2>/dev/null
    else
        ps -ww -o command= -p "$1" 2>/dev/null
    fi
}

# write_record FILE PID RELEASE: rename into place, so that no reader sees half of it.
write_record() {
    printf '%s\n%s\n%s\n%s\n' "$2" "$(start_time "$2")" "$(boot_id)" "$3" > "$1.$$.tmp" &&
        mv -f "$1.$$.tmp" "$1"
}

# read_record FILE: sets rec_pid rec_start rec_boot rec_release. False where there is none.
read_record() {
    rec_pid='' rec_start='' rec_boot='' rec_release=''
    [ -s "$1" ] || return 1
    {
        read -r rec_pid
        read -r rec_start
        read -r rec_boot
        read -r rec_release
    } < "$1" 2>/dev/null
    case $rec_pid in '' | *[!0-9]*) return 1 ;; esac
    [ -n "$rec_start" ]
}

# is_ours FILE: the recorded process lives, and its command line lies below our root.
is_ours() {
    read_record "$1" || return 1
    is_alive "$rec_pid" "$rec_start" "$rec_boot" || return 1
    case $(argv_of "$rec_pid") in
        *"$FLEET_ROOT/"*) return 0 ;;
        *) return 1 ;;
    esac
}

# gone_within SECONDS FILE: wait for the recorded process to end.
gone_within() {
    gone_left=$1
    while is_ours "$2"; do
        [ "$gone_left" -gt 0 ] || return 1
        gone_left=$((gone_left - 1))
        sleep 1
    done
}

# end_ours FILE: TERM, five seconds, TERM again (llama-server waits for its clients after
# the first), two seconds, KILL. Never a process that is not proven ours at that moment.
end_ours() {
    is_ours "$1" || return 0
    kill -TERM "$rec_pid" 2>/dev/null
    gone_within 5 "$1" && return 0
    kill -TERM "$rec_pid" 2>/dev/null
    gone_within 2 "$1" && return 0
    kill -KILL "$rec_pid" 2>/dev/null
    gone_within 5 "$1"
}
