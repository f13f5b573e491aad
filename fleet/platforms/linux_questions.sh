# What the probe asks of Linux. Every tool of a driver may hang, so each has its time.
# shellcheck shell=sh disable=SC2154

platform_sections() {
    section os-release cat /etc/os-release
    section libc linux_libc
    section uptime cat /proc/uptime
    section cpuinfo linux_cpuinfo
    section topology linux_topology
    section nodes linux_nodes
    section limits linux_limits
    section meminfo cat /proc/meminfo
    section swaps cat /proc/swaps
    section board linux_board
    section pci linux_pci
    section drm linux_drm
    section kfd linux_kfd
    section nvidia linux_nvidia
    section nvidia-banner linux_nvidia_more
    section nvidia-apps linux_nvidia_more --query-compute-apps=gpu_uuid,pid --format=csv,noheader,nounits
    section nvidia-list linux_nvidia_parts
    section rocm linux_rocm
    section amd-smi linux_amd_smi
    section rocminfo linux_rocminfo
    section vulkan linux_vulkan
    section disk df -Pk "$(nearest "$FLEET_ROOT")"
    section inodes df -Pi "$(nearest "$FLEET_ROOT")"
    section systemd linux_systemd
    section cron linux_cron
}

linux_libc() {
    getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | head -n 2
}

# Once what all processors have in common, then how many there are. ARM's kernels name no model; lscpu may.
linux_cpuinfo() {
    awk -F: '/^processor/ { count++ }
        /^physical id/ && !packages[$2]++ { sockets++ }
        /^(model name|flags|Features|CPU implementer|CPU part|isa|uarch|cpu|cpu cores|Model|Hardware)[ \t]*:/ && !seen[$0]++
        END { print "processors\t: " count + 0; if (sockets) print "sockets\t: " sockets }' /proc/cpuinfo
    grep -q '^model name' /proc/cpuinfo || ! is_here lscpu ||
        lscpu 2>/dev/null | grep -E '^ *(Model name|Flags|CPU\(s\)):'
}

linux_topology() (
    cd /sys/devices/system/cpu || exit
    grep . /dev/null cpu[0-9]*/topology/thread_siblings_list cpu[0-9]*/cpufreq/cpuinfo_max_freq \
        cpu[0-9]*/cpu_capacity ../../cpu_core/cpus ../../cpu_atom/cpus 2>/dev/null
    :
)

# Memory nodes; a Raspberry Pi 5 has eight, and processors in one. `grep .` leaves out an empty list.
linux_nodes() (
    cd /sys/devices/system/node 2>/dev/null || exit
    grep . /dev/null node[0-9]*/cpulist 2>/dev/null
    :
)

# What this program is allowed: by its affinity, its limits, and every control group that it is in, of either kind.
linux_limits() {
    # nproc would also obey these two
    is_here nproc && printf 'nproc=%s\n' "$(OMP_NUM_THREADS='' OMP_THREAD_LIMIT='' nproc)"
    printf 'page=%s\n' "$(getconf PAGESIZE 2>/dev/null)"
    # shellcheck disable=SC3045
    printf 'lockable=%s\n' "$(ulimit -l 2>/dev/null)"
    while IFS=: read -r _ _kinds _path; do
        case ,$_kinds, in
            ,,) linux_groups /sys/fs/cgroup "$_path" ;;
            *,cpu,*) linux_groups /sys/fs/cgroup/cpu "$_path" ;;
            *,memory,*) linux_groups /sys/fs/cgroup/memory "$_path" ;;
        esac
    done 2>/dev/null </proc/self/cgroup
    :
}

