# After end.sh: the job's own notes are of no use any more.
# shellcheck shell=sh disable=SC2154
rm -f "$dir/pulled" "$dir/chunks" "$dir/said"
