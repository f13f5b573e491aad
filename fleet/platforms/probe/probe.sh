# The questions of the probe, in sections. Changes nothing but its own cache, and that only where fleet already is.
# Variables set by the sender: FLEET_NONCE.
# shellcheck shell=sh disable=SC2154

section() {
    printf '\n%s section %s\n' "$FLEET_NONCE" "$1"
    shift
    "$@" </dev/null 2>&1
    printf '\n%s status %s\n' "$FLEET_NONCE" "$?"
}

probe_system() {
    printf 'system=%s\nrelease=%s\nmachine=%s\n' "$os" "$(uname -r)" "$(uname -m)"
    printf 'user=%s\nhome=%s\nroot=%s\n' "$(id -un)" "$HOME" "$FLEET_ROOT"
    printf 'clock=%s\nbits=%s\n' "$(date +%s)" "$(getconf LONG_BIT 2>/dev/null)"
    case ${ANDROID_ROOT:+Android}$(uname -o 2>/dev/null) in *Android*) echo android=yes ;; esac
    [ -n "${TERMUX_VERSION:-}" ] && echo "termux=$TERMUX_VERSION"
    is_here boot_id && printf 'boot=%s\n' "$(boot_id)"
    :
}

# NAME, path and the first line of --version that holds a version, with tabs between
probe_tools() {
    set --
    # versioned compilers too: a CUDA toolkit takes none that is newer than it knows
    _versioned=
    for _major in 22 21 20 19 18 17 16 15 14 13 12 11 10 9; do
        _versioned="$_versioned gcc-$_major g++-$_major clang-$_major clang++-$_major"
    done
    # shellcheck disable=SC2086
    for _name in cmake ninja make cc c++ gcc g++ clang clang++ nvcc hipcc hipconfig icx icpx glslc vulkaninfo \
        rocminfo pkg-config ccache git curl unzip openssl python3 sha256sum shasum setsid systemctl launchctl \
        crontab $_versioned; do
        _path=$(command -v "$_name") || continue
        case $_path in /*) ;; *) continue ;; esac
        is_shim "$_path" || set -- "$@" "$_path"
    done
    # CUDA toolkits side by side; each is called after the folder that holds it: nvcc-12.4
    for _path in /usr/local/cuda-[0-9]*/bin/nvcc /opt/cuda-[0-9]*/bin/nvcc; do
        [ -x "$_path" ] && set -- "$@" "$_path"
    done
    [ $# -gt 0 ] || return 0
    # what has not changed since this boot says what it said then
    _key="$(boot_id)
$(ls -lniL "$@" 2>/dev/null)
$(tool_files)
--
"
    _file=$FLEET_ROOT/cache/tools
    [ -r "$_file" ] && _kept=$(head -c 262144 "$_file") || _kept=
    case $_kept in
        "$_key"*)
            _said=${_kept#"$_key"}
            ;;
        *)
            _said=$(probe_versions "$@")
            if [ -f "$FLEET_ROOT/LAYOUT" ] && mkdir -p "$FLEET_ROOT/cache" 2>/dev/null; then
                printf '%s%s\n' "$_key" "$_said" 2>/dev/null >"$_file.$$" && mv -f "$_file.$$" "$_file"
            fi
            ;;
    esac
    printf '%s\n' "$_said"
}

probe_versions() {
    for _path in "$@"; do
        _line=
        _name=${_path##*/}
        case $_path in
            */cuda-*/bin/nvcc)
                _name=${_path%/bin/nvcc}
                _name=nvcc-${_name##*/cuda-}
                ;;
        esac
        case ${_path##*/} in
            cmake | ninja | cc | c++ | gcc* | g++* | clang* | nvcc | hipcc | hipconfig | icx | icpx | glslc | \
                pkg-config | ccache)
                _line=$(limited 10 "$_path" --version 2>/dev/null | sed -n '/[0-9]\.[0-9]/{p;q;}')
                ;;
        esac
        printf '%s\t%s\t%s\n' "$_name" "$_path" "$_line"
    done
}

probe_layout() { head -c 100 "$FLEET_ROOT/LAYOUT" 2>/dev/null || :; }

# each BUILD.json after a line with its folder's name
probe_builds() {
    for _file in "$FLEET_ROOT"/builds/*/BUILD.json; do
        [ -f "$_file" ] || continue
        _dir=${_file%/BUILD.json}
        printf 'build %s\n' "${_dir##*/}"
        head -c 32768 "$_file"
        echo
    done
}

