# Keep a log below a size while a process lives: copy and cut, so that its writer never blocks.
# Variables: CAP (bytes), NAP (seconds between looks). Arguments: LOG PID.
# shellcheck shell=sh disable=SC2154
log=$1 main=$2 nap=''
trap '[ -z "$nap" ] || kill "$nap" 2>/dev/null; exit 0' TERM INT HUP
while kill -0 "$main" 2>/dev/null; do
    if [ -f "$log" ] && [ "$(($(wc -c < "$log")))" -gt "$CAP" ]; then
        cp "$log" "$log.1" && : > "$log"
    fi
    sleep "$NAP" &
    nap=$!
    wait "$nap"
done
