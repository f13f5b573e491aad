# Start a long step so that it outlives the connection, or join the one that runs.
# Variables: JOB (id), SCRIPT (the program). Prints: started | joined | finished RC.
# shellcheck shell=sh disable=SC2154
fence
dir="$FLEET_ROOT/jobs/$JOB"
mkdir -p "$dir" || exit 1
if [ -f "$dir/pid" ]; then
    read -r pid start boot < "$dir/pid"
    if is_alive "$pid" "$start" "$boot"; then
        # The job's fence reads the generation from here: it now works for us.
        printf '%s\n' "$FLEET_GENERATION" > "$dir/generation"
        echo joined
        exit 0
    fi
fi
# A finished job is not remembered: its product is, under its own name.
rm -f "$dir/rc" "$dir/pid" "$dir/log"
# The room of the exit code: a job that fills the disk must still be able to say how it ended.
echo '   ' > "$dir/rc.tmp" || exit 1
printf '%s' "$SCRIPT" > "$dir/script" || exit 1
: > "$dir/log"
printf '%s\n' "$FLEET_GENERATION" > "$dir/generation"
FLEET_GENERATION_FILE="$dir/generation"
export FLEET_ROOT FLEET_GENERATION FLEET_GENERATION_FILE dir
# shellcheck disable=SC2016
detach "$dir/log" sh -c '
    sh "$dir/script"
    rc=$?
    printf "%-3s" "$rc" 1<> "$dir/rc.tmp" && mv -f "$dir/rc.tmp" "$dir/rc"
' > "$dir/detached" || exit 1
pid=$(tail -n 1 "$dir/detached")
printf '%s %s %s\n' "$pid" "$(start_time "$pid")" "$(boot_id)" > "$dir/pid.tmp" && mv -f "$dir/pid.tmp" "$dir/pid"
echo started
