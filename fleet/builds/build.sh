# Make llama.cpp on this host, prove it, give it its final name.
# Variables: those of smoke.sh, TREE (id of the source), OPTIONS and TARGETS (one a line),
# CONFIGURED (hash of the recipe but its targets), RECORD (lines of BUILD.json), MEMORY (bytes a compiler may take), TOOLS (folders, as in PATH).
# Exit codes: 81 source, 82 configure, 83 compile, 84 wrong backend, 85 smoke test, 86 disk full,
# 87 another CPU, 88 another build is running, 75 another controller has taken over.
# shellcheck shell=sh disable=SC2154
set -u
cd "$FLEET_ROOT" || exit 1
mkdir -p builds work cache || fail 81 "cannot make folders in $FLEET_ROOT"
PATH="$PATH:$TOOLS"
newline='
'

# One build at a time: the path of the work is part of what the compiler sees.
if ! mkdir work/busy 2> /dev/null; then
    if read -r pid start boot < work/busy/pid 2> /dev/null && is_alive "$pid" "$start" "$boot"; then
        fail 88 "another build is running on this host" "wait for it, then run the same command again"
    fi
fi
busy=work/busy
printf '%s %s %s\n' "$$" "$(start_time "$$")" "$(boot_id)" > work/busy/pid
trap 'rm -rf "$busy"; exit 130' INT TERM HUP

rm -rf "$tmp"
mkdir -p "$tmp/bin" || fail 86 "cannot write in $FLEET_ROOT"

# Source, at a fixed path.
if [ "$(cat work/src/.tree 2> /dev/null)" != "$TREE" ]; then
    echo "unpacking the source"
    [ -f "sources/$TREE.tar.gz" ] || fail 81 "the source archive is not here: sources/$TREE.tar.gz"
    rm -rf work/src work/src.tmp
    mkdir work/src.tmp || fail 81 "cannot write in $FLEET_ROOT/work"
    gzip -dc "sources/$TREE.tar.gz" > work/src.tar || fail 81 "the source archive is damaged"
    (cd work/src.tmp && tar -xf ../src.tar) || fail 81 "the source archive cannot be unpacked"
    rm -f work/src.tar
    [ -f work/src.tmp/CMakeLists.txt ] || fail 81 "the source archive holds no CMakeLists.txt"
    printf '%s\n' "$TREE" > work/src.tmp/.tree
    mv work/src.tmp work/src || fail 81 "cannot write in $FLEET_ROOT/work"
fi

# Configure. What was configured for another recipe goes away: ccache makes that cheap.
generator="Unix Makefiles"
if command -v ninja > /dev/null 2>&1; then generator=Ninja; fi
if [ "$(cat work/build/.recipe 2> /dev/null)" != "$CONFIGURED $generator" ]; then
    rm -rf work/build
    mkdir work/build || fail 82 "cannot write in $FLEET_ROOT/work"
fi
CCACHE_BASEDIR=$FLEET_ROOT CCACHE_NOHASHDIR=1 NINJA_STATUS='[%f/%t] '
export CCACHE_BASEDIR CCACHE_NOHASHDIR NINJA_STATUS
# Words of the locale are part of ccache's hash: the same ones on every host.
unset LC_ALL LC_CTYPE LC_MESSAGES
LANG=C.UTF-8
export LANG
unset CFLAGS CXXFLAGS CPPFLAGS LDFLAGS MAKEFLAGS DESTDIR VERBOSE CLICOLOR_FORCE
ifs=$IFS
IFS=$newline
set -f
set --
for option in $OPTIONS; do set -- "$@" "-D$option"; done
# Libraries are found beside the program, wherever the folder lies, and have one name each.
case "$newline$OPTIONS$newline" in
    *"${newline}BUILD_SHARED_LIBS=ON$newline"*)
        beside="\$ORIGIN"
        [ "$os" != Darwin ] || beside=@loader_path
        set -- "$@" -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON "-DCMAKE_INSTALL_RPATH=$beside" \
            -DCMAKE_PLATFORM_NO_VERSIONED_SONAME=ON
        ;;
esac
echo "configuring with $generator"
nice -n 10 cmake -S work/src -B work/build -G "$generator" "$@" 2>&1
rc=$?
[ "$rc" -eq 0 ] || { rm -f work/build/CMakeCache.txt; fail 82 "cmake ended with exit code $rc"; }
printf '%s\n' "$CONFIGURED $generator" > work/build/.recipe
# An option that llama.cpp does not know is kept without a type and changes nothing.
for option in $OPTIONS; do
    case $option in
        GGML_*=ON | GGML_*=OFF)
            grep -q "^${option%%=*}:BOOL=${option#*=}\$" work/build/CMakeCache.txt ||
                fail 84 "cmake did not take $option: $(grep "^${option%%=*}:" work/build/CMakeCache.txt)"
            ;;
    esac
done

# A tree that is older than one of the lesser tools is built without it.
known=$(cmake --build work/build --target help 2> /dev/null)
made=
for target in $TARGETS; do
    case "$newline$known$newline" in
        "$newline$newline" | *"$newline$target: "* | *"... $target$newline"*) ;;
        *)
            case $target in
                llama-server | llama-bench) fail 83 "this source has no $target" ;;
            esac
            echo "this source has no $target"
            continue
            ;;
    esac
    made="$made${made:+$newline}$target"
done

# Compile, politely: as many at once as memory allows.
cores=$(getconf _NPROCESSORS_ONLN 2> /dev/null || nproc 2> /dev/null || sysctl -n hw.ncpu 2> /dev/null || echo 1)
free=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo 2> /dev/null)
if [ -n "$free" ]; then
    free=$((free / 1024))
else
    free=$(($(sysctl -n hw.memsize 2> /dev/null || echo 4294967296) / 2097152))
fi
jobs=$((free / (MEMORY / 1048576)))
[ "$jobs" -le "$cores" ] || jobs=$cores
[ "$jobs" -ge 1 ] || jobs=1
echo "compiling with $jobs at once ($cores cores, $free MiB of memory free)"
# shellcheck disable=SC2086
nice -n 10 cmake --build work/build --target $made -- -j "$jobs" 2>&1
rc=$?
[ "$rc" -eq 0 ] || fail 83 "the compiler failed (exit code $rc)"

# Prove, describe, publish.
for target in $made; do
    cp "work/build/bin/$target" "$tmp/bin/$target" || fail 83 "there is no $target after the build"
done
set +f
IFS=$ifs
for library in work/build/bin/*.so work/build/bin/*.dylib; do
    [ -f "$library" ] || continue
    cp "$library" "$tmp/bin/" || fail 86 "cannot write in $FLEET_ROOT"
done
smoke
described
released
rm -rf "$busy"
