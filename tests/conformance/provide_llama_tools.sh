#!/usr/bin/env bash
# provide_mtmd_cli.sh LINK COMMAND...: LINK points at the llama-mtmd-cli below the folder that COMMAND prints.
set -euo pipefail
link=$1; shift
prefix=$("$@")
ln -sfn "$prefix/bin/llama-mtmd-cli" "$link"
"$link" --help >/dev/null
