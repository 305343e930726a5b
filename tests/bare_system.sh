#!/usr/bin/env bash
# A machine with nothing on it: Debian's base system, python3, python3-venv and git, made in a temporary folder.
#
#   tests/bare_system.sh SUITE WHAT...     SUITE: bookworm (Python 3.11) or trixie (Python 3.13)
#
# WHAT is what tests/bare_system.py does in it (demo, again, tests, conditions), or `shell`, to look around.
# Needs root, debootstrap and git; takes the last commit. PIP_CACHE_DIR, where it is set, keeps what pip downloads;
# BARE_ROOT, where it is set, names a folder for the system that is kept and used again.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

main() {
    local suite="$1" root cache
    folder="$(mktemp -d)" child=""
    trap 'if [ "$child" ]; then kill -KILL "$child" 2>/dev/null || true; wait; fi; rm -rf --one-file-system "$folder"' EXIT
    root="${BARE_ROOT:-$folder/root}" cache="${PIP_CACHE_DIR:-$folder/pip}"
    if [ ! -e "$root/src" ]; then
        debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv,git "$suite" "$root" \
            >"$folder/log" 2>&1 || { tail -n 20 "$folder/log" >&2; return 1; }
        git init -q "$root/src"
    fi
    git -C "$root/src" fetch -q --update-shallow "$PWD" HEAD
    git -C "$root/src" reset -q --hard FETCH_HEAD
    echo "bare $suite: made in $SECONDS s"
    # What is mounted is mounted for these processes alone, and they end with this one, whoever is killed and how: in the
    # folder that is removed at the end nothing is ever mounted.
    setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child \
        bash tests/bare_system.sh --inside "$root" "$cache" "${@:2}" <&0 &
    child=$!
    wait "$child"
}

inside() {
    local root="$1" cache="$2" given=() line
    mkdir -p "$cache" "$root/var/cache/pip"
    mount --bind "$cache" "$root/var/cache/pip"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    # What the network of this machine needs, and where it keeps a torch of its own.
    for path in /etc/ssl/certs /opt /etc/xdg/pip; do
        if [ -d "$path" ]; then
            mkdir -p "$root$path"
            mount --bind "$path" "$root$path"
        fi
    done
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
    while IFS= read -r -d '' line; do
        case "${line%%=*}" in PIP_CACHE_DIR) ;; PIP_* | SSL_CERT* | *_proxy | *_PROXY) given+=("$line") ;; esac
    done < <(env -0)
    given+=(HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin PIP_CACHE_DIR=/var/cache/pip)
    if [ "$3" = shell ]; then
        chroot "$root" env -i "${given[@]}" TERM="${TERM:-dumb}" bash
    else
        chroot "$root" env -i "${given[@]}" python3 /src/tests/bare_system.py "${@:3}"
    fi
}

case "${1:-}" in
    --inside) inside "${@:2}" ;;
    bookworm | trixie) main "$@" ;;
    *) sed -n '2,9s/^# \{0,1\}//p' tests/bare_system.sh >&2 && exit 2 ;;
esac
