# After room.sh: looks at what a host already has of one file, and how it can receive the rest.
# Variables: NAME of the part, BLOCKS of 1 MiB in a chunk, META (text; may be empty).
# Prints how chunks can be received here (`tool`, `take`, `split`, `python3`), `part BYTES`, and then
# `chunk N HASH` for each chunk of the part.
# shellcheck shell=sh disable=SC2154

# A pull of the same file that still runs would write into the same part.
job=$FLEET_ROOT/jobs/pull-$NAME
if [ -f "$job/pid" ]; then
    read -r pid start boot <"$job/pid"
    for _ in 1 2 3 4 5; do
        is_alive "$pid" "$start" "$boot" || break
        # A job leads a session, hence a process group, of its own.
        kill -TERM "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null
        sleep 1
    done
fi
rm -rf "$job"
held=$(size_of "$part")

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
