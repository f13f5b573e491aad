# Puts the verified files of one model into one folder, under the names by which llama.cpp finds them.
# They are links to the files under their hashes: no byte is there twice.
# Variables: SET (its id), PARTS (hashes in their order, with spaces between).
# shellcheck shell=sh disable=SC2154,SC2086

refuse() {
    printf 'fleet: error: %s\nfleet: next: %s\n' "$1" "$2" >&2
    exit 1
}

fence
models=$FLEET_ROOT/models
sets=$models/sets
for folder in "$models" "$sets"; do
    [ ! -L "$folder" ] || refuse "$folder is a symbolic link" "rm '$folder', and set root to the folder you want"
done
mkdir -p "$sets" || exit 1
# what a run that was cut off left behind
for old in "$sets/.$SET".*; do
    [ ! -d "$old" ] || [ -L "$old" ] || rm -rf "$old"
done
fresh=$sets/.$SET.$$
mkdir "$fresh" || refuse "$fresh cannot be made" "free space on that disk or check its owner: ls -ld '$sets'"

set -- $PARTS
count=$#
number=0
for hash in "$@"; do
    number=$((number + 1))
    file=$models/$hash/model.gguf
    if [ -L "$file" ] || [ ! -f "$file" ]; then
        rm -rf "$fresh"
        refuse "part $number of $count is gone: $file" "the same command again"
    fi
    link=$fresh/$(printf 'model-%05d-of-%05d.gguf' "$number" "$count")
    # Some file systems have no hard links.
    ln "$file" "$link" 2>/dev/null || ln -s "../../$hash/model.gguf" "$link" || {
        rm -rf "$fresh"
        refuse "$link cannot be made" "free space or files on that disk: df -i '$sets'"
    }
done
publish "$fresh" "$sets/$SET" || exit 1
# an incomplete one that was there before
rm -rf "$FLEET_ROOT/trash/$SET.$$"
flush "$sets"
echo "gathered $count"
