# Takes a model that already lies on this host into the store: by clone or hard link, else by copy.
# The file itself stays where it is, and as it is. Goes after hash.sh.
# Variables: FROM (files that may be it, one a line), SHA256, SIZE in bytes.
# One that is gone, unreadable or another model is no error: it is remembered, and the next plan sends the bytes.
# shellcheck shell=sh disable=SC2153,SC2154

refuse() {
    printf 'fleet: error: %s\nfleet: next: %s\n' "$1" "$2"
    exit 1
}

# A folder of ours, never reached through a symbolic link.
folder() {
    [ ! -L "$1" ] || refuse "$1 is a symbolic link" "rm '$1', and set root to the folder you want"
    [ -d "$1" ] || mkdir -p "$1" || exit 1
}

final=$FLEET_ROOT/models/$SHA256/model.gguf
taken=$FLEET_ROOT/parts/$SHA256.adopting
if [ -f "$final" ] && [ ! -L "$final" ] && [ "$(size_of "$final")" = "$SIZE" ]; then
    echo "it is there"
    exit 0
fi
fence
mkdir -p "$FLEET_ROOT" || exit 1
for where in parts models "models/$SHA256" cache; do folder "$FLEET_ROOT/$where"; done
[ ! -L "$final" ] && [ ! -d "$final" ] || refuse "$final is no file" "mv '$final' '$final.old'"

# Where a link leads to, because a hard link would be to the link. Ends where it leads in a circle.
resolved() {
    _file=$1
    _left=16
    while [ -L "$_file" ]; do
        _left=$((_left - 1))
        [ "$_left" -gt 0 ] && _to=$(readlink "$_file") || return 1
        case $_to in
            /*) _file=$_to ;;
            *) _file=${_file%/*}/$_to ;;
        esac
    done
    [ -f "$_file" ] && [ -r "$_file" ] && [ "$(size_of "$_file")" = "$SIZE" ] && printf '%s\n' "$_file"
}

# What costs no space first. A clone is a file of its own; a hard link is the same one under a second name,
# so its mode is left as its owner has it.
take() {
    rm -f "$taken"
    if [ "$os" = Darwin ]; then
        _clone=-c
    else
        _clone=--reflink=always # not every cp knows it
    fi
    if cp "$_clone" "$1" "$taken" 2>/dev/null; then
        how=cloned
    elif rm -f "$taken" && ln "$1" "$taken" 2>/dev/null; then
        how=linked
        return 0
    else
        rm -f "$taken"
        free=$(free_bytes "$FLEET_ROOT/parts")
        if [ -n "$free" ] && [ "$free" -lt $((SIZE + 1048576)) ]; then
            refuse "no room for a copy of $1, and it lies on another disk" "free space there, or set root to its disk"
        fi
        how=copied
        cp "$1" "$taken" || return 1
    fi
    chmod 0444 "$taken"
}

remember() {
    _kept=$FLEET_ROOT/cache/hashes
    { tail -n 399 "$_kept" 2>/dev/null; printf '%s %s\n' "$2" "$1"; } >"$_kept.$$" && mv -f "$_kept.$$" "$_kept"
}

# From here on META.json.new says since when the file is read.
meta=$FLEET_ROOT/models/$SHA256/META.json
exec 3>&1
while IFS= read -r from <&4; do
    file=$(resolved "$from") || { echo "$from: gone, unreadable or changed"; continue; }
    line=$(ls -lniL -- "$from") || continue
    rm -f "$meta.new" && : >"$meta.new" || exit 1
    take "$file" || { rm -f "$taken"; continue; }
    [ -f "$taken" ] && [ ! -L "$taken" ] || { rm -f "$taken"; continue; }
    sum=$(hashed "$taken" "$SIZE") || { rm -f "$taken"; refuse "cannot read $from to its end" "look at its disk"; }
    # A link is still the other program's file: what it writes after we read it would be in our model.
    if [ "$how" = linked ] && [ -n "$(find "$file" -newer "$meta.new" 2>/dev/null)" ]; then
        rm -f "$taken"
        echo "$from: it was written while it was read"
        line=$(ls -lniL -- "$from") && sum=$(hashed "$file" "$SIZE") && remember "$line" "$sum"
        continue
    fi
    remember "$line" "$sum"
    if [ "$sum" != "$SHA256" ]; then
        rm -f "$taken"
        echo "$from: another model, its sha256 is $sum"
        continue
    fi
    printf '{"sha256": "%s", "size": %s, "adopted": "%s"}\n' "$SHA256" "$SIZE" "$how" >"$meta.new" &&
        mv -f "$meta.new" "$meta" || exit 1
    publish "$taken" "$final" || exit 1
    flush "${final%/*}"
    echo "$how from $from"
    exit 0
done 4<<EOF
$FROM
EOF
rm -f "$meta.new"
rmdir "$FLEET_ROOT/models/$SHA256" 2>/dev/null
echo "none of these is the model; it will be sent"
