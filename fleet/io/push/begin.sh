# Looks at what a host already has of one file, and makes ready to receive the rest.
# Variables: NAME of the part, SIZE in bytes, TO below the root, BLOCKS of 1 MiB in a chunk, META (text;
# may be empty).
# Prints `have`; or how chunks can be received here (`tool`, `take`, `split`, `python3`), `part BYTES`, and then
# `chunk N HASH` for each chunk of the part.
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

# What describes it has its bytes and its inode too before the first byte comes.
if [ -n "$META" ]; then
    meta=${final%/*}/META.json
    [ ! -L "$meta.new" ] || rm -f "$meta.new"
    printf '%s\n' "$META" >"$meta.new" || refuse "cannot write $meta.new" "df -k '$FLEET_ROOT'; df -i '$FLEET_ROOT'"
fi

digest /dev/null >/dev/null || exit 1
echo "tool $_tool $(command -v "$_tool")"
# Whether a program reads so many bytes from a pipe and not one more: BSD's head takes a block.
take=none
rest=$(printf 'abcdef' | { head -c 3 >/dev/null 2>&1; cat; })
if perl -e 'exit($] < 5.008)' 2>/dev/null; then
    take=perl
elif [ "$rest" = def ]; then
    take="head"
fi
echo "take $take"
split=none
for fd in /dev/fd/3 /proc/self/fd/3; do
    twice=$( { echo twice | tee "$fd" 2>/dev/null >&2; } 3>&1)
    if [ "$twice" = twice ]; then
        split=$fd
        break
    fi
done
echo "split $split"
# A python3 of macOS may be a shim that opens a window.
if [ "$os" != Darwin ] && python3 -c 'import hashlib, os; os.pwrite' 2>/dev/null; then
    echo "python3 $(command -v python3)"
fi

echo "part $held"
chunk=$((BLOCKS * 1048576))
n=0
while [ $((n * chunk)) -lt "$held" ]; do
    hash=$(dd if="$part" bs=1048576 skip=$((n * BLOCKS)) count="$BLOCKS" 2>/dev/null | digest /dev/stdin)
    echo "chunk $n $hash"
    n=$((n + 1))
done
