# How a start goes. Variables: SERVER, FULL (or empty: without what it took of the memory). Prints an instance block, then what moves while it loads.
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
# What this start took of which memory, as it said itself.
if [ -n "$FULL" ]; then
    awk '/^fleet: starting /{ n = 0 }
        /buffer size|projected to use|offloaded [0-9]|using device|free memory target|device memory data|test allocation|fitting params to free memory took|loading model .|model loaded|memory_breakdown_print/ {
            line[++n] = $0
        }
        END { for (i = 1; i <= n && i <= 400; i++) print "memory " substr(line[i], 1, 300) }' "$service/log/server.log" 2>/dev/null
fi
if ! is_ours "$service/child"; then
    tail -n 5000 "$service/log/server.log" 2>/dev/null | LC_ALL=C sed '/update_slots: all slots are idle/d' | tail -n 50 |
        cut -c 1-2000 | sed 's/^/tail /'
fi
