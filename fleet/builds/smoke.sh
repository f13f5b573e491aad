# What a build must show before it gets its final name. Comes before build.sh and receive.sh.
# Variables: FINGERPRINT BACKEND DEVICE (prefix in --list-devices, empty for the CPU) SMOKE (file below the root),
# UNSEEN (what to look at where there is no such device),
# REMEDY (what to do where the binaries do not run here; empty or unset: the controller knows),
# RPC (ADDRESS:PORT,… of servers that lend their devices; empty or unset: none).
# shellcheck shell=sh disable=SC2154

tmp="builds/.$FINGERPRINT.tmp"
final="builds/$FINGERPRINT"

# fail CODE SENTENCE [NEXT]: the last lines of the log are the cause.
fail() {
    code=$1
    free=$(free_bytes "$FLEET_ROOT/work")
    if [ -n "$free" ] && [ "$free" -lt 8388608 ] && [ "$code" -ne 75 ]; then
        code=86
        set -- 86 "the disk is full: $free bytes are left in $FLEET_ROOT" "free some space there"
    fi
    echo "fleet: error: $2"
    [ -z "${3:-}" ] || echo "fleet: next: $3"
    rm -rf "$tmp"
    [ -z "${busy:-}" ] || rm -rf "$busy"
    exit "$code"
}

# smoke: fails, or the build in $tmp runs on this machine and computes with its backend.
# What the program says of itself stays beside it, in says/.
smoke() {
    mkdir -p "$tmp/says" || fail 86 "cannot write in $FLEET_ROOT"
    limited 60 "$tmp/bin/llama-server" --version < /dev/null > "$tmp/says/version.txt" 2>&1
    proven $? "llama-server --version" "$tmp/says/version.txt"
    limited 60 "$tmp/bin/llama-server" --help < /dev/null > "$tmp/says/help.txt" 2> "$tmp/said"
    proven $? "llama-server --help" "$tmp/said"

    set --
    [ -z "${RPC:-}" ] || set -- --rpc "$RPC"
    limited 120 "$tmp/bin/llama-server" "$@" --list-devices < /dev/null > "$tmp/says/devices.txt" 2> "$tmp/said"
    rc=$?
    cat "$tmp/says/devices.txt"
    proven "$rc" "llama-server --list-devices" "$tmp/said"
    if [ -n "$DEVICE" ]; then
        grep -q "^ *${DEVICE}[0-9]" "$tmp/says/devices.txt" ||
            fail 84 "the build has no $DEVICE device: it would compute on the CPU" "$UNSEEN"
        # Source: the names of Mesa's and Google's drivers that compute on the processor
        ! grep "^ *${DEVICE}0:" "$tmp/says/devices.txt" | grep -i -E 'llvmpipe|lavapipe|softpipe|swiftshader' ||
            fail 84 "${DEVICE}0 is a processor that plays a GPU: it would be slower than the CPU build" \
                'set backend = "cpu" for this host'
        set -- "$@" -ngl 99 -dev "${DEVICE}0"
    else
        set -- -ngl 0
    fi

    limited 300 "$tmp/bin/llama-bench" -m "$SMOKE" -p 0 -n 1 -r 1 -o jsonl "$@" < /dev/null > "$tmp/said" 2>&1
    proven $? "one token with llama-bench" "$tmp/said"
    grep -q '"n_gen": 1' "$tmp/said" || fail 85 "smoke test: llama-bench gave no result"
    rm -f "$tmp/said"
}

# proven STATUS WHAT FILE: prints what it said; a sentence for each way to die.
proven() {
    cat "$3"
    case $1 in
        0) ;;
        124 | 142) fail 85 "smoke test: $2 hung" ;;
        127 | 126) fail 85 "smoke test: $2 does not start: $(tail -n 1 "$3")" "${REMEDY:-}" ;;
        132) fail 87 "smoke test: $2 died of an illegal instruction: built for another CPU" "${REMEDY:-}" ;;
        134)
            # llama.cpp aborts where a server that lends devices is away, or of another version
            [ -z "${RPC:-}" ] || fail 84 "no ggml-rpc-server of this llama.cpp answers at $RPC" \
                "start it there: ggml-rpc-server -H ADDRESS -p PORT"
            fail 85 "smoke test: $2 gave up on an internal check: $(tail -n 1 "$3")" "${REMEDY:-}"
            ;;
        137) fail 85 "smoke test: $2 was killed, which a full memory does" ;;
        *) fail 85 "smoke test: $2 ended with exit code $1: $(tail -n 1 "$3")" "${REMEDY:-}" ;;
    esac
}

# described: BUILD.json, from the lines in RECORD and the files that are there.
described() {
    files=
    for file in "$tmp"/bin/*; do
        files="$files${files:+, }\"${file##*/}\": \"$(digest "$file")\""
    done
    {
        echo "{"
        printf '%s\n' "$RECORD"
        printf '  "files": {%s},\n' "$files"
        printf '  "built_at": %s\n' "$(date +%s)"
        echo "}"
    } > "$tmp/BUILD.json" || fail 86 "cannot write in $FLEET_ROOT"
}

# released: the build gets its final name.
released() {
    publish "$tmp" "$final" || fail 85 "cannot give the build its final name, $final"
    echo "fleet: built $FINGERPRINT"
}
