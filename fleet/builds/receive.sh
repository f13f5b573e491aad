# A build that a twin made, or binaries of a release: unpack, prove on this machine, give it its final name.
# Variables: those of smoke.sh, PACKED (the archive, below the root), RECORD (lines of BUILD.json, where the
# archive brings none; else empty or unset).
# shellcheck shell=sh disable=SC2154
set -u
cd "$FLEET_ROOT" || exit 1
rm -rf "$tmp"
mkdir -p "$tmp" || fail 86 "cannot write in $FLEET_ROOT"
gzip -dc "$PACKED" > "$tmp.tar" && (cd "$tmp" && tar -xf "../.$FINGERPRINT.tmp.tar")
rc=$?
rm -f "$tmp.tar"
[ "$rc" -eq 0 ] || fail 81 "the finished build cannot be unpacked"
if [ -n "${RECORD:-}" ]; then
    described
else
    grep -q "\"fingerprint\": \"$FINGERPRINT\"" "$tmp/BUILD.json" || fail 81 "the archive holds another build"
    for file in "$tmp"/bin/*; do
        grep -q "\"${file##*/}\": \"$(digest "$file")\"" "$tmp/BUILD.json" ||
            fail 81 "${file##*/} is not the file that was built"
    done
    for name in $(sed -n 's/^ *"files": {\(.*\)}.*/\1/p' "$tmp/BUILD.json" | tr -d '" ' | tr ',' '\n'); do
        [ -f "$tmp/bin/${name%:*}" ] || fail 81 "${name%:*} is not in the archive"
    done
fi
smoke
released
rm -f "$PACKED"
