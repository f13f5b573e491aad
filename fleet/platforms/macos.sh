# Everything that is asked of macOS, each command beside the recorded answer it was written from.
# shellcheck shell=sh

# sysctl -n kern.bootsessionuuid -> 7C5AE0B1-...  (documented, not recorded; "unknown oid" with exit 1 where missing)
# sysctl -n kern.boottime -> { sec = 1731000000, usec = 0 } Thu Nov  7 17:20:00 2024  (documented, not recorded)
boot_id() {
    sysctl -n kern.bootsessionuuid 2>/dev/null ||
        sysctl -n kern.boottime 2>/dev/null | sed 's/^{ sec = \([0-9]*\).*/\1/'
}

# TZ=UTC ps -o stat= -o lstart= -p 1 -> "Ss   Sun Nov 22 09:49:35 2026"  (documented, not recorded)
# In UTC, so that a laptop that travels keeps its processes.
process_start() {
    _stat=$(TZ=UTC ps -o stat= -o lstart= -p "$1" 2>/dev/null) || return 1
    # shellcheck disable=SC2086
    set -- $_stat
    case ${1:-Z} in Z*) return 1 ;; esac
    shift
    _stat=$*
    printf '%s\n' "$_stat" | tr ' ' '_'
}

# Without the Command Line Tools these are shims of Apple that open a window: never call them then.
is_shim() {
    case ${1##*/} in
        cc | c++ | gcc | g++ | clang | git | make | python3) ;;
        *) return 1 ;;
    esac
    case $1 in /opt/homebrew/* | /usr/local/* | /opt/local/* | /nix/* | "$HOME"/*) return 1 ;; esac
    if [ -z "${_has_tools:-}" ]; then
        if xcode-select -p >/dev/null 2>&1; then _has_tools=yes; else _has_tools=no; fi
    fi
    [ "$_has_tools" = no ]
}

# What the shims in /usr/bin lead to changes without them.
tool_files() {
    _dir=$(xcode-select -p 2>/dev/null) || return 0
    ls -lniL "$_dir/usr/bin/clang" "$_dir/Toolchains/XcodeDefault.xctoolchain/usr/bin/clang" 2>/dev/null
    :
}

# platform_sample TICK: see linux.sh. Every command here is a fork, so they run every fifth second.
platform_sample() {
    if [ $(($1 % 5)) -eq 0 ]; then
        # vm_stat -> Mach Virtual Memory Statistics: (page size of 16384 bytes) / Pages wired down:   233301. ...
        # sysctl hw.memsize vm.swapusage vm.loadavg hw.ncpu -> hw.memsize: 38654705664
        #   vm.swapusage: total = 2048.00M  used = 1017.50M  free = 1030.50M  (encrypted)
        #   vm.loadavg: { 1.28 1.18 1.13 }
        #   hw.ncpu: 14
        # ioreg -r -d1 -w0 -c IOAccelerator -> "PerformanceStatistics" = {..."Device Utilization %"=21,...}
        _values=$({
            vm_stat
            sysctl hw.memsize vm.swapusage vm.loadavg hw.ncpu
            [ $(($1 % 10)) -ne 0 ] || limited 4 ioreg -r -d1 -w0 -c IOAccelerator
        } 2>/dev/null | awk '
            /page size of [0-9]/ { for (i = 1; i < NF; i++) if ($i == "of") page = $(i + 1) + 0 }
            /^Pages wired down:/ { wired = $NF + 0 }
            /^Pages active:/ { active = $NF + 0 }
            /^Pages purgeable:/ { purgeable = $NF + 0 }
            /^Anonymous pages:/ { anonymous = $NF + 0 }
            /^Pages occupied by compressor:/ { packed = $NF + 0 }
            /^Swapins:/ { swapins = $NF + 0; has_swapins = 1 }
            /^hw.memsize:/ { total = $2 + 0 }
            /^hw.ncpu:/ { cores = $2 + 0 }
            /^vm.loadavg:/ && $2 == "{" { load = $3 + 0; has_load = 1 }
            /^vm.swapusage:/ { for (i = 2; i < NF; i++) if ($i == "used") { swap = $(i + 2) + 0; has_swap = 1 } }
            match($0, /"Device Utilization %"=[0-9]+/) && !has_gpu {
                gpu = substr($0, RSTART + 23, RLENGTH - 23); has_gpu = 1
            }
            END {
                # As Activity Monitor: wired, compressed, and what applications made; in steps of 4 MiB.
                if (anonymous > purgeable) active = anonymous - purgeable
                used = int((wired + active + packed) * page / 4194304) * 4096
                if (total && used) printf " mt=%.0f mu=%.0f", int(total / 1024), used
                if (has_swap) printf " su=%.0f", int(swap) * 1024
                share = cores ? 100 * load / cores : 0
                if (has_load && cores) printf " cpu=%d", (share > 100 ? 100 : share)
                if (has_gpu) printf " gpu=%d,,,,", gpu
                printf "|"
                if (has_swap && !swap) printf "none"
                else if (has_swapins) printf "%.0f", int(swapins * page / 1024)
            }')
        _swapped=${_values#*|} _values=${_values%%|*}
        # Asked for every tenth second only.
        case $_values in
            *' gpu='*) _gpu=" gpu=${_values##* gpu=}" _values=${_values%% gpu=*} ;;
            *) [ $(($1 % 10)) -ne 0 ] || _gpu='' ;;
        esac
    fi
    _words="$_values$_gpu"
}
