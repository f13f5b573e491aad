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

platform_sections() {
    # sw_vers -> ProductName: macOS / ProductVersion: 15.2 / BuildVersion: 24C101
    section sw_vers sw_vers
    # sysctl hw -> hw.memsize: 38654705664 ... hw.perflevel0.physicalcpu: 10 ... hw.optional.arm.FEAT_DotProd: 1
    # a missing name: sysctl: unknown oid 'hw.optional.arm.FEAT_SVE', exit 1, all others are still printed
    section sysctl sysctl hw machdep.cpu vm.swapusage kern.boottime
    # vm_stat -> Mach Virtual Memory Statistics: (page size of 16384 bytes) / Pages free:   9563156. ...
    section vm_stat vm_stat
    # ioreg -r -d1 -w0 -c AGXAccelerator -> "model" = "Apple M3 Max" / "gpu-core-count" = 30
    section ioreg limited 10 ioreg -r -d1 -w0 -c AGXAccelerator
    # xcode-select -p -> /Library/Developer/CommandLineTools; exit 2 where nothing is installed
    section xcode xcode-select -p
    section disk df -Pk "$(nearest "$FLEET_ROOT")"
    # df -k -i -> Filesystem 1024-blocks Used Available Capacity iused ifree %iused Mounted on
    section inodes df -k -i "$(nearest "$FLEET_ROOT")"
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

# platform_sample TICK: see linux.sh. Every command here is a fork, so the slow ones run every fifth second.
platform_sample() {
    if [ $(($1 % 5)) -eq 0 ]; then
        # vm_stat -> Mach Virtual Memory Statistics: (page size of 16384 bytes) / Pages wired down:   233301. ...
        _vm=$(vm_stat | awk '
            /page size of/ { for (i = 1; i < NF; i++) if ($i == "of") page = $(i + 1) }
            /^Pages wired down:/ { used += $NF } /^Pages active:/ { used += $NF }
            /^Pages occupied by compressor:/ { used += $NF }
            /^Swapins:/ { swapped = $NF + 0 }
            END { printf "mu=%d si=%d", used * page / 1024 / 4096, swapped }')
        # In steps of 4 MiB, as on Linux.
        _mu=${_vm#mu=} _mu=$((${_mu%% *} * 4096))
        # sysctl -n hw.memsize -> 38654705664
        _mt=$(($(sysctl -n hw.memsize) / 1024))
        # sysctl -n vm.swapusage -> total = 15360.00M  used = 5120.00M  free = 10240.00M  (encrypted)
        _su=$(sysctl -n vm.swapusage | sed 's/.*used = \([0-9]*\).*/\1/')
        # sysctl -n vm.loadavg hw.ncpu -> { 2.10 1.95 1.80 } / 14
        _load=$(sysctl -n vm.loadavg hw.ncpu | awk 'NR == 1 { load = $2 } NR == 2 { printf "%d", 100 * load / $1 }')
        [ "$_load" -le 100 ] || _load=100
        # ioreg -r -d1 -w0 -c IOAccelerator -> "PerformanceStatistics" = {"Device Utilization %"=21,"In use system memory"=351141888,...}
        _gpu=$(limited 4 ioreg -r -d1 -w0 -c IOAccelerator 2>/dev/null | sed -n 's/.*"Device Utilization %"=\([0-9]*\).*/\1,,,,/p' | head -n 1)
    fi
    _words="mt=$_mt mu=$_mu su=$((${_su:-0} * 1024)) si=${_vm##*si=} cpu=$_load"
    [ -z "$_gpu" ] || _words="$_words gpu=$_gpu"
}
