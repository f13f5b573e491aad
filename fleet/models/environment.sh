# The converter and its Python packages, unpacked, tried on this host, put in their place.
# Variables: PACKED (archive of wheels, below the root), ENVIRONMENT and TREE (ids), UNPACK, RUNNER (Python programs).
# shellcheck shell=sh disable=SC2154
set -u
cd "$FLEET_ROOT" || exit 1
fence
tmp=converter/tmp

fail() {
    echo "fleet: error: $1"
    [ -z "${2:-}" ] || echo "fleet: next: $2"
    rm -rf "$tmp"
    exit 91
}

for f in converter parts trash; do
    [ ! -L "$f" ] || fail "$FLEET_ROOT/$f is a symbolic link" "rm '$FLEET_ROOT/$f'"
done
mkdir -p converter parts trash || fail "cannot write in $FLEET_ROOT"

if [ ! -f "converter/$ENVIRONMENT/ready" ]; then
    rm -rf "$tmp"
    mkdir -p "$tmp/wheels" "$tmp/new/site" || fail "cannot write in $FLEET_ROOT"
    (cd "$tmp/wheels" && tar -xf "../../../$PACKED") || fail "the packages cannot be unpacked" \
        "the same command again sends them anew"
    printf '%s' "$UNPACK" > "$tmp/unpack.py" && printf '%s' "$RUNNER" > "$tmp/new/runner.py" ||
        fail "cannot write in $FLEET_ROOT"
    nice -n 10 python3 -I -S "$tmp/unpack.py" "$tmp/wheels" "$tmp/new/site" 2>&1 || { rm -rf "$tmp"; exit 91; }
    : > "$tmp/new/ready"
    publish "$tmp/new" "converter/$ENVIRONMENT" || fail "cannot write $FLEET_ROOT/converter/$ENVIRONMENT"
fi

if [ ! -f "converter/tree-$TREE/convert_hf_to_gguf.py" ]; then
    rm -rf "$tmp"
    mkdir -p "$tmp/tree" || fail "cannot write in $FLEET_ROOT"
    [ -f "sources/$TREE.tar.gz" ] || fail "the source of llama.cpp is not here" "the same command again sends it"
    gzip -dc "sources/$TREE.tar.gz" > "$tmp/tree.tar" && (cd "$tmp/tree" && tar -xf ../tree.tar) ||
        fail "the source archive cannot be unpacked"
    [ -f "$tmp/tree/convert_hf_to_gguf.py" ] || fail "this source of llama.cpp has no convert_hf_to_gguf.py" \
        'source = "git:https://github.com/ggml-org/llama.cpp" under [llama_cpp]'
    mkdir -p "$tmp/new" || fail "cannot write in $FLEET_ROOT"
    for f in convert_hf_to_gguf.py conversion gguf-py; do
        [ ! -e "$tmp/tree/$f" ] || mv "$tmp/tree/$f" "$tmp/new/" || fail "cannot write in $FLEET_ROOT"
    done
    publish "$tmp/new" "converter/tree-$TREE" || fail "cannot write $FLEET_ROOT/converter/tree-$TREE"
fi
rm -rf "$tmp" "$PACKED"
