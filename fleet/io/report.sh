# Fleet's own records on this host, each after a line that names it.
# Variables: MARK (begins such a line), LINES (of each log).
# shellcheck shell=sh disable=SC2154
cd "$FLEET_ROOT" 2>/dev/null || exit 0
file() {
    [ -f "$1" ] && [ ! -L "$1" ] || return 0
    printf '%s %s\n' "$MARK" "$1"
    case $2 in
        head) head -c 32768 "$1" ;;
        *) tail -n "$LINES" "$1" 2>/dev/null | tail -c 131072 ;;
    esac
    echo
}
# the newest first: a host that was built and changed a hundred times has as many
newest() {
    # shellcheck disable=SC2012 # these names are ours: hex digits, dots and dashes
    ls -1t "$1" 2>/dev/null | head -n "$2"
}
file LAYOUT head
for b in $(newest builds 5); do
    file "builds/$b/BUILD.json" head
    for f in "builds/$b"/says/*; do file "$f" head; done
done
for s in $(newest releases 20); do
    for r in $(newest "releases/$s" 2); do file "releases/$s/$r/RELEASE.json" head; done
    file "services/$s/log/server.log" tail
done
for j in $(newest jobs 5); do
    file "jobs/$j/rc" head
    file "jobs/$j/log" tail
done
exit 0
