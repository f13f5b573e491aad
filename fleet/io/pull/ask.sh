# After fetch.sh: whether this host reaches a file, and what its server says about it; nothing is kept.
# Prints `tool NAME`, and then the answer's head.
# shellcheck shell=sh disable=SC2154

tool=$(fetcher) || exit 127
echo "tool $tool"
ask "$tool"
