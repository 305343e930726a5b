#!/usr/bin/env bash
# All checks, as CI runs them: scripts/check.py, with the development tools. Arguments go to pytest.
set -euo pipefail
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/set_up.sh"

set_up --dev
exec "$python" "$root/scripts/check.py" "$@"
