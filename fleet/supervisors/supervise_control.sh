# How the supervise script is told what to do.
# Variables: SERVER. Functions: service_start service_stop service_enable service_disable service_remove.
# shellcheck shell=sh disable=SC2154

service_start() {
    rm -f "$service/stop" "$service/failed"
    if is_ours "$service/supervise.pid"; then
        return 0
    fi
    detach "$service/log/supervise.log" sh "$FLEET_ROOT/bin/supervise.sh" "$SERVER" > /dev/null
}

service_stop() {
    : > "$service/stop"
    if is_ours "$service/supervise.pid"; then
        kill -TERM "$rec_pid"
        gone_within 15 "$service/supervise.pid" || end_ours "$service/supervise.pid"
    fi
    end_ours "$service/child" || return 1
    rm -f "$service/stop" "$service/child" "$service/supervise.pid"
}

cron_line() {
    # In a crontab % is a newline; the mark at the end finds the line again.
    printf '@reboot /bin/sh %s %s >/dev/null 2>&1 # fleet %s %s\n' \
        "$(quoted "$FLEET_ROOT/bin/supervise.sh")" "$SERVER" "$SERVER" "$FLEET_ROOT" | sed 's/%/\\%/g'
}

quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

# cron_edit add|drop: only where the present table could be read.
cron_edit() {
    command -v crontab > /dev/null 2>&1 || return 1
    old="$service/crontab.$$.tmp"
    if ! crontab -l > "$old" 2> "$old.err"; then
        grep -qi 'no crontab' "$old.err" || { rm -f "$old" "$old.err"; return 1; }
        : > "$old"
    fi
    mark=$(printf '# fleet %s %s' "$SERVER" "$FLEET_ROOT" | sed 's/%/\\%/g')
    {
        awk -v mark="$(printf '%s' "$mark" | sed 's/\\/\\\\/g')" \
            'substr($0, length($0) - length(mark) + 1) != mark' "$old"
        [ "$1" = drop ] || cron_line
    } > "$old.new"
    edited=0
    if ! cmp -s "$old" "$old.new"; then
        crontab "$old.new" || edited=1
    fi
    rm -f "$old" "$old.err" "$old.new"
    return "$edited"
}

service_enable() {
    cron_edit add || echo "fleet: note: $SERVER does not survive a reboot: no cron here"
}

service_remove() {
    cron_edit drop || :
}

# A held server is left alone by the loop itself.
service_disable() { :; }
