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

# Toolkits that nothing on the PATH leads to; the newest comes first.
_newer=
for _dir in /opt/intel/oneapi/compiler/latest/bin /opt/rocm-[0-9]*/bin /usr/local/cuda-[0-9].[0-9]*/bin \
    /usr/local/cuda-[0-9][0-9].[0-9]*/bin; do
    [ -d "$_dir" ] && _newer=:$_dir$_newer
done
PATH=$PATH$_newer

boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || awk '/^btime/ { print $2 }' /proc/stat; }

process_start() { return 1; }

is_shim() { return 1; }

tool_files() { :; }

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
        _gpu=''
        ! is_here nvidia-smi || linux_cards
        linux_radeons /sys/class/drm
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

# linux_radeons DRM: the same of AMD's cards, as the kernel shows it; what is built into a processor is left out
linux_radeons() {
    for _device in "$1"/card[0-9]*/device; do
        { read -r _most <"$_device/mem_info_vram_total" && read -r _held <"$_device/mem_info_vram_used"; } 2>/dev/null || continue
        [ "$_most" -ge 1073741824 ] || continue
        { read -r _load <"$_device/gpu_busy_percent"; } 2>/dev/null || _load=''
        _gpu="$_gpu${_gpu:+;}$_load,$((_held / 1048576)),$((_most / 1048576)),,"
    done
}