# From a group up to the top. In a container the path may not exist below the top that it sees.
linux_groups() {
    _path=$2
    while :; do
        _group=$1${_path%/}
        if { read -r _most _period <"$_group/cpu.max" || {
            read -r _most <"$_group/cpu.cfs_quota_us" && read -r _period <"$_group/cpu.cfs_period_us"
        }; } 2>/dev/null; then
            printf 'cpu=%s %s\n' "$_most" "$_period"
        fi
        for _file in memory.max memory.limit_in_bytes; do
            { read -r _most <"$_group/$_file"; } 2>/dev/null || continue
            [ "$_most" != max ] || continue
            { read -r _held <"$_group/memory.current" || read -r _held <"$_group/memory.usage_in_bytes"; } 2>/dev/null ||
                _held=0
            # Files that nobody maps now give way to whoever asks for memory.
            printf 'memory=%s %s %s\n' "$_most" "$_held" \
                "$(awk '/^(total_)?inactive_file / { value = $2 } END { print value + 0 }' "$_group/memory.stat" 2>/dev/null)"
        done
        case $_path in '' | /) return 0 ;; esac
        _path=${_path%/*}
    done
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
    # Windows lends its cards to WSL by this device.
    [ -e /dev/dxg ] && echo dxg=yes
    :
}

# Graphics and compute cards: class 0x03.
linux_pci() {
    for _card in /sys/bus/pci/devices/*; do
        { read -r _class <"$_card/class"; } 2>/dev/null || continue
        case $_class in 0x03*) ;; *) continue ;; esac
        read -r _vendor <"$_card/vendor" && read -r _device <"$_card/device" &&
            printf '%s %s %s %s\n' "${_card##*/}" "$_class" "$_vendor" "$_device"
    done
    :
}

# i915 says the memory of a card in lmem_total_bytes, xe in tile0.
linux_drm() (
    cd /sys/class/drm 2>/dev/null || exit 0
    grep . /dev/null card[0-9]*/device/vendor card[0-9]*/device/device card[0-9]*/device/mem_info_vram_total \
        card[0-9]*/device/mem_info_vram_used card[0-9]*/device/mem_info_gtt_total card[0-9]*/device/mem_info_gtt_used \
        card[0-9]*/lmem_total_bytes card[0-9]*/device/tile0/physical_vram_size_bytes 2>/dev/null |
        grep -v '^card[0-9]*-'
    grep PCI_SLOT_NAME /dev/null card[0-9]*/device/uevent 2>/dev/null | grep -v '^card[0-9]*-'
    :
)

linux_kfd() (
    cd /sys/class/kfd/kfd/topology/nodes 2>/dev/null || exit 0
    grep -E '^(gfx_target_version|location_id|simd_count|simd_per_cu) ' /dev/null [0-9]*/properties 2>/dev/null
    :
)

# One field that the driver does not know fails the whole query, as compute_cap does with old ones: it is asked again
# without. The columns are named in the answer.
linux_nvidia() {
    _nvidia=127 _fields=index,uuid,name,compute_cap,driver_version,memory.total,memory.free,mig.mode.current
    is_here nvidia-smi || return 127
    while :; do
        _answer=$(limited 20 nvidia-smi "--query-gpu=$_fields" --format=csv,nounits 2>&1)
        _nvidia=$?
        case $_answer in *'Field "'*'" is not a valid field'*) ;; *) break ;; esac
        _field=${_answer#*Field \"}
        _field=${_field%%\"*}
        case ,$_fields, in *",$_field,"*) ;; *) break ;; esac
        _fields=,$_fields,
        _fields=${_fields%%",$_field,"*},${_fields#*",$_field,"}
        _fields=${_fields#,} _fields=${_fields%,}
    done
    printf '%s\n' "$_answer"
    return $_nvidia
}

# Asked only where the first question was answered: a driver that hangs must not hang thrice.
linux_nvidia_more() {
    [ "$_nvidia" -eq 0 ] || return 127
    limited 10 nvidia-smi "$@"
}

linux_nvidia_parts() {
    case $_answer in *Enabled*) linux_nvidia_more -L ;; *) return 127 ;; esac
}

linux_rocm() {
    is_here rocm-smi || return 127
    for _form in --json --csv; do
        limited 20 rocm-smi --showproductname --showmeminfo vram gtt --showbus --showuniqueid $_form 2>/dev/null && return
    done
}

linux_amd_smi() {
    if is_here rocm-smi || ! is_here amd-smi; then return 127; fi
    limited 20 amd-smi static --asic --bus --vram --json 2>/dev/null
}

linux_rocminfo() {
    is_here rocminfo || return 127
    limited 10 rocminfo 2>&1 | grep -E '^Agent |^ROCk|denied|Unable|  (Name|Uuid|Marketing Name|Device Type|BDFID|Compute Unit|SIMDs per CU|Segment|Size): '
}

linux_vulkan() {
    is_here vulkaninfo || return 127
    # Mesa's drivers would make a cache in the home of whoever asks
    limited 10 env MESA_SHADER_CACHE_DISABLE=true vulkaninfo --summary 2>/dev/null
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
