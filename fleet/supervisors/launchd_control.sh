# How launchd is told what to do. Over SSH without a login at the screen only the user/
# domain exists, so gui/ is tried first and user/ after it.
# Variables: SERVER UNIT (label) PLIST. Functions: service_start service_stop service_enable service_remove.
# shellcheck shell=sh disable=SC2154
uid=$(id -u)

service_domain() {
    for domain in "gui/$uid" "user/$uid"; do
        launchctl print "$domain/$UNIT" > /dev/null 2>&1 && return 0
    done
    return 1
}

service_start() {
    rm -f "$service/failed" "$service/starts"
    if service_domain; then
        launchctl bootout "$domain/$UNIT" > /dev/null 2>&1
        gone_within 15 "$service/child"
    fi
    for domain in "gui/$uid" "user/$uid"; do
        launchctl enable "$domain/$UNIT" 2>/dev/null
        launchctl bootstrap "$domain" "$PLIST" 2>/dev/null && return 0
    done
    echo "fleet: error: launchd took the agent neither in gui/$uid nor in user/$uid" >&2
    echo "fleet: next: log in at the screen of this Mac once, or look at: launchctl print user/$uid" >&2
    return 1
}

service_stop() {
    if service_domain; then
        launchctl bootout "$domain/$UNIT" > /dev/null 2>&1
    fi
    end_ours "$service/child" || return 1
    rm -f "$service/child"
}

service_enable() {
    if [ "$(stat -f %Su /dev/console 2>/dev/null)" != "$(id -un)" ]; then
        echo "fleet: note: $SERVER starts after a reboot only when $(id -un) logs in"
    fi
}

service_disable() {
    for domain in "gui/$uid" "user/$uid"; do launchctl disable "$domain/$UNIT" 2>/dev/null; done
    return 0
}

service_remove() { rm -f "$PLIST"; }
