# After room.sh and fetch.sh, as a job, before end.sh: the rest of a file, from where it is published into its
# part, from the byte on that an earlier pull came to. What is not the file is thrown away.
# Variables: NAME of the part, which is its sha256, SIZE in bytes, BLOCKS of 1 MiB in a chunk, IDLE, SLOWEST in
# bytes/s, and in `dir` the job's folder.
# Prints `begin BYTES` that were there, and now and then `[BYTES/SIZE bytes]`. Ends with 20 where the source is
# at fault, with 28 where the disk is full: a log on it may have no room to say so. Leaves META of a model.
# shellcheck shell=sh disable=SC2154,SC2153,SC2034

breaks_most=5         # connections that may break until so many bytes more came:
renewed=$((16 << 20)) # bytes

# blame WHAT: the source's fault; somebody else brings the file.
blame() {
    printf 'fleet: error: %s\n' "$1"
    exit 20
}

# The last that the tool said.
said() {
    grep -v '^ *$' "$dir/said" | tail -n 1 | cut -c 1-300
}

# Its own words where this disk takes nothing more.
disk() {
    words=$(dd if=/dev/zero of="$FLEET_ROOT/parts/$NAME.room" bs=65536 count=1 2>&1)
    rm -f "$FLEET_ROOT/parts/$NAME.room"
    case $words in *"No space left"*) exit 28 ;; esac
    said >&2
    printf '%s\n' "$words" >&2
    exit 1
}

# watch PID: until the tool ended. Tells how far it is; ends a tool that only drips, or whose host is another's.
watch() {
    idle=0 seen=$held shown=$held ticks=0
    while kill -0 "$1" 2>/dev/null; do
        sleep "$pause"
        fence
        now=$(size_of "$part")
        [ "$now" -le "$SIZE" ] || kill "$1" 2>/dev/null
        [ "$now" -eq "$shown" ] || echo "[$now/$SIZE bytes]"
        shown=$now
        ticks=$((ticks + 1))
        if [ "$ticks" -ge $((IDLE * often)) ]; then
            if [ $((now - seen)) -lt $((SLOWEST * IDLE)) ]; then
                kill "$1" 2>/dev/null
                blame "less than $SLOWEST bytes a second came for $IDLE s"
            fi
            seen=$now ticks=0
        fi
    done
}

tool=$(fetcher) || blame "there is no curl, GNU wget or python3"
pause=0.3 often=3
sleep "$pause" 2>/dev/null || pause=1 often=1
if [ "$held" -gt 0 ] && [ ! -f "$dir/pulled" ]; then
    blame "a part of it was brought another way"
fi
: >"$dir/pulled" || exit 1
echo "begin $held"

begun=$held marked=$held breaks=0 restarts=0 child=
trap '[ -z "$child" ] || kill "$child" 2>/dev/null' EXIT
trap 'exit 143' TERM
while [ "$held" -lt "$SIZE" ]; do
    fence
    : >"$dir/said"
    # Appended: the part's size is what came, whatever was reserved behind it.
    (fetch "$tool" "$held") >>"$part" 2>>"$dir/said" &
    child=$!
    watch "$child"
    wait "$child"
    status=$?
    child=
    held=$(size_of "$part")
    if [ "$held" -gt "$SIZE" ]; then
        rm -f "$part"
        blame "more comes than the $SIZE bytes that it should have"
    fi
    [ "$held" -eq "$shown" ] || echo "[$held/$SIZE bytes]" # the tool ended while its file was looked at
    [ "$held" -lt "$SIZE" ] || break
    case $tool:$status in
        *:0)
            rm -f "$part"
            blame "it ends after $held bytes, it should have $SIZE"
            ;;
        curl:23 | wget:3 | python3:23) disk ;;
        curl:22 | wget:8 | python3:22) blame "$(said)" ;;
        curl:33 | python3:33)
            [ "$restarts" -eq 0 ] || blame "$(said)"
            restarts=1
            : >"$part" || disk
            held=0 begun=0 marked=0
            continue
            ;;
    esac
    [ "$held" -gt "$begun" ] || blame "$(said)"
    if [ $((held - marked)) -ge "$renewed" ]; then
        marked=$held breaks=0
    fi
    breaks=$((breaks + 1))
    [ "$breaks" -lt "$breaks_most" ] || blame "it broke $breaks times: $(said)"
    sleep "$breaks"
done

# Read once, for the hash of the whole and those of its chunks, where a stream can be split; else twice.
echo "comparing its sha256"
chunk=$((BLOCKS * 1048576))
chunk_at() {
    dd if="$part" bs=1048576 skip=$(($1 * BLOCKS)) count="$BLOCKS" 2>/dev/null
}
split=
for fd in /dev/fd/3 /proc/self/fd/3; do
    twice=$( { echo twice | tee "$fd" 2>/dev/null >&2; } 3>&1)
    [ "$twice" != twice ] || split=$fd
    [ -z "$split" ] || break
done
chunks() {
    n=0
    while [ $((n * chunk)) -lt "$SIZE" ]; do
        if [ -n "$split" ]; then
            chunk_at "$n" | tee "$split" | digest /dev/stdin >>"$dir/chunks" || exit 1
        else
            chunk_at "$n" | digest /dev/stdin >>"$dir/chunks" || exit 1
        fi
        n=$((n + 1))
    done
}
: >"$dir/chunks" || exit 1
if [ -n "$split" ]; then
    whole=$( { chunks 3>&1 >/dev/null; } | digest /dev/stdin) || exit 1
else
    chunks
    whole=$(digest "$part") || exit 1
fi
if [ "$whole" != "$NAME" ]; then
    rm -f "$part"
    blame "what is there has the sha256 $whole, wanted is $NAME"
fi
META=$(awk -v sha256="$NAME" -v size="$SIZE" -v chunk="$chunk" '
    { list = list (NR > 1 ? ", " : "") "\"" $1 "\"" }
    END { printf "{\"sha256\": \"%s\", \"size\": %s, \"chunk\": %s, \"chunks\": [%s]}", sha256, size, chunk, list }
' "$dir/chunks")
