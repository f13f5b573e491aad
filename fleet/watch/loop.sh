# A line every second for as long as somebody reads: `.` alone when nothing changed, else the values.
# A failed write ends it: by SIGPIPE, or where that is ignored by the status of echo.
# platform_sample appends words to _words, and every fifth second says in _swapped what was swapped in
# since boot, KiB, or `none` where nothing is swapped out.
# shellcheck shell=sh disable=SC2154
tick=0
said=''
boot=$(boot_id)
free=''
swap='' swapped='' when=0
while :; do
    _words='' _swapped=''
    platform_sample "$tick"
    if [ $((tick % 5)) -eq 0 ]; then
        case $_swapped in
            '') swap='' swapped='' ;;
            none) swap=' si=0' swapped='' ;;
            *)
                now=$(date +%s)
                if [ -n "$swapped" ] && [ "$now" -gt "$when" ]; then
                    swap=" si=$(((_swapped - swapped) / (now - when)))"
                fi
                swapped=$_swapped when=$now
                ;;
        esac
    fi
    if [ $((tick % 30)) -eq 0 ]; then
        free=$(free_bytes "$FLEET_ROOT" 2>/dev/null)
        # In steps of 16 MiB.
        # shellcheck disable=SC2017
        [ -z "$free" ] || free=" df=$((free / 16777216 * 16384))"
    fi
    now="$_words$swap$free boot=$boot"
    if [ "$now" = "$said" ]; then
        echo . || exit 0
    else
        echo "s$now" || exit 0
        said=$now
    fi
    tick=$((tick + 1))
    sleep 1 || exit 0
done
