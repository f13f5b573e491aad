# What conversions, and removals that were cut off, left on this host. Variables: DAYS (of quiet after which work that was broken off is given up).
# Prints `conversion ID KIB fresh|quiet|over`, `result ID SHA256`, `converter NAME KIB`, `packed NAME KIB`,
# `trash KIB`.
# Over: of the conversion only its results are left, and what the tools said.
# shellcheck shell=sh disable=SC2154,SC2012
kib() {
    limited 20 du -sk "$1" 2> /dev/null | awk '{ print $1; exit }'
}

[ -L "$FLEET_ROOT/conversions" ] || for dir in "$FLEET_ROOT"/conversions/*; do
    [ -d "$dir" ] && [ ! -L "$dir" ] || continue
    state=over
    if [ -n "$(find "$dir" ! -type d ! -name results ! -name '*.said' | head -n 1)" ]; then
        state=quiet
        [ -z "$(find "$dir" -mtime "-$DAYS" | head -n 1)" ] || state=fresh
    fi
    echo "conversion ${dir##*/} $(kib "$dir") $state"
    [ ! -f "$dir/results" ] || head -n 1000 "$dir/results" | while read -r _ sha256 _; do
        echo "result ${dir##*/} $sha256"
    done
done
[ -L "$FLEET_ROOT/converter" ] || for dir in "$FLEET_ROOT"/converter/*; do
    [ ! -d "$dir" ] || [ -L "$dir" ] || echo "converter ${dir##*/} $(kib "$dir")"
done
[ -L "$FLEET_ROOT/parts" ] || for file in "$FLEET_ROOT"/parts/converter-*.tar; do
    [ ! -f "$file" ] || [ -L "$file" ] || echo "packed ${file##*/} $(kib "$file")"
done
[ -L "$FLEET_ROOT/trash" ] || [ -z "$(ls "$FLEET_ROOT/trash" 2> /dev/null)" ] || echo "trash $(kib "$FLEET_ROOT/trash")"
