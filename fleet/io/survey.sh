# KiB of each of fleet's folders, as `NAME KIB`; a hard link to another program's file counts as ours.
# shellcheck shell=sh
cd "$FLEET_ROOT" 2>/dev/null || exit 0
for name in *; do
    [ -d "$name" ] && [ ! -L "$name" ] || continue
    case $name in *[!a-z]*) continue ;; esac
    printf '%s %s\n' "$name" "$(limited 20 du -sk "$name" 2>/dev/null | awk '{ print $1; exit }')"
done
