# The log of a job from byte FROM on, until it ends. Ends also when nobody reads any more.
# Variables: JOB, FROM. Lines of the log come as they are; the last line is `<nonce> rc N` or `<nonce> gone`.
# shellcheck shell=sh disable=SC2154
dir="$FLEET_ROOT/jobs/$JOB"
cd "$dir" 2>/dev/null || { echo "$NONCE gone"; exit 0; }
at=$FROM
idle=0
while :; do
    ended=
    [ -f rc ] && ended=$(cat rc)
    if [ -z "$ended" ] && [ -f pid ]; then
        read -r pid start boot < pid
        is_alive "$pid" "$start" "$boot" || { [ -s rc ] || ended=gone; }
    fi
    size=$(($(wc -c < log)))
    if [ "$size" -gt "$at" ]; then
        tail -c "+$((at + 1))" log | head -c $((size - at)) || exit 0
        at=$size
        idle=0
    else
        idle=$((idle + 1))
        # A line now and then shows that the link still takes data.
        if [ $((idle % 10)) -eq 0 ]; then echo "$NONCE alive" || exit 0; fi
    fi
    if [ -n "$ended" ]; then
        if [ "$ended" = gone ]; then echo "$NONCE gone"; else echo "$NONCE rc $ended"; fi
        exit 0
    fi
    sleep 0.3 2>/dev/null || sleep 1
done
