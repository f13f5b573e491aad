# Keep one server alive where the host has no service manager. Argument: SERVER.
# Variables: BACKOFF (first pause, seconds), PAUSE_MAX (seconds), STARTS and WINDOW (give up
# after so many starts within so many seconds).
# shellcheck shell=sh disable=SC2154
SERVER=$1
service="$FLEET_ROOT/services/$SERVER"
me="$service/supervise.pid"
child="$service/child"
log="$service/log/server.log"
cd "$service" || exit 1
mkdir -p "$service/log"
say() { echo "fleet: supervise: $*" >&2; }

# put: our record in its place, by exactly one. A link shows it whole or not at all; on a file
# system without links (FAT, some of FUSE) it is created (O_EXCL), and empty until it is filled.
put() {
    if [ -n "$links" ]; then
        ln "$mine" "$me" 2>/dev/null
    else
        (set -C && printf '%s\n' "$record" > "$me") 2>/dev/null
    fi
}

# One supervisor only: a dead one's record is removed under a lock of its own, so that two
# never remove each other's.
claim() {
    mine="$me.$$"
    trap 'rm -f "$mine" "$mine".*; exit 0' TERM INT
    rm -f "$mine" "$mine.link"
    write_record "$mine" "$$" supervise || { say "cannot write $mine"; exit 1; }
    record=$(cat "$mine")
    links=''
    ln "$mine" "$mine.link" 2>/dev/null && links=yes
    claim_with_record
    claimed=$?
    rm -f "$mine" "$mine.link"
    # What others left that were killed while they tried.
    for left in "$me".[0-9]*; do
        owner=${left#"$me".}
        [ ! -e "$left" ] || kill -0 "${owner%%.*}" 2>/dev/null || rm -f "$left"
    done
    return "$claimed"
}

claim_with_record() {
    tries=0
    while [ "$tries" -lt 15 ]; do
        tries=$((tries + 1))
        # The second: NFS may repeat a link whose reply was lost, and say that there is one already.
        { put || [ "$(cat "$me" 2>/dev/null)" = "$record" ]; } && return 0
        is_ours "$me" && return 1
        if mkdir "$service/supervise.lock" 2>/dev/null; then
            # What is dead under the lock stays so: a link is made only where there is no record.
            if [ -e "$me" ]; then
                # An empty record is one that its owner is about to fill, or one that a power cut left.
                [ -s "$me" ] || sleep 2
                is_ours "$me" || rm -f "$me"
            fi
            rmdir "$service/supervise.lock"
        else
            sleep 1
            [ "$tries" -lt 12 ] || rmdir "$service/supervise.lock" 2>/dev/null
        fi
    done
    return 1
}

is_mine() { read_record "$me" && [ "$rec_pid" = "$$" ]; }

finish() {
    trap '' TERM INT HUP
    [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null
    end_ours "$child"
    [ -z "$keeper" ] || kill "$keeper" 2>/dev/null
    [ -z "$nap" ] || kill "$nap" 2>/dev/null
    wait
    rm -f "$child" "$service/stop"
    is_mine && rm -f "$me"
    exit "${1:-0}"
}

rest() {
    sleep "$1" &
    nap=$!
    wait "$nap"
    nap=''
}

keeper='' nap='' pid=''
[ ! -f "$service/held" ] || exit 0
if ! claim; then
    say "$SERVER has a supervisor already"
    exit 0
fi
trap 'finish 0' TERM INT
trap '' HUP
rm -f "$service/failed" "$service/stop"
sh "$FLEET_ROOT/bin/logcap.sh" "$log" "$$" &
keeper=$!

# A child that outlived its supervisor is kept if it is of the current release.
release=$(readlink "$service/current")
if is_ours "$child"; then
    if [ "$rec_release" = "${release##*/}" ]; then
        say "adopting $SERVER, process $rec_pid"
        while is_ours "$child" && [ ! -f "$service/stop" ]; do rest 2; done
        [ ! -f "$service/stop" ] || finish 0
        say "$SERVER ended (adopted, so its exit code is not known)"
        rm -f "$service/exit"
    else
        end_ours "$child"
    fi
fi

pause=$BACKOFF
count=0
begun=$(date +%s)
while :; do
    is_mine || { say "another supervisor took over"; kill "$keeper" 2>/dev/null; exit 0; }
    release=$(readlink "$service/current") || { say "$SERVER has no release"; finish 1; }
    count=$((count + 1))
    up=$(date +%s)
    sh "$FLEET_ROOT/releases/$SERVER/${release##*/}/run" < /dev/null >> "$log" 2>&1 &
    pid=$!
    wait "$pid"
    code=$?
    pid=''
    echo "$code" > "$service/exit"
    rm -f "$child"
    [ ! -f "$service/stop" ] || finish 0
    now=$(date +%s)
    say "$SERVER ended with exit code $code after $((now - up)) s"
    # llama-server ends with 0 only where somebody asked it to.
    if [ "$((now - begun))" -gt "$WINDOW" ]; then
        begun=$now count=1 pause=$BACKOFF
    fi
    if [ "$count" -ge "$STARTS" ]; then
        say "$SERVER ended $count times within $WINDOW s; not started again"
        echo "$code" > "$service/failed"
        finish 1
    fi
    rest "$pause"
    [ ! -f "$service/stop" ] || finish 0
    pause=$((pause * 2))
    [ "$pause" -le "$PAUSE_MAX" ] || pause=$PAUSE_MAX
done
