#!/bin/sh
# Make this folder ready: setup.sh setup|demo|test|check
# A virtual environment in .venv with fleet in it, and the programs of the system that the
# purpose needs: installed on Debian when root, else named in one line. Quiet and quick when
# nothing is missing. Writes to stderr only; stdout belongs to what comes after.
set -eu
exec 1>&2
purpose=${1:-setup}
cd "$(dirname "$0")/.."
case $purpose in
  setup) extras= ;;
  demo | test | check) extras="[$purpose]" ;;
  *) echo "setup: no purpose called '$purpose'; one of: setup, demo, test, check" && exit 2 ;;
esac

say() { echo "setup: $*"; }
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }
is_root() { [ "$(id -u)" = 0 ]; }
is_debian() { [ -e /etc/debian_version ] && has apt-get; }

# ---- programs: `needed` must be there, `wanted` only lets more tests run

needed='' wanted=''
need() { needed="$needed $1"; }
want() { wanted="$wanted $1"; }

compiler() {
  if [ "$(uname -s)" = Darwin ]; then
    xcode-select -p >/dev/null 2>&1 || need g++
  else
    has c++ || has g++ || has clang++ || need g++
  fi
}

vulkan() { # a Vulkan device that is no GPU, for the tests that want it refused; Debian's names
  has vulkaninfo || want vulkan-tools
  set -- /usr/share/vulkan/icd.d/lvp_icd*.json
  [ -e "$1" ] || want mesa-vulkan-drivers
}

rig() { # what hosts of their own need; Debian's names
  has sshd || want openssh-server
  has ssh-keygen || want openssh-client
  [ -e /usr/lib/openssh/sftp-server ] || want openssh-sftp-server
  has ip || want iproute2
  has nsenter || want util-linux
  has mkfs.ext4 || want e2fsprogs
  has ps || want procps
  [ -x /lib/systemd/systemd ] || want systemd
  has dbus-daemon || want dbus
  [ -e /usr/lib/systemd/user/dbus.socket ] || want dbus-user-session
  set -- /lib/*/security/pam_systemd.so
  [ -e "$1" ] || want libpam-systemd
  [ -d /usr/lib/polkit-1 ] || want polkitd
}

case $purpose in
  demo) compiler ;;
  test)
    compiler
    has git || need git
    has ssh-keygen || need openssh-client
    for tool in tmux zsh busybox shellcheck ccache; do
      has "$tool" || want "$tool"
    done
    [ "$(uname -s)" = Linux ] && vulkan
    [ "$(uname -s)" = Linux ] && is_root && rig
    ;;
esac

# ---- whether the virtual environment is as pyproject.toml wants it

stamp=.venv/.ready-$purpose
want_stamp="$(pwd) $(cksum <pyproject.toml)"
is_current() {
  [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$want_stamp" ] && .venv/bin/python -c '' 2>/dev/null
}
current=
is_current && current=yes

# ---- python 3.11 or newer, with venv

is_new() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }
find_python() { # the first that is new enough and has venv, else the first that is new enough
  python=
  for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python3.15 \
    /opt/homebrew/bin/python3 /usr/local/bin/python3; do
    if has "$candidate" && is_new "$candidate"; then
      [ -n "$python" ] || python=$candidate
      has_venv "$candidate" && python=$candidate && return
    fi
  done
}
if [ -z "$current" ]; then
  find_python
  [ -n "$python" ] || need python3
  { [ -n "$python" ] && has_venv "$python"; } || need python3-venv
fi

# ---- install what is missing, or name it

apt_install() {
  say "installing$*"
  # no package may start its service now: this machine did not ask for an SSH server
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nkill -0 %s 2>/dev/null && exit 101\nexit 0\n' "$$" >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' HUP INT TERM
  fi
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # shellcheck disable=SC2048,SC2086 # a list of plain names
  if ! { apt-get update -q && apt-get install -q -y --no-install-recommends $*; } >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log"
    rm -f "$log"
    say "apt-get could not install:$*"
    return 1
  fi
  rm -f "$log"
}

remedy() { # how to get what is missing, here
  case $(uname -s) in
    Darwin)
      case " $* " in *" g++ "*) echo "xcode-select --install" && return ;; esac
      case " $* " in *" python3 "*) echo "brew install python" && return ;; esac
      echo "brew install $*"
      ;;
    *) if is_debian; then echo "sudo apt-get install $*"; else echo "your package manager (these are Debian's names)"; fi ;;
  esac
}

if [ -n "$needed" ] || { [ -n "$wanted" ] && is_root; }; then
  if is_debian && is_root; then
    # a Debian may lack what is only wanted
    apt_install "$needed$wanted" || [ -z "$needed" ] || apt_install "$needed"
    [ -n "$current" ] || find_python
    if [ -z "$current" ] && { [ -z "$python" ] || ! has_venv "$python"; }; then
      say "needs Python 3.11 or newer with its venv module"
      say "-> next: PYTHON=/path/to/python3.11 make $purpose"
      exit 1
    fi
  elif [ -n "$needed" ]; then
    # shellcheck disable=SC2086
    say "missing:$needed"
    # shellcheck disable=SC2086
    say "-> next: $(remedy $needed)"
    exit 1
  fi
fi
# shellcheck disable=SC2086
if [ -n "$wanted" ] && ! is_root; then
  say "not here, so a few tests are left out:$wanted ($(remedy $wanted))"
fi

# ---- the virtual environment

[ -z "$current" ] || exit 0
if [ ! -w . ] || { [ -e .venv ] && [ ! -w .venv ]; }; then
  say "cannot write $(pwd)/.venv"
  say "-> next: chown -R $(id -un) $(pwd)/.venv, or work in a copy of the folder"
  exit 1
fi
if [ -e .venv ] && ! .venv/bin/python -c 'import pip' 2>/dev/null; then
  say "renewing .venv"
  rm -rf .venv
fi
say "installing fleet$extras into .venv"
[ -e .venv ] || "$python" -m venv .venv
PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install -q --no-input --editable ".$extras" </dev/null
printf '%s\n' "$want_stamp" >"$stamp"
