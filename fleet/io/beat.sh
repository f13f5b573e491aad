# Show that the holder of the lock is alive. Variable: BEAT (a counter); `done` releases.
# shellcheck shell=sh disable=SC2154
fence
cd "$FLEET_ROOT/lock/lock.$FLEET_GENERATION" 2>/dev/null || exit 75
if [ "$BEAT" = "done" ]; then
    : > "done"
else
    echo "$BEAT" > beat.tmp && mv -f beat.tmp beat
fi
