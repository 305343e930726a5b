# Sourced by the scripts beside it. set_up [--dev] makes or mends the environment and names its interpreter in $python.

root="$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")"
export PYTHONUTF8=1 # Romanian letters, whatever the terminal or the pipe

set_up() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            "$candidate" "$root/scripts/setup_env.py" "$@"
            python="$root/.venv/bin/python"
            [ -x "$python" ] || python="$root/.venv/Scripts/python.exe" # Git Bash on Windows
            return
        fi
    done
    echo "set-up: no Python 3.11 or newer was found. Install one (Debian: apt-get install python3-venv) and try again." >&2
    return 1
}
