# Makes ready to receive a file, whoever brings it: refuses what cannot work and reserves the room.
# Variables: NAME of the part, SIZE in bytes, TO below the root.
# Prints `have`, and ends, where the file is there; `short FREE NEED`, and fails, where there is no room.
# Leaves `final`, `part`, and in `held` the bytes of the part.
# shellcheck shell=sh disable=SC2154,SC2012

refuse() {
    printf 'fleet: error: %s\nfleet: next: %s\n' "$1" "$2" >&2
    exit 1
}

# ls, because neither stat nor find -printf is the same everywhere.
size_of() {
    ls -lnd "$1" | awk '{ print $5; exit }'
}

# A folder of ours, never reached through a symbolic link.
folder() {
    if [ -L "$1" ]; then
        refuse "$1 is a symbolic link" "rm '$1', and set root to the folder you want"
    elif [ -e "$1" ] && [ ! -d "$1" ]; then
        refuse "$1 is not a folder" "mv '$1' '$1.old'"
    fi
    mkdir -p "$1" || exit 1
}

final=$FLEET_ROOT/$TO
part=$FLEET_ROOT/parts/$NAME.part

if [ -f "$final" ] && [ ! -L "$final" ] && [ "$(size_of "$final")" = "$SIZE" ]; then
    echo have
    exit 0
fi
fence

mkdir -p "$FLEET_ROOT" || exit 1
folder "$FLEET_ROOT/parts"
where=$FLEET_ROOT
rest=$TO
while case $rest in */*) true ;; *) false ;; esac; do
    where=$where/${rest%%/*}
    rest=${rest#*/}
    folder "$where"
done
if [ -L "$final" ]; then
    refuse "$final is a symbolic link" "rm '$final'"
elif [ -d "$final" ]; then
    refuse "$final is a folder where a file belongs" "mv '$final' '$final.old'"
fi

if [ -L "$part" ]; then
    refuse "$part is a symbolic link" "rm '$part'"
elif [ -e "$part" ]; then
    [ -f "$part" ] || refuse "$part is not a file" "mv '$part' '$part.old'"
    chmod 600 "$part" || exit 1
fi
# A program that shares it and whose link was lost may still be there: it looks for this before it writes.
rm -f "$part.writer" || exit 1
: >>"$part" || exit 1
held=$(size_of "$part")
if [ "$held" -gt "$SIZE" ]; then
    # Cuts the file: without conv=notrunc dd ends it where it seeks to.
    dd of="$part" bs=1 seek="$SIZE" count=0 </dev/null 2>/dev/null || exit 1
    held=$SIZE
fi

# Blocks, because a part may have holes, and because what is reserved is not free any more.
used=$(du -k "$part" | awk '{ print $1; exit }')
need=$((SIZE - ${used:-0} * 1024))
free=$(free_bytes "$FLEET_ROOT/parts")
if [ -n "$free" ] && [ "$need" -gt 0 ]; then
    if [ "$free" -lt $((need + 1048576)) ]; then
        echo "short $free $need"
        exit 1
    fi
    # Where the file system cannot, the check above is all there is.
    ! is_here fallocate || fallocate -n -l "$SIZE" "$part" 2>/dev/null || :
fi
