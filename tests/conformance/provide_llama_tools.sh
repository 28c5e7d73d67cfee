#!/usr/bin/env bash
# provide_llama_tools.sh FOLDER COMMAND...: llama-mtmd-cli and llama-server in FOLDER point at those below the folder that
# COMMAND prints.
set -euo pipefail
folder=$1; shift
prefix=$("$@")
for tool in llama-mtmd-cli llama-server; do
  ln -sfn "$prefix/bin/$tool" "$folder/$tool"
  "$folder/$tool" --help >/dev/null
done
