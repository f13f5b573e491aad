# Reads a whole file and tells how far it is, for jobs. Goes before what uses it.
# shellcheck shell=sh

# ls, because neither stat nor find -printf is the same everywhere.
size_of() {
    # shellcheck disable=SC2012
    ls -lnd "$1" | awk '{ print $5; exit }'
}

# hashed FILE BYTES: prints its sha256; `[DONE/BYTES bytes]` after each 64 MiB goes to file 3, which must be open.
hashed() {
    {
        _at=0
        while [ $((_at * 67108864)) -lt "$2" ]; do
            dd if="$1" bs=1048576 skip=$((_at * 64)) count=64 2>/dev/null || exit 1
            _at=$((_at + 1))
            _done=$((_at * 67108864))
            [ "$_done" -le "$2" ] || _done=$2
            echo "[$_done/$2 bytes]" >&3
        done
    } | digest /dev/stdin
}
