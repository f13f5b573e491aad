# Gives a part its final name, after every chunk of it was found right: as it arrived, or as it lay there.
# Variables: NAME of the part, SIZE in bytes, TO below the root, META (text; may be empty).
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

# is_published: whether a program whose link was lost went on to publish it. What bears its hash was
# found right before it got the name.
is_published() {
    case $TO in "models/$NAME/"*) ;; *) return 1 ;; esac
    [ ! -e "$part" ] && [ -f "$final" ] && [ ! -L "$final" ] && [ "$(size_of "$final")" = "$SIZE" ]
}

give_name() {
    rm -f "$part.writer" # nobody writes into it any more (peer_file.py)
    if [ -L "$part" ] || [ ! -f "$part" ]; then
        refuse "$part was taken away while it was received" "the same command again"
    fi
    held=$(size_of "$part")
    if [ "$held" != "$SIZE" ]; then
        refuse "$part has $held bytes where $SIZE were written" "the same command again"
    fi
    mkdir -p "${final%/*}" && chmod 0444 "$part" || exit 1
    if [ -n "$META" ]; then
        meta=${final%/*}/META.json
        if [ -L "$meta.new" ] || [ ! -s "$meta.new" ]; then
            rm -f "$meta.new" && printf '%s\n' "$META" >"$meta.new" || exit 1
        fi
        mv -f "$meta.new" "$meta" || exit 1
    fi
    publish "$part" "$final" || exit 1
}

fence
is_published || give_name
flush "${final%/*}"
echo published
