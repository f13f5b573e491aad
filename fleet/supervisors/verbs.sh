# One thing done to one service. Comes after own.sh and a *_control.sh.
# Variables: VERB SERVER RID SUPERVISOR UNIT SOCKET ADDRESS REASON PROOF (see base.py).
# shellcheck shell=sh disable=SC2154
service="$FLEET_ROOT/services/$SERVER"
fence

# port_taken ADDRESS:PORT: another program listens there. Unknown counts as free: then the
# server's own bind says it.
port_taken() {
    port=${1##*:}
    host=${1%:*}
    if [ -r /proc/net/tcp ]; then
        hex=$(printf '%04X' "$port")
        case $host in
            *:* | *[!0-9.]*) want='*' ;;
            *) want=$(printf '%s\n' "$host" | awk -F. '{ printf "%02X%02X%02X%02X", $4, $3, $2, $1 }') ;;
        esac
        awk -v port="$hex" -v want="$want" '
            $4 == "0A" {
                split($2, local, ":")
                any = local[1] ~ /^0+$/ || want == "*" || want == "00000000"
                if (local[2] == port && (any || local[1] == want)) found = 1
            }
            END { exit !found }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
    else
        netstat -an -p tcp 2>/dev/null | awk -v port="$port" -v host="$host" '
            $NF == "LISTEN" && ($4 == host "." port || $4 == "*." port) { found = 1 }
            END { exit !found }'
    fi
}

# point TARGET LINK: the link names the target, in one step.
point() {
    rm -f "$2.$$.tmp"
    ln -s "$1" "$2.$$.tmp" && publish "$2.$$.tmp" "$2"
}

mend() { echo "fleet: next: $*" >&2; }
fail() { echo "fleet: error: $*" >&2; }

verb_switch() {
    mkdir -p "$service/log" "$FLEET_ROOT/run" || return 1
    chmod 700 "$FLEET_ROOT/run" "$service"
    if [ ! -s "$service/key" ]; then
        # The key is born here and is never an argument of anything.
        od -An -tx1 -N32 /dev/urandom | tr -d ' \n' > "$service/key.$$.tmp" &&
            chmod 600 "$service/key.$$.tmp" && mv -f "$service/key.$$.tmp" "$service/key" || return 1
    fi
    old=$(readlink "$service/current" 2>/dev/null)
    if [ "$old" != "../../releases/$SERVER/$RID" ]; then
        if [ -n "$old" ]; then
            point "$old" "$service/previous" || return 1
        fi
        point "../../releases/$SERVER/$RID" "$service/current" || return 1
        rm -f "$service/proven"
    fi
    printf '%s\n' "$SUPERVISOR" > "$service/supervisor"
    printf '%s\n' "$UNIT" > "$service/unit"
}

# 6: refused before anything was done.
verb_check() {
    [ -n "$ADDRESS" ] && port_taken "$ADDRESS" || return 0
    fail "port taken: another program listens on $ADDRESS"
    mend "set another listen in [servers.$SERVER] of inventory.toml, or stop that program"
    return 6
}

verb_start() {
    if [ ! -f "$FLEET_ROOT/releases/$SERVER/$RID/run" ]; then
        fail "release $RID of $SERVER is not there"
        mend "fleet deploy"
        return 1
    fi
    is_ours "$service/child" || verb_check || return
    rm -f "$service/held" "$service/failed" "$service/starts" "$service/exit" "$service/proven"
    service_enable || return 1
    service_start
}

verb_stop() {
    if ! service_stop; then
        fail "$SERVER did not end, not even when killed"
        mend "look on the host: ps -p $rec_pid"
        return 1
    fi
    rm -f "$service/proven" "$service/failed" "$service/exit"
    [ -z "$SOCKET" ] || rm -f "$SOCKET"
}

case $VERB in
    deploy) { is_ours "$service/child" || verb_check; } && verb_switch && verb_start ;;
    start) verb_start ;;
    check) verb_check ;;
    stop) verb_stop ;;
    hold)
        # First the word, then the deed: whoever looks in between knows that it is wanted.
        printf '%s\n' "$REASON" > "$service/held"
        verb_stop && service_disable
        ;;
    remove)
        verb_stop && service_remove || exit 1
        mkdir -p "$FLEET_ROOT/trash" || exit 1
        gone="$FLEET_ROOT/trash/service-$SERVER.$$"
        mv "$service" "$gone" && rm -rf "$gone"
        ;;
    prove)
        is_ours "$service/child" || { fail "$SERVER is not running any more"; exit 1; }
        [ "$rec_release" = "$RID" ] || { fail "$SERVER runs release $rec_release, not $RID"; exit 1; }
        # First what was seen, then the word that it is of this process.
        rm -f "$service/proven"
        printf '%s\n' "$PROOF" > "$service/proof.$$.tmp" && mv -f "$service/proof.$$.tmp" "$service/proof.json" || exit 1
        printf '%s %s %s\n' "$rec_release" "$rec_pid" "$rec_start" > "$service/proven.$$.tmp" &&
            mv -f "$service/proven.$$.tmp" "$service/proven"
        ;;
esac
