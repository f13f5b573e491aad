# A line every second for as long as somebody reads: `. ` alone when nothing changed, else the values.
# A failed write ends it: the built-in echo writes to a closed pipe and the shell dies of SIGPIPE.
# shellcheck shell=sh disable=SC2154
tick=0
said=''
boot=$(boot_id)
where=$(nearest "$FLEET_ROOT")
free=''
while :; do
    _words=''
    platform_sample "$tick"
    if [ $((tick % 30)) -eq 0 ]; then
        # In steps of 16 MiB.
        free=$(df -Pk "$where" 2>/dev/null | awk 'NR == 2 { printf "%d", int($4 / 16384) * 16384 }')
    fi
    now="$_words df=$free boot=$boot"
    if [ "$now" = "$said" ]; then
        echo . || exit 0
    else
        echo "s $now" || exit 0
        said=$now
    fi
    tick=$((tick + 1))
    sleep 1
done
