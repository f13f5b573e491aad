# What a GPU backend is compiled with beside its compiler, and where that was looked for. Asks the file system only.
# shellcheck shell=sh disable=SC2154

# NAME=FILE for the first that exists; a pattern may stand for it.
library() {
    _name=$1
    shift
    for _file in "$@"; do
        if [ -e "$_file" ]; then
            printf '%s=%s\n' "$_name" "$_file"
            return 0
        fi
    done
    return 1
}

# beside NAME HEADER LIBRARY: both under one of the places in $_includes and $_libs; a compiler needs the two.
beside() {
    for _dir in $_includes; do
        [ -e "$_dir/$2" ] || continue
        for _lib in $_libs; do
            for _file in "$_lib/$3".so "$_lib/$3"_static.a "$_lib/$3".a "$_lib/$3".dylib; do
                [ -e "$_file" ] && printf '%s=%s\n' "$1" "$_file" && return 0
            done
        done
    done
    return 1
}

# Patterns stay what they are where nothing matches them; paths with spaces hold no toolkit.
# shellcheck disable=SC2086
probe_libraries() (
    _system_includes="/usr/include /usr/local/include"
    _system_libs="/usr/lib64 /usr/lib/*-linux-gnu* /usr/lib /usr/local/lib /lib64 /lib"
    if [ "$os" = Darwin ]; then
        _system_includes="/usr/local/include /opt/homebrew/include" _system_libs="/usr/local/lib /opt/homebrew/lib"
    fi

    # The toolkit that nvcc on the PATH belongs to comes first.
    _nvcc=$(command -v nvcc) || _nvcc=
    case $_nvcc in */bin/nvcc) _nvcc=$(cd "${_nvcc%/nvcc}/.." && pwd -P) || _nvcc= ;; *) _nvcc= ;; esac
    case $_nvcc in /usr | /usr/local) _nvcc= ;; esac
    _cuda="${CUDA_HOME:-} ${CUDA_PATH:-} $_nvcc /usr/local/cuda /opt/cuda /usr/local/cuda-[0-9]*.[0-9]*"
    _includes='' _libs=''
    for _dir in $_cuda; do
        _includes="$_includes $_dir/include $_dir/targets/*/include"
        _libs="$_libs $_dir/lib64 $_dir/targets/*/lib $_dir/lib"
    done
    _includes="$_includes $_system_includes" _libs="$_libs $_system_libs"
    beside cudart cuda_runtime.h libcudart
    beside cublas cublas_v2.h libcublas
    library libcuda /usr/lib/wsl/lib/libcuda.so.1 /usr/lib/*-linux-gnu/libcuda.so.1 /usr/lib64/libcuda.so.1 \
        /usr/lib/libcuda.so.1 /usr/lib/*-linux-gnu/nvidia/libcuda.so.1 /usr/lib/*-linux-gnu/tegra/libcuda.so.1 \
        /usr/local/nvidia/lib64/libcuda.so.1 /run/opengl-driver/lib/libcuda.so.1

    _rocm="${ROCM_PATH:-} /opt/rocm /opt/rocm-[0-9]*"
    _includes='' _libs=''
    for _dir in $_rocm; do
        _includes="$_includes $_dir/include" _libs="$_libs $_dir/lib $_dir/lib64"
    done
    _includes="$_includes $_system_includes" _libs="$_libs $_system_libs"
    beside hipblas hipblas/hipblas.h libhipblas
    beside rocblas rocblas/rocblas.h librocblas

    _sdk=${VULKAN_SDK:-}
    _includes="$_system_includes" _libs="$_system_libs"
    [ -z "$_sdk" ] || _includes="$_sdk/include $_includes" _libs="$_sdk/lib $_libs"
    beside vulkan vulkan/vulkan.h libvulkan
    beside opencl CL/cl.h libOpenCL
    for _dir in $_includes; do
        library spirv-headers "$_dir/spirv/unified1/spirv.hpp" "$_dir/spirv/unified1/spirv.h" && break
    done

    _oneapi="${ONEAPI_ROOT:-} /opt/intel/oneapi $HOME/intel/oneapi"
    for _dir in $_oneapi; do library oneapi "$_dir/setvars.sh" && break; done
    _includes="${MKLROOT:-}/include" _libs="${MKLROOT:-}/lib"
    for _dir in $_oneapi; do
        _includes="$_includes $_dir/mkl/latest/include" _libs="$_libs $_dir/mkl/latest/lib $_dir/mkl/latest/lib/intel64"
    done
    _includes="$_includes /usr/include /usr/include/mkl" _libs="$_libs $_system_libs"
    beside mkl mkl.h libmkl_core || beside mkl mkl.h libmkl_rt

    # As they were written, so that one sees what would have matched.
    set -f
    for _dir in $_cuda $_rocm $_oneapi $_sdk $_system_includes $_system_libs; do
        printf 'searched=%s\n' "$_dir"
    done
)
