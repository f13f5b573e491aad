# GGUF files that other programs keep on a host. Bounded: such a folder may hold anything, and many of it.
# Environment: HOME, FLEET_FOLDERS (further folders, one a line). Prints lines of `ls -lniL`, and `ollama SHA256 NAME`.
# shellcheck shell=sh
LC_ALL=C
export LC_ALL
left=200     # files that are told
looked=20000 # names that are looked at
nl='
'

# tell FILE...: those that are files and can be read. A name with control characters is left alone: no line holds it.
tell() {
    list=
    for file in "$@"; do
        [ "$left" -gt 0 ] && [ "$looked" -gt 0 ] || break
        looked=$((looked - 1))
        case $file in *[[:cntrl:]]*) continue ;; esac
        # a pipe or a device that is called so is no file, a link that leads in a circle neither
        [ -f "$file" ] && [ -r "$file" ] || continue
        left=$((left - 1))
        list=$list$file$nl
    done
    [ -n "$list" ] || return 0
    (
        set -f
        IFS=$nl
        # shellcheck disable=SC2086
        ls -lniL -- $list 2>/dev/null
    )
}

# ollama FOLDER: what its manifests call a model; its blobs have no other name than their hash
ollama() {
    for manifest in "$1"/manifests/*/*/*/*; do
        [ "$left" -gt 0 ] && [ "$looked" -gt 0 ] || break
        looked=$((looked - 20))
        case $manifest in *[[:cntrl:]]*) continue ;; esac
        [ -f "$manifest" ] && [ -r "$manifest" ] || continue
        sum=$(head -c 16384 "$manifest" | tr -d ' \n\r\t' | sed -n \
            's/.*"application\/vnd\.ollama\.image\.model","digest":"sha256:\([0-9a-f]*\)".*/\1/p')
        [ "${#sum}" -eq 64 ] && [ -f "$1/blobs/sha256-$sum" ] || continue
        printf 'ollama %s %s\n' "$sum" "${manifest#"$1"/manifests/}"
        tell "$1/blobs/sha256-$sum"
    done
}

cache=${XDG_CACHE_HOME:-$HOME/.cache}
hub=${HF_HUB_CACHE:-${HF_HOME:-$cache/huggingface}/hub}
tell "$hub"/models--*/snapshots/*/*.gguf
tell "$hub"/models--*/snapshots/*/*/*.gguf
tell "$HOME"/.lmstudio/models/*/*/*.gguf "$cache"/lm-studio/models/*/*/*.gguf
tell "${LLAMA_CACHE:-$cache/llama.cpp}"/*.gguf "$HOME"/Library/Caches/llama.cpp/*.gguf
ollama "${OLLAMA_MODELS:-$HOME/.ollama/models}"
ollama /usr/share/ollama/.ollama/models
printf '%s\n' "${FLEET_FOLDERS:-}" | while IFS= read -r folder; do
    case $folder in
        '') continue ;;
        \~/*) folder=$HOME/${folder#??} ;;
    esac
    tell "$folder"/*.gguf
    tell "$folder"/*/*.gguf
    tell "$folder"/*/*/*.gguf
    [ ! -d "$folder/manifests" ] || ollama "$folder"
done
:
