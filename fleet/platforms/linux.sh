# What is read and done differently on Linux: GNU or busybox tools, /proc and /sys.
# shellcheck shell=sh

# systemctl --user needs it; a login without PAM lacks it.
if [ -z "${XDG_RUNTIME_DIR:-}" ]; then
    _runtime=/run/user/$(id -u)
    if [ -d "$_runtime" ]; then
        XDG_RUNTIME_DIR=$_runtime
        export XDG_RUNTIME_DIR
    fi
fi

# The Windows programs on the PATH of WSL are no tools of this host, and slow to look for.
case $PATH in
    */mnt/[a-z]/*)
        PATH=$(printf '%s\n' "$PATH" | tr ':' '\n' | grep -v '^/mnt/[a-z]/' | tr '\n' ':')
        PATH=${PATH%:}
        ;;
esac

boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || awk '/^btime/ { print $2 }' /proc/stat; }

process_start() { return 1; }

is_shim() { return 1; }

tool_files() { :; }

platform_sections() {
    section os-release cat /etc/os-release
    section libc linux_libc
    section uptime cat /proc/uptime
    section cpuinfo linux_cpuinfo
    section topology linux_topology
    section limits linux_limits
    section meminfo cat /proc/meminfo
    section board linux_board
    section pci linux_pci
    section drm linux_drm
    section kfd linux_kfd
    section nvidia linux_nvidia
    section rocm linux_rocm
    section disk df -Pk "$(nearest "$FLEET_ROOT")"
    section inodes df -Pi "$(nearest "$FLEET_ROOT")"
    section systemd linux_systemd
    section cron linux_cron
}

linux_libc() {
    getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | head -n 2
}

# Once what all processors have in common, then how many there are.
linux_cpuinfo() {
    awk -F: '/^processor/ { count++ }
        /^(model name|flags|Features|CPU implementer|CPU part|isa|uarch|cpu|Model|Hardware)[ \t]*:/ && !seen[$0]++
        END { print "processors\t: " count + 0 }' /proc/cpuinfo
}

linux_topology() (
    cd /sys/devices/system/cpu || exit
    grep . /dev/null cpu[0-9]*/topology/thread_siblings_list cpu[0-9]*/cpufreq/cpuinfo_max_freq \
        cpu[0-9]*/cpu_capacity ../../cpu_core/cpus ../../cpu_atom/cpus 2>/dev/null
    :
)

# What a container allows: cgroup 2, then cgroup 1.
linux_limits() {
    is_here nproc && printf 'nproc=%s\n' "$(nproc)"
    for _file in cpu.max cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us memory.max memory.current \
        memory/memory.limit_in_bytes memory/memory.usage_in_bytes; do
        [ -r "/sys/fs/cgroup/$_file" ] && read -r _value <"/sys/fs/cgroup/$_file" && printf '%s=%s\n' "$_file" "$_value"
    done
    :
}

# Single-board computers name themselves in a device tree, in words that end with NUL.
linux_board() {
    for _file in model compatible; do
        for _tree in /sys/firmware/devicetree/base /proc/device-tree; do
            [ -r "$_tree/$_file" ] || continue
            tr '\0' '\n' <"$_tree/$_file" | awk -v key="$_file" 'NF { print key "=" $0 }'
            break
        done
    done
    [ -r /etc/nv_tegra_release ] && head -n 1 /etc/nv_tegra_release
    :
}

# Graphics and compute cards: class 0x03.
linux_pci() {
    for _card in /sys/bus/pci/devices/*; do
        read -r _class 2>/dev/null <"$_card/class" || continue
        case $_class in 0x03*) ;; *) continue ;; esac
        read -r _vendor <"$_card/vendor" && read -r _device <"$_card/device" &&
            printf '%s %s %s %s\n' "${_card##*/}" "$_class" "$_vendor" "$_device"
    done
    :
}

linux_drm() (
    cd /sys/class/drm 2>/dev/null || exit 0
    grep . /dev/null card[0-9]*/device/vendor card[0-9]*/device/device card[0-9]*/device/mem_info_vram_total \
        card[0-9]*/device/mem_info_vram_used card[0-9]*/lmem_total_bytes 2>/dev/null | grep -v '^card[0-9]*-'
    :
)

