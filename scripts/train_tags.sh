#!/usr/bin/env bash
# get-tags train, with the arguments given; without any, the wizard. Makes the environment on first use.
set -euo pipefail
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/set_up.sh"

set_up
# -P: a datasets or tokenizers folder where the user stands must not be taken for the library.
exec "$python" -P -m get_tags_train train "$@"
