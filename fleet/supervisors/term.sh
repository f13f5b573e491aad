# First half of systemd's stop: TERM, then up to five seconds. Argument: PID.
# shellcheck shell=sh
kill -TERM "$1" 2>/dev/null || exit 0
left=5
while [ "$left" -gt 0 ] && kill -0 "$1" 2>/dev/null; do
    left=$((left - 1))
    sleep 1
done
