# Take the host's lock: the next generation directory, made by mkdir, which only one can win.
# Variables: OWNER (one line of JSON), TAKE (generation to take over, or empty).
# Prints: acquired G | lost | held G BEAT, then the owner's line.
# shellcheck shell=sh disable=SC2154
refuse() {
    echo "fleet: error: $1"
    echo "fleet: next: ${2:-free space there, or set root in the inventory}"
    exit 1
}
# Why mkdir made no folder, in its own words.
unmade() {
    _why=${2##*: }
    case $_why in
        Read-only*) refuse "cannot make $1: $_why" "mount its disk read-write, or set root in the inventory" ;;
        *) refuse "cannot make $1${_why:+: $_why}" "${3:-}" ;;
    esac
}
why=$(mkdir -p "$FLEET_ROOT" 2>&1) ||
    unmade "$FLEET_ROOT" "$why" "set root in the inventory to a folder that $(id -un) can write"
if [ -s "$FLEET_ROOT/LAYOUT" ]; then
    layout=$(cat "$FLEET_ROOT/LAYOUT")
    [ "$layout" = 1 ] || refuse "$FLEET_ROOT has layout $layout, this fleet knows 1" "update fleet on the controller"
else
    new=$FLEET_ROOT/LAYOUT.$$
    (printf '1\n' > "$new" && mv -f "$new" "$FLEET_ROOT/LAYOUT") 2>/dev/null || {
        rm -f "$new"
        refuse "cannot write into $FLEET_ROOT ($(df -Pk "$FLEET_ROOT" | awk 'NR == 2 {print $4}') KiB free)"
    }
fi
why=$(mkdir -p "$FLEET_ROOT/lock" 2>&1) || unmade "$FLEET_ROOT/lock" "$why"
cd "$FLEET_ROOT/lock" || exit 1
g=0
for d in lock.*; do
    n=${d#lock.}
    case $n in '' | *[!0-9]*) continue ;; esac
    [ "$n" -gt "$g" ] && g=$n
done
if [ "$g" -gt 0 ] && [ ! -e "lock.$g/done" ] && [ "$TAKE" != "$g" ]; then
    beat=$(cat "lock.$g/beat" 2>/dev/null)
    echo "held $g ${beat:-0}"
    cat "lock.$g/OWNER.json" 2>/dev/null
    exit 0
fi
# Before the next is made, which on a full disk has no other room.
for d in lock.*; do
    o=${d#lock.}
    case $o in '' | *[!0-9]*) continue ;; esac
    [ "$o" -lt "$g" ] && rm -rf "lock.$o"
done
n=$((g + 1))
why=$(mkdir "lock.$n" 2>&1) || {
    [ -d "lock.$n" ] && { echo lost; exit 0; }
    unmade "$FLEET_ROOT/lock/lock.$n" "$why"
}
# We may have been slow: others took and released, and swept this number away.
for d in lock.*; do
    o=${d#lock.}
    case $o in '' | *[!0-9]*) continue ;; esac
    [ "$o" -gt "$n" ] && { rmdir "lock.$n"; echo lost; exit 0; }
done
printf '%s\n' "$OWNER" > "lock.$n/OWNER.tmp" && mv -f "lock.$n/OWNER.tmp" "lock.$n/OWNER.json" &&
    echo 0 > "lock.$n/beat" || {
    rm -rf "lock.$n"
    refuse "no space left in $FLEET_ROOT"
}
echo "acquired $n"
