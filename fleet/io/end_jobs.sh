# End every job that runs under this root, and what it started. For hosts that are about to vanish.
# shellcheck shell=sh disable=SC2154
for dir in "$FLEET_ROOT"/jobs/*; do
    [ -f "$dir/pid" ] || continue
    read -r pid start boot < "$dir/pid"
    is_alive "$pid" "$start" "$boot" || continue
    # A job leads a session, hence a process group, of its own.
    kill -TERM "-$pid" 2>/dev/null || kill -TERM "$pid"
done
