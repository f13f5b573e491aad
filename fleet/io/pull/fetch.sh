# How this host asks a server for a file: curl, GNU wget or python3, whichever is there first.
# Variables: URL; CONFIG, the same as a configuration of curl; PYTHON, the program pull_host.py; LIMIT in
# bytes/s, 0 for none; IDLE in seconds. The address goes into each by standard input: process lists show none.
# shellcheck shell=sh disable=SC2154

# Prints the one that works here; none of those that macOS or busybox have under the same name.
fetcher() {
    if curl --version >/dev/null 2>&1; then
        echo curl
    elif wget --version 2>/dev/null | grep -q '^GNU Wget'; then
        echo wget
    elif [ "$os" != Darwin ] && python3 -c 'import urllib.request' 2>/dev/null; then
        echo python3
    else
        return 1
    fi
}

# fetch TOOL OFFSET: the file from that byte on to standard output. The program becomes the tool.
fetch() {
    case $1 in
        curl)
            set -- "$2" -q -sS -f -L --globoff --max-redirs 10 --connect-timeout 15 -A fleet -K -
            [ "$LIMIT" -eq 0 ] || set -- "$@" --limit-rate "$LIMIT"
            [ "$1" -eq 0 ] || set -- "$@" -C "$1"
            shift
            exec curl "$@" <<EOF
$CONFIG
EOF
            ;;
        wget)
            set -- "$2" --no-config --no-hsts -nv -O - --tries=1 --max-redirect=10 --timeout="$IDLE" \
                --connect-timeout=15 -U fleet -i -
            [ "$LIMIT" -eq 0 ] || set -- "$@" --limit-rate="$LIMIT"
            [ "$1" -eq 0 ] || set -- "$@" --start-pos="$1"
            shift
            exec wget "$@" <<EOF
$URL
EOF
            ;;
        python3)
            exec python3 -c "$PYTHON" fetch "$2" "$LIMIT" "$IDLE" <<EOF
$URL
EOF
            ;;
    esac
}

# ask TOOL: the lines of the answer's head, redirects before them, for one byte of the file or for its head.
ask() {
    case $1 in
        curl)
            limited "$IDLE" curl -q -sS -L --globoff --max-redirs 10 --connect-timeout 5 --max-time "$IDLE" -A fleet \
                -r 0-0 --max-filesize 1048576 -D - -o /dev/null -K - <<EOF
$CONFIG
EOF
            ;;
        wget)
            limited "$IDLE" wget --no-config --no-hsts -nv -S --spider --tries=1 --max-redirect=10 --timeout=5 \
                -U fleet -i - <<EOF 2>&1
$URL
EOF
            ;;
        python3)
            limited "$IDLE" python3 -c "$PYTHON" ask 0 0 5 <<EOF
$URL
EOF
            ;;
    esac
}
