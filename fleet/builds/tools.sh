# Tools that fleet brought: unpacked, tried on this host, put in their place; other versions of them go.
# Variables: PACKED (the archive, below the root), NAMES (folders in it, one a line).
# shellcheck shell=sh disable=SC2154
set -u
cd "$FLEET_ROOT" || exit 1
fence
tmp=tools/.tmp

fail() {
    echo "fleet: error: $1"
    [ -z "${2:-}" ] || echo "fleet: next: $2"
    rm -rf "$tmp"
    exit 1
}

[ ! -L tools ] || fail "$FLEET_ROOT/tools is a symbolic link" "rm '$FLEET_ROOT/tools'"
rm -rf "$tmp"
mkdir -p "$tmp" trash || fail "cannot write in $FLEET_ROOT"
gzip -dc "$PACKED" > "$tmp/all.tar" && (cd "$tmp" && tar -xf all.tar) ||
    fail "the tools cannot be unpacked in $FLEET_ROOT" "the same command again sends them anew"
for name in $NAMES; do
    tool=${name%%-*}
    limited 60 "$tmp/$name/bin/$tool" --version < /dev/null > "$tmp/said" 2>&1 ||
        fail "$tool does not run on this host: $(tail -n 1 "$tmp/said")" \
            "install $tool there; a file system that is mounted noexec lets nothing run below $FLEET_ROOT"
    head -n 1 "$tmp/said"
    for old in tools/"$tool"-*; do
        [ ! -d "$old" ] || mv "$old" "trash/${old##*/}.$$" || fail "cannot remove $FLEET_ROOT/$old"
        rm -rf "trash/${old##*/}.$$"
    done
    publish "$tmp/$name" "tools/$name" || fail "cannot write $FLEET_ROOT/tools/$name"
done
rm -rf "$tmp" "$PACKED"
