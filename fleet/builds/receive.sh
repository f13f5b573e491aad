# A build that a twin made: unpack, prove on this machine, give it its final name.
# Variables: those of smoke.sh, PACKED (the archive, below the root).
# shellcheck shell=sh disable=SC2154
set -u
cd "$FLEET_ROOT" || exit 1
rm -rf "$tmp"
mkdir -p "$tmp" || fail 86 "cannot write in $FLEET_ROOT"
gzip -dc "$PACKED" > "$tmp.tar" && (cd "$tmp" && tar -xf "../.$FINGERPRINT.tmp.tar")
rc=$?
rm -f "$tmp.tar"
[ "$rc" -eq 0 ] || fail 81 "the finished build cannot be unpacked"
grep -q "\"fingerprint\": \"$FINGERPRINT\"" "$tmp/BUILD.json" || fail 81 "the archive holds another build"
for file in "$tmp"/bin/*; do
    grep -q "\"${file##*/}\": \"$(digest "$file")\"" "$tmp/BUILD.json" ||
        fail 81 "${file##*/} is not the file that was built"
done
for name in $(sed -n 's/^ *"files": {\(.*\)}.*/\1/p' "$tmp/BUILD.json" | tr -d '" ' | tr ',' '\n'); do
    [ -f "$tmp/bin/${name%:*}" ] || fail 81 "${name%:*} is not in the archive"
done
smoke
released
rm -f "$PACKED"
