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

compiler() { has c++ || has g++ || has clang++ || need g++; }

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
  [ -e /usr/share/polkit-1 ] && [ -d /usr/lib/polkit-1 ] || want polkitd
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
    [ "$(uname -s)" = Linux ] && is_root && rig
    ;;
esac

# ---- python 3.11 or newer, with venv

is_new() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
python=
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python3.15 \
  /opt/homebrew/bin/python3 /usr/local/bin/python3; do
  if has "$candidate" && is_new "$candidate"; then
    python=$candidate
    break
  fi
done
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }
if [ -z "$python" ]; then
  need python3
  need python3-venv
elif ! has_venv "$python"; then
  # Debian splits venv off; another build of the same python has it in a package of that version
  need "python3-venv"
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
    apt_install "$needed$wanted" || [ -z "$needed" ]
    [ -n "$python" ] || python=python3
    is_new "$python" || { say "needs Python 3.11 or newer; set PYTHON to one" && exit 1; }
    has_venv "$python" || { say "$python has no venv module; set PYTHON to one that has" && exit 1; }
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

# `pip install` is skipped while what it depends on is as it was
is_current() {
  [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$want_stamp" ] && .venv/bin/python -c '' 2>/dev/null
}
stamp=.venv/.ready-$purpose
want_stamp="$(pwd) $(cksum <pyproject.toml)"
if is_current; then
  exit 0
fi
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
