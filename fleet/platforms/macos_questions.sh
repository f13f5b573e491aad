# What the probe asks of macOS, each command beside the recorded answer it was written from.
# shellcheck shell=sh disable=SC2154

platform_sections() {
    # sw_vers -> ProductName: macOS / ProductVersion: 15.2 / BuildVersion: 24C101
    section sw_vers sw_vers
    # sysctl hw -> hw.memsize: 38654705664 ... hw.perflevel0.physicalcpu: 10 ... hw.optional.arm.FEAT_DotProd: 1
    # a missing name: sysctl: unknown oid 'hw.optional.arm.FEAT_SVE', exit 1, all others are still printed
    # iogpu.wired_limit_mb -> 0 where macOS decides itself; before macOS 14 it is unknown
    section sysctl sysctl hw machdep.cpu vm.swapusage kern.boottime iogpu.wired_limit_mb
    # vm_stat -> Mach Virtual Memory Statistics: (page size of 16384 bytes) / Pages free:   9563156. ...
    section vm_stat vm_stat
    section limits macos_limits
    section ioreg macos_gpu
    # xcode-select -p -> /Library/Developer/CommandLineTools; exit 2 where nothing is installed
    section xcode xcode-select -p
    section disk df -Pk "$(nearest "$FLEET_ROOT")"
    # df -k -i -> Filesystem 1024-blocks Used Available Capacity iused ifree %iused Mounted on
    section inodes df -k -i "$(nearest "$FLEET_ROOT")"
}

# ulimit -l -> unlimited  (documented, not recorded)
macos_limits() {
    # shellcheck disable=SC3045
    printf 'lockable=%s\n' "$(ulimit -l 2>/dev/null)"
}

# ioreg -r -d1 -w0 -c AGXAccelerator -> "model" = "Apple M3 Max" / "gpu-core-count" = 30
# system_profiler, a hundred times slower, only where ioreg does not count them:
# system_profiler SPDisplaysDataType -json -> "sppci_cores" : "10", / "sppci_model" : "Apple M4"
macos_gpu() {
    _answer=$(limited 10 ioreg -r -d1 -w0 -c AGXAccelerator)
    _status=$?
    printf '%s\n' "$_answer"
    case $_answer in *'"gpu-core-count"'*) return 0 ;; esac
    limited 20 system_profiler SPDisplaysDataType -json || return $_status
}
