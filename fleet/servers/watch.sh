# How a start goes. Variables: SERVER. Prints an instance block, then what moves while it loads.
# shellcheck shell=sh disable=SC2154
service="$FLEET_ROOT/services/$SERVER"
fleet_instance "$SERVER"
if is_ours "$service/child"; then
    if [ -r "/proc/$rec_pid/stat" ]; then
        used=$(sed 's/.*) //' "/proc/$rec_pid/stat" | cut -d ' ' -f 10,12,13)
    else
        used=$(ps -o time=,rss= -p "$rec_pid")
    fi
    printf 'moved %s %s\n' "$(wc -c < "$service/log/server.log" 2>/dev/null)" "$used"
fi
# Where the weights are, as this start said it.
awk '/^fleet: starting /{ n = 0 } /load_tensors: .* model buffer size/ { line[++n] = $0 }
    END { for (i = 1; i <= n; i++) print "weights " line[i] }' "$service/log/server.log" 2>/dev/null | tail -n 20
if ! is_ours "$service/child"; then
    tail -n 5000 "$service/log/server.log" 2>/dev/null | LC_ALL=C sed '/update_slots: all slots are idle/d' | tail -n 50 |
        cut -c 1-2000 | sed 's/^/tail /'
fi
