# A finished build as one archive on standard output, the same bytes each time on the same host.
# Variables: FINGERPRINT.
# shellcheck shell=sh disable=SC2154
set -u
cd "$FLEET_ROOT/builds/$FINGERPRINT" || exit 1
exec 4>&1
# shellcheck disable=SC2046
status=$({ { tar -cf - BUILD.json $(find bin -type f | sort); echo "$?" >&3; } | gzip -n >&4; } 3>&1)
exit "$status"
