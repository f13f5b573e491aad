# Reads a model of the store whole; one that is damaged is put aside, so that nothing is started from it again.
# Goes after hash.sh. Variables: SHA256. Says `whole` or `damaged`; both end with 0.
# shellcheck shell=sh disable=SC2153,SC2154
dir=$FLEET_ROOT/models/$SHA256
aside=$FLEET_ROOT/damaged/$SHA256
for where in "$FLEET_ROOT/models" "$FLEET_ROOT/damaged" "$dir" "$dir/model.gguf"; do
    if [ -L "$where" ]; then
        printf 'fleet: error: %s is a symbolic link\nfleet: next: %s\n' "$where" "rm '$where', then push the model again"
        exit 1
    fi
done
[ -f "$dir/model.gguf" ] || exit 0
exec 3>&1
size=$(size_of "$dir/model.gguf")
sum=$(hashed "$dir/model.gguf" "$size") || exit 1
if [ "$sum" = "$SHA256" ]; then
    echo whole
    exit 0
fi
fence
mkdir -p "$FLEET_ROOT/damaged" || exit 1
[ ! -e "$aside" ] || { chmod -R u+w "$aside" && rm -rf "$aside"; } || exit 1
mv "$dir" "$aside" || exit 1
echo "damaged: its sha256 is $sum"
