# How systemd's user manager is told what to do.
# Variables: SERVER UNIT. Functions: service_start service_stop service_enable service_remove.
# shellcheck shell=sh disable=SC2154
XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
export XDG_RUNTIME_DIR

service_start() {
    systemctl --user daemon-reload &&
        systemctl --user reset-failed "$UNIT" 2>/dev/null
    systemctl --user start "$UNIT"
}

service_stop() {
    # The unit's own stop sends TERM twice and KILL (see systemd.py).
    systemctl --user stop "$UNIT" 2>/dev/null
    end_ours "$service/child" || return 1
    rm -f "$service/child"
}

service_enable() {
    systemctl --user daemon-reload
    systemctl --user enable "$UNIT" 2>&1 || return 1
    if ! loginctl enable-linger 2>/dev/null && [ ! -e "/var/lib/systemd/linger/$(id -un)" ]; then
        echo "fleet: note: $SERVER stops at logout: run as root: loginctl enable-linger $(id -un)"
    fi
}

service_disable() { systemctl --user disable "$UNIT" 2>/dev/null || :; }

service_remove() {
    service_disable
    rm -f "$HOME/.config/systemd/user/$UNIT"
    systemctl --user daemon-reload
}
