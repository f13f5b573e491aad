# What the host knows of every server. Comes after own.sh; part of the probe.
# shellcheck shell=sh disable=SC2154

# fleet_instances: a block of `key value` lines for each service, ended by `end`.
fleet_instances() {
    for service in "$FLEET_ROOT"/services/*/; do
        [ -d "$service" ] || continue
        service=${service%/}
        fleet_instance "${service##*/}"
    done
}

# one_line FILE: its first line, capped; nothing where there is none.
one_line() { [ -s "$1" ] && head -n 1 "$1" 2>/dev/null | cut -c 1-500; }

# told KEY VALUE: a line, left out where nothing is known.
told() { [ -z "$2" ] || printf '%s %s\n' "$1" "$2"; }

# weights_of LOG: its lines about them, of the last start.
weights_of() {
    awk '/^fleet: starting /{ n = 0 } /load_tensors: .* buffer size/ { line[++n] = $0 }
        END { for (i = 1; i <= n && i <= 20; i++) print substr(line[i], 1, 300) }' "$1" 2>/dev/null
}

fleet_instance() {
    server=$1
    release=$(readlink "$service/current" 2>/dev/null)
    release=${release##*/}
    previous=$(readlink "$service/previous" 2>/dev/null)
    kind=$(one_line "$service/supervisor")
    echo "server $server"
    told release "$release"
    told previous "${previous##*/}"
    told supervisor "$kind"
    [ ! -f "$service/held" ] || printf 'held %s\n' "$(one_line "$service/held")"
    [ ! -f "$service/key" ] || printf 'key %s\n' "$service/key"
    told boot "$(one_line "$service/boot")"
    if [ -n "$release" ]; then
        # Lines are read, never run.
        while IFS='=' read -r name value; do
            case $name in listen | model | backend | device) told "$name" "$value" ;; esac
        done < "$FLEET_ROOT/releases/$server/$release/release.env" 2>/dev/null
    fi

    alive='' state=stopped code='' exited=''
    if is_ours "$service/child"; then
        alive=$rec_pid
        state=running
        told pid "$rec_pid"
        told running "$rec_release"
        started=$(tail -n 1 "$service/starts" 2>/dev/null)
        case $started in '' | *[!0-9]*) ;; *) told since "$(($(date +%s) - started))" ;; esac
        if [ "$(one_line "$service/proven")" = "$rec_release $rec_pid $rec_start" ] && [ "$rec_release" = "$release" ]; then
            echo 'proven yes'
            [ ! -s "$service/proof.json" ] || printf 'proof %s\n' "$(head -n 1 "$service/proof.json" | cut -c 1-4000)"
        elif grep -q '^device=.' "$FLEET_ROOT/releases/$server/$release/release.env" 2>/dev/null; then
            # Started again by its supervisor, and asked by nobody since: its log says where the weights are.
            weights_of "$service/log/server.log" | sed 's/^/weights /'
        fi
    fi
    case $kind in
        systemd) fleet_instance_systemd ;;
        launchd) fleet_instance_launchd ;;
        *)
            exited=$(one_line "$service/exit")
            if [ -z "$alive" ]; then
                if is_ours "$service/supervise.pid"; then
                    state=starting
                elif [ -f "$service/failed" ]; then
                    state=failed
                fi
            fi
            ;;
    esac
    # after the state, so that one that gave up has all its starts behind it
    if [ -f "$service/starts" ]; then
        told restarts "$(($(grep -c . "$service/starts") - 1))"
    fi
    told state "$state"
    told exit "$exited"
    if [ "$state" = failed ] || { [ "$state" = starting ] && [ -n "$exited" ]; }; then
        # A line that each of our questions leaves there would push all others out.
        tail -n 5000 "$service/log/server.log" 2>/dev/null | LC_ALL=C sed '/update_slots: all slots are idle/d' | tail -n 50 |
            cut -c 1-2000 | sed 's/^/log /'
    fi
    echo end
}

fleet_instance_systemd() {
    unit=$(one_line "$service/unit")
    shown=$(
        XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}" \
            systemctl --user show "$unit" -p ActiveState -p ExecMainStatus -p ExecMainCode 2>/dev/null
    )
    by_signal=''
    while IFS='=' read -r name value; do
        case $name in
            ActiveState) code=$value ;;
            ExecMainStatus) exited=$value ;;
            ExecMainCode) [ "$value" != 2 ] && [ "$value" != 3 ] || by_signal=yes ;;
        esac
    done << SHOWN
$shown
SHOWN
    [ -z "$by_signal" ] || exited=$((128 + exited))
    case $code in
        failed) state=failed ;;
        active | reloading) [ -n "$alive" ] || state=starting ;;
        activating) state=starting ;;
        *) [ -n "$alive" ] || state=stopped ;;
    esac
    [ "$state" != running ] || exited=''
}

fleet_instance_launchd() {
    unit=$(one_line "$service/unit")
    for domain in "gui/$(id -u)" "user/$(id -u)"; do
        shown=$(launchctl print "$domain/$unit" 2>/dev/null) || continue
        exited=$(printf '%s\n' "$shown" | sed -n 's/^[[:space:]]*last exit code = \([0-9][0-9]*\).*/\1/p' | head -n 1)
        [ -n "$alive" ] || state=starting
        break
    done
    if [ -z "$alive" ] && [ -f "$service/failed" ]; then
        state=failed
    fi
}
