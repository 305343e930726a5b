# Sourced by the scripts beside it. set_up [--dev] makes or mends the environment and names its interpreter in $python.

root="$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")"
export PYTHONUTF8=1 # Romanian letters, whatever the terminal or the pipe

set_up() {
    local candidate other
    # Debian's python3.X without python3.X-venv cannot make environments, so another comes first; where there is no
    # other, setup_env.py says which package to install.
    for other in ensurepip sys; do
        for candidate in python3.14 python3.13 python3.12 python3.11 python3 python; do
            if "$candidate" -c "import $other, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))" >/dev/null 2>&1; then
                "$candidate" "$root/scripts/setup_env.py" "$@"
                python="$root/.venv/bin/python"
                [ -x "$python" ] || python="$root/.venv/Scripts/python.exe" # Git Bash on Windows
                return
            fi
        done
    done
    no_python
}

no_python() {
    local candidate version found=""
    for candidate in python3.16 python3.15 python3.10 python3.9 python3 python; do
        if version="$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"; then
            found="$found${found:+, }$candidate ($version)"
        fi
    done
    {
        echo "set-up: Python 3.11, 3.12, 3.13 or 3.14 is needed. ${found:+Found: $found. }PyTorch has no packages for newer ones yet, get-tags needs 3.11."
        echo "set-up: Install one (Debian: apt-get install python3-venv; macOS: brew install python@3.13) and run the same command again."
        echo "instalare: Este nevoie de Python 3.11, 3.12, 3.13 sau 3.14. ${found:+Există: $found. }PyTorch nu are încă pachete pentru altele mai noi."
        echo "instalare: Instalați unul (Debian: apt-get install python3-venv; macOS: brew install python@3.13) și rulați din nou aceeași comandă."
    } >&2
    return 1
}