linux_kfd() { grep -h gfx_target_version /dev/null /sys/class/kfd/kfd/topology/nodes/*/properties 2>/dev/null || :; }

# Old drivers do not know compute_cap; one unknown field fails the whole query.
linux_nvidia() {
    is_here nvidia-smi || return 127
    _answer=$(limited 20 nvidia-smi \
        --query-gpu=index,name,compute_cap,driver_version,memory.total,memory.free --format=csv,noheader,nounits 2>&1)
    _status=$?
    case $_answer in
        *'not a valid field'*)
            _answer=$(limited 20 nvidia-smi \
                --query-gpu=index,name,driver_version,memory.total,memory.free --format=csv,noheader,nounits 2>&1)
            _status=$?
            ;;
    esac
    printf '%s\n' "$_answer"
    return $_status
}

linux_rocm() {
    is_here rocm-smi || return 127
    limited 20 rocm-smi --showproductname --showmeminfo vram --csv 2>/dev/null
}

linux_systemd() {
    is_here systemctl || return 127
    printf 'state=%s\n' "$(limited 5 systemctl --user is-system-running 2>&1)"
    if [ -e "/var/lib/systemd/linger/$(id -un)" ]; then echo linger=yes; else echo linger=no; fi
    if is_here loginctl; then echo loginctl=yes; else echo loginctl=no; fi
}

linux_cron() {
    is_here crontab || return 127
    cat /proc/[0-9]*/comm 2>/dev/null | grep -Ex 'crond?|fcron|dcron|cronie|anacron'
}

# platform_sample TICK: the values of this second as words ` name=value`; no fork but for the disk and the GPU,
# since it runs every second for as long as somebody watches. What cannot be read is left out.
platform_sample() {
    _mt='' _ma='' _st='' _sf='' _idle=''
    while read -r _name _value _; do
        case $_name in
            MemTotal:) _mt=$_value ;;
            MemAvailable:) _ma=$_value ;;
            SwapTotal:) _st=$_value ;;
            SwapFree:) _sf=$_value && break ;;
        esac
    done 2>/dev/null < /proc/meminfo
    # In steps of 4 MiB, so that an idle host has nothing new to say.
    [ -z "$_ma" ] || _words=" mt=$_mt mu=$(((_mt - _ma) / 4096 * 4096))"
    [ -z "$_sf" ] || _words="$_words su=$((_st - _sf))"
    { read -r _ _user _nice _system _idle _iowait _irq _soft _; } 2>/dev/null < /proc/stat
    if [ -n "$_idle" ]; then
        _busy=$((_user + _nice + _system + _irq + _soft))
        _all=$((_busy + _idle + _iowait))
        if [ -n "${_all_before:-}" ] && [ "$_all" -gt "$_all_before" ]; then
            _share=$((100 * (_busy - _busy_before) / (_all - _all_before)))
            # Two points up or down are no news.
            case $((_share - ${_cpu:-1000})) in -[12] | [012]) ;; *) _cpu=$_share ;; esac
        fi
        _busy_before=$_busy _all_before=$_all
        [ -z "${_cpu:-}" ] || _words="$_words cpu=$_cpu"
    fi
    if [ $(($1 % 5)) -eq 0 ]; then
        linux_swapped
        ! is_here nvidia-smi || linux_cards
    fi
    [ -z "${_gpu:-}" ] || _words="$_words gpu=$_gpu"
}

linux_swapped() {
    [ -n "$_sf" ] || return 0
    _swapped=none
    [ "$_st" != "$_sf" ] || return 0
    _swapped=''
    [ -n "${_page:-}" ] || _page=$(getconf PAGESIZE 2>/dev/null) || _page=4096
    while read -r _name _value; do
        [ "$_name" = pswpin ] && _swapped=$((_value * (_page / 1024))) && break
    done 2>/dev/null < /proc/vmstat
}

# nvidia-smi -> 37, 9210, 12282, 71, 188.20 per card; a cell in brackets is unknown
linux_cards() {
    _gpu=$(limited 4 nvidia-smi \
        --query-gpu=utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw \
        --format=csv,noheader,nounits 2>/dev/null) || _gpu=''
    _gpu=$(printf '%s' "$_gpu" | tr -d ' ' | tr '\n' ';')
}