# what each build said it can compute with, after a line with its folder's name
probe_devices() {
    for _file in "$FLEET_ROOT"/builds/*/says/devices.txt; do
        [ -f "$_file" ] || continue
        _dir=${_file%/says/devices.txt}
        printf 'build %s\n' "${_dir##*/}"
        head -n 64 "$_file" | head -c 8192
        echo
    done
}

probe_models() (
    cd "$FLEET_ROOT/models" 2>/dev/null || exit 0
    ls -lnL -- */model.gguf 2>/dev/null
    :
)

# models of several files: links to them under one name
probe_sets() (
    cd "$FLEET_ROOT/models/sets" 2>/dev/null || exit 0
    ls -lnL -- */model-*.gguf 2>/dev/null
    :
)

probe_parts() (
    cd "$FLEET_ROOT/parts" 2>/dev/null || exit 0
    ls -lnL -- *.part 2>/dev/null
    :
)

probe_sources() (
    cd "$FLEET_ROOT/sources" 2>/dev/null || exit 0
    ls -- *.tar.gz 2>/dev/null
    :
)

# ids of builds and models that a release names, whether it is current or not; those of further files
# stand in lists
probe_used() {
    for _file in "$FLEET_ROOT"/releases/*/*/RELEASE.json; do
        [ -f "$_file" ] || continue
        sed -n -e 's/^ "fingerprint": "\([0-9a-f]*\)".*/\1/p' -e 's/^ *"sha256": "\([0-9a-f]*\)".*/\1/p' \
            -e 's/^ *"\([0-9a-f]\{64\}\)",\{0,1\}$/\1/p' "$_file"
    done | sort -u
}

# job ID alive|ended EXIT|-
probe_jobs() {
    for _job in "$FLEET_ROOT"/jobs/*; do
        [ -d "$_job" ] || continue
        _state=ended
        if [ -r "$_job/pid" ]; then
            _pid=$(cat "$_job/pid")
            # shellcheck disable=SC2086
            is_alive $_pid && _state=alive
        fi
        _rc=-
        [ -r "$_job/rc" ] && read -r _rc <"$_job/rc"
        printf '%s %s %s\n' "${_job##*/}" "$_state" "${_rc:--}"
    done
}

probe_lock() {
    _highest=0
    for _lock in "$FLEET_ROOT"/lock/lock.*; do
        _generation=${_lock##*/lock.}
        case $_generation in '' | *[!0-9]*) continue ;; esac
        [ "$_generation" -gt "$_highest" ] && _highest=$_generation
    done
    [ "$_highest" -gt 0 ] || return 0
    _lock=$FLEET_ROOT/lock/lock.$_highest
    printf 'generation=%s\n' "$_highest"
    [ -r "$_lock/beat" ] && printf 'beat=%s\n' "$(cat "$_lock/beat")"
    if [ -e "$_lock/done" ]; then echo done=yes; else echo done=no; fi
    [ -r "$_lock/OWNER.json" ] && printf 'owner=%s\n' "$(tr '\n' ' ' <"$_lock/OWNER.json")"
    :
}

limited 5 true # learns how, once for all
section system probe_system
if is_here platform_sections; then
    platform_sections
    section tools probe_tools
    section libraries probe_libraries
    section layout probe_layout
    section builds probe_builds
    section devices probe_devices
    section models probe_models
    section sets probe_sets
    section parts probe_parts
    section sources probe_sources
    section used probe_used
    section jobs probe_jobs
    section lock probe_lock
    section instances fleet_instances
fi
printf '\n%s end\n' "$FLEET_NONCE"
