# What this host has of conversions. Variables: IDS (one a line).
# Prints `python X.Y`, `converter NAME`, `have ID FILE BYTES`, `result ID TYPE SHA256 BYTES here|gone`, `said ID NAME LINE`.
# shellcheck shell=sh disable=SC2154
set -u
# A python3 of macOS may be a shim that opens a window, so it is not asked there.
if is_here python3 && ! { [ "$os" = Darwin ] && is_shim "$(command -v python3)"; }; then
    echo "python $(limited 10 python3 -I -S -c 'import sys; print("%d.%d" % sys.version_info[:2])' < /dev/null)"
fi
[ ! -d "$FLEET_ROOT/converter" ] || (
    cd "$FLEET_ROOT/converter" || exit 0
    for f in */ready tree-*; do [ ! -e "$f" ] || echo "converter ${f%/ready}"; done
)
for id in $IDS; do
    cd "$FLEET_ROOT/conversions/$id" 2> /dev/null || continue
    for f in * in/*; do
        [ ! -f "$f" ] || echo "have $id $f $(($(wc -c < "$f")))"
    done
    if [ -f results ]; then
        while read -r type sha256 size; do
            there=gone
            [ ! -f "$FLEET_ROOT/models/$sha256/model.gguf" ] || there=here
            echo "result $id $type $sha256 $size $there"
        done < results
    fi
    for f in *.said; do
        [ ! -f "$f" ] || head -n 40 "$f" | sed "s/^/said $id ${f%.said} /"
    done
done
