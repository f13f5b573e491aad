# One stage of a conversion; each makes one file, under its own name only when it is whole.
# Variables: ID, STAGE (base imatrix quantise check-base check publish), TYPE, TYPES (one a line), NAME,
# BUILD (fingerprint), ENVIRONMENT and TREE (ids), OUTTYPE, CHUNKS and CONTEXT (numbers).
# Exit code 91: refused or failed, with the reason.
# shellcheck shell=sh disable=SC2154
set -u
cd "$FLEET_ROOT/conversions/$ID" || exit 1
fence
bin="$FLEET_ROOT/builds/$BUILD/bin"
# Idle threads sleep instead of spinning: the one that writes the log gets its turn.
OMP_WAIT_POLICY=passive
export OMP_WAIT_POLICY

fail() {
    echo "fleet: error: $1"
    [ -z "${2:-}" ] || echo "fleet: next: $2"
    exit 91
}

# tool NAME: it is in the build.
tool() {
    [ -x "$bin/$1" ] || fail "build $BUILD has no $1" "a [llama_cpp] source that has it, then fleet build HOST"
}

# told NAME CMD...: runs it, keeps in NAME.all what it said; status in $rc.
told() {
    all=$1.all
    shift
    # The last line of a program may have no end.
    { nice -n 10 "$@" < /dev/null 2>&1; printf '\nfleet-exit %s\n' "$?"; } | tee "$all"
    rc=$(sed -n 's/^fleet-exit \([0-9]*\)$/\1/p' "$all" | tail -n 1)
}

# last PATTERN: the last line of what was said that holds it, without the log's own prefix.
# -a, because in the C locale the sign ± makes a file a binary one, of which grep shows no line.
last() {
    grep -aE "$1" "$all" | tail -n 1 | sed -e 's/^[0-9.]* [A-Z] //' -e 's/^[A-Z]*:hf-to-gguf://'
}

# failed WHAT PATTERN NEXT: with what the tool said last that holds the pattern.
failed() {
    [ "$rc" != 137 ] || fail "$1: it was killed, which a full memory does" \
        "the same command, which goes on from here; or --on HOST, one with more memory"
    said=$(last "$2")
    fail "$1: ${said:-exit code $rc}" "$3"
}

# kept NAME FILE: both get their names; what was measured stays beside it.
kept() {
    grep -aE 'BPW|PPL|KLD|Same top|Final estimate|fallback|n_chunks|over [0-9]+ chunks' "$all" | head -n 40 > "$1.said.tmp"
    [ -z "${2:-}" ] || { chmod u+w "$2.tmp" && publish "$2.tmp" "$2"; } || fail "cannot write $FLEET_ROOT/conversions/$ID"
    mv -f "$1.said.tmp" "$1.said"
    rm -f "$all"
}

