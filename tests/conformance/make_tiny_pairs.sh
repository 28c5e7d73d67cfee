#!/usr/bin/env bash
# make_tiny_pairs.sh FOLDER PYTHON COMMAND...: FOLDER holds a tiny pair of every family, written by random_model.py with
# the gguf-py that COMMAND prints a folder of. Without one it is no error: there are no pairs, and the tests that want
# them are skipped.
set -uo pipefail
folder=$1 python=$2; shift 2
rm -rf "$folder" "$folder.python"
if ! source=$("$@"); then
  echo "There are no tiny pairs: gguf-py, of llama.cpp's source, could not be had." \
       "Set SACCADE_LLAMA_SOURCE to a source tree."
  exit 0
fi
ln -sfn "$source" "$folder.python"   # for tests that use gguf-py themselves
program=$(dirname "$0")/../../samples/training/random_model.py
SACCADE_LLAMA_SOURCE=$source exec "$python" "$program" all --tiny --out "$folder"
