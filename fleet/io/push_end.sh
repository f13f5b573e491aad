# Reads a complete part back from the disk and gives it its final name, if it is right.
# Variables: NAME of the part, SIZE in bytes, TO below the root, SHA256, META (text; may be empty),
# IS_LAST: 1 deletes a part that is wrong, 0 prints `again` and keeps it.
# shellcheck shell=sh disable=SC2154,SC2012

refuse() {
    printf 'fleet: error: %s\nfleet: next: %s\n' "$1" "$2" >&2
    exit 1
}

# ls, because neither stat nor find -printf is the same everywhere.
size_of() {
    ls -lnd "$1" | awk '{ print $5; exit }'
}

final=$FLEET_ROOT/$TO
part=$FLEET_ROOT/parts/$NAME.part

fence
if [ -L "$part" ] || [ ! -f "$part" ]; then
    refuse "$part was taken away while it was received" "the same command again"
fi
hash=
[ "$(size_of "$part")" != "$SIZE" ] || hash=$(digest "$part") || exit 1
if [ "$hash" != "$SHA256" ]; then
    if [ "$IS_LAST" = 0 ]; then
        echo again
        exit 1
    fi
    rm -f "$part"
    refuse "the disk gave back other bytes than were sent, twice; the part was deleted" \
        "look at the disk and the memory of that machine, then the same command again"
fi

mkdir -p "${final%/*}" && chmod 0444 "$part" || exit 1
if [ -n "$META" ]; then
    meta=${final%/*}/META.json
    [ ! -L "$meta.new" ] || rm -f "$meta.new"
    printf '%s\n' "$META" >"$meta.new" && mv -f "$meta.new" "$meta" || exit 1
fi
publish "$part" "$final" || exit 1
flush "${final%/*}"
echo published
