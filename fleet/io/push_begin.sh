# Looks at what a host already has of one file, and makes ready to receive the rest.
# Variables: NAME of the part, SIZE in bytes, TO below the root, BLOCKS of 1 MiB in a chunk.
# Prints `have`, or `part BYTES` and then `chunk N HASH` for each chunk of the part.
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
: >>"$part" || exit 1
held=$(size_of "$part")
if [ "$held" -gt "$SIZE" ]; then
    # Cuts the file: without conv=notrunc dd ends it where it seeks to.
    dd of="$part" bs=1 seek="$SIZE" count=0 </dev/null 2>/dev/null || exit 1
    held=$SIZE
fi

free=$(free_bytes "$FLEET_ROOT/parts")
need=$((SIZE - held))
if [ -n "$free" ] && [ "$need" -gt 0 ] && [ "$free" -lt $((need + 1048576)) ]; then
    echo "short $free $need"
    exit 1
fi

echo "part $held"
chunk=$((BLOCKS * 1048576))
n=0
while [ $((n * chunk)) -lt "$held" ]; do
    hash=$(dd if="$part" bs=1048576 skip=$((n * BLOCKS)) count="$BLOCKS" 2>/dev/null | digest /dev/stdin)
    echo "chunk $n $hash"
    n=$((n + 1))
done
