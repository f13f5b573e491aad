# What every supervisor starts: note who we are, then become llama-server.
# Variables: SERVER RID SOCKET (or empty) BINARY. Then `set --` with the arguments (see release.py).
# FLEET_KEEPER=1: nobody outside caps the log and counts crashes, so we do.
# shellcheck shell=sh disable=SC2154
# shellcheck disable=SC3045
ulimit -c 0 2>/dev/null
service="$FLEET_ROOT/services/$SERVER"
if is_ours "$service/child" && [ "$rec_pid" != "$$" ]; then
    echo "fleet: $SERVER already runs as process $rec_pid; not started twice" >&2
    exit 75
fi
now=$(date +%s)
starts=0
if [ -f "$service/starts" ]; then
    tail -n 50 "$service/starts" > "$service/starts.$$.tmp" && mv -f "$service/starts.$$.tmp" "$service/starts"
    while read -r when; do
        case $when in
            '' | *[!0-9]*) ;;
            *) [ "$((now - when))" -gt 600 ] || starts=$((starts + 1)) ;;
        esac
    done < "$service/starts"
fi
if [ "${FLEET_KEEPER:-}" = launchd ] && [ "$starts" -ge 5 ]; then
    echo "fleet: $SERVER ended 5 times within 10 minutes; not started again" >&2
    : > "$service/failed"
    exit 0
fi
echo "$now" >> "$service/starts"
boot_id > "$service/boot"
# llama-server refuses to bind where a socket file was left behind.
if [ -n "$SOCKET" ]; then
    mkdir -p "$FLEET_ROOT/run" && rm -f "$SOCKET"
fi
write_record "$service/child" "$$" "$RID" || exit 1
if [ -n "${FLEET_KEEPER:-}" ]; then
    sh "$FLEET_ROOT/bin/logcap.sh" "$service/log/server.log" "$$" > /dev/null 2>&1 &
fi
# No debugger is started inside a crash: it would hold the port for minutes.
GGML_NO_BACKTRACE=1
export GGML_NO_BACKTRACE
unset FLEET_KEEPER
echo "fleet: starting $SERVER, release $RID" >&2
exec "$BINARY" "$@"