case $STAGE in
    base)
        told base python3 -I -S "$FLEET_ROOT/converter/$ENVIRONMENT/runner.py" \
            "$FLEET_ROOT/converter/$ENVIRONMENT/site" "$FLEET_ROOT/converter/tree-$TREE/convert_hf_to_gguf.py" \
            "$PWD/in" --outtype "$OUTTYPE" --outfile "$PWD/base.gguf.tmp" --model-name "$NAME"
        [ "$rc" = 0 ] && [ -f base.gguf.tmp ] || {
            rm -f base.gguf.tmp
            failed "llama.cpp's converter refused" '^ERROR:|^[A-Za-z.]*(Error|Exception|Interrupt)' \
                "look whether llama.cpp knows this architecture and tokenizer; a newer llama.cpp may: ref under [llama_cpp]"
        }
        kept base base.gguf
        ;;
    imatrix)
        tool llama-imatrix
        told imatrix "$bin/llama-imatrix" -m base.gguf -f calibration.txt -o imatrix.gguf.tmp \
            --output-format gguf -c "$CONTEXT" --chunks "$CHUNKS"
        [ "$rc" = 0 ] && [ -s imatrix.gguf.tmp ] || {
            rm -f imatrix.gguf.tmp
            failed "llama-imatrix failed" ' E |error|at least [0-9]+ tokens|too short' \
                "a calibration text of at least $((4 * CONTEXT)) words"
        }
        kept imatrix imatrix.gguf
        ;;
    quantise)
        tool llama-quantize
        set --
        [ ! -f imatrix.gguf ] || set -- --imatrix imatrix.gguf
        told "quantise-$TYPE" "$bin/llama-quantize" "$@" base.gguf "$TYPE.gguf.tmp" "$TYPE"
        [ "$rc" = 0 ] && [ -f "$TYPE.gguf.tmp" ] || {
            rm -f "$TYPE.gguf.tmp"
            failed "llama-quantize failed" 'failed to quantize:|invalid ftype|error' \
                "fleet models convert … --to with other types"
        }
        kept "quantise-$TYPE" "$TYPE.gguf"
        ;;
    check-base)
        tool llama-perplexity
        told check-base "$bin/llama-perplexity" -m base.gguf -f check.txt --kl-divergence-base base.kld.tmp \
            -c "$CONTEXT" --chunks "$CHUNKS"
        # It ends with 0 also where the text was too short: the file has then nothing but its beginning.
        if [ "$rc" != 0 ] || [ ! -f base.kld.tmp ] || [ "$(($(wc -c < base.kld.tmp)))" -lt 1024 ]; then
            rm -f base.kld.tmp
            failed "llama-perplexity failed" 'at least [0-9]+ tokens|^[0-9.]+ E |error' \
                "a text with more words after --check"
        fi
        kept check-base base.kld
        ;;
    check)
        tool llama-perplexity
        # Its log is written by a thread that nobody waits for: the last lines, which are the result, may be
        # lost. Source: llama.cpp common/log.cpp, `common_log_main`; seen in 3 of 8 runs on a busy machine.
        for _ in 1 2 3 4 5 6; do
            told "check-$TYPE" "$bin/llama-perplexity" -m "$TYPE.gguf" -f check.txt \
                --kl-divergence-base base.kld --kl-divergence
            if [ "$rc" != 0 ] || [ -n "$(last 'Same top p:')" ]; then break; fi
            echo "llama-perplexity ended before it had written its results; once more"
        done
        if [ "$rc" != 0 ] || [ -z "$(last 'Same top p:')" ]; then
            failed "llama-perplexity failed on $TYPE" '^[0-9.]+ E |error' \
                "the same command again"
        fi
        kept "check-$TYPE"
        ;;
    publish)
        [ ! -L "$FLEET_ROOT/models" ] || fail "$FLEET_ROOT/models is a symbolic link"
        [ -f results.tmp ] || { if [ -f results ]; then cp results results.tmp; else : > results.tmp; fi; }
        for made in $TYPES; do
            if [ -f "$made.gguf" ]; then
                sha256=$(digest "$made.gguf") || fail "cannot hash $made.gguf"
                size=$(($(wc -c < "$made.gguf")))
                grep -v "^$made " results.tmp > results.new
                echo "$made $sha256 $size" >> results.new
                mv -f results.new results.tmp
                mkdir -p "$FLEET_ROOT/models/$sha256" && chmod 0444 "$made.gguf" &&
                    publish "$made.gguf" "$FLEET_ROOT/models/$sha256/model.gguf" ||
                    fail "cannot write in $FLEET_ROOT/models"
            fi
            # Whoever was killed in between finds the line and the model.
            sha256=$(sed -n "s/^$made \([0-9a-f]*\) .*/\1/p" results.tmp)
            [ -n "$sha256" ] && [ -f "$FLEET_ROOT/models/$sha256/model.gguf" ] || fail "$made was not made" \
                "the same command again makes it"
            echo "published $made as $sha256"
        done
        publish results.tmp results || fail "cannot write $FLEET_ROOT/conversions/$ID"
        rm -rf in base.gguf imatrix.gguf base.kld calibration.txt check.txt ./*.tmp ./*.all
        ;;
esac
