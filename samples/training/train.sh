#!/bin/sh
# From nothing to the model's files and card in one command, resumable at any point:
#   SACCADE_LLAMA_SOURCE=llama.cpp LLAMA_MTMD_CLI=llama-mtmd-cli sh samples/training/train.sh [minutes] [folder]
# Needs Debian's python3-torch, python3-numpy and python3-opencv, two cores and about 3 GB of memory.
# Debian's reference BLAS makes the scoring (full precision) ten times slower than libopenblas0 does; training runs in bf16
# through oneDNN and does not mind.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
minutes=${1:-90}
out=${2:-$here/../../build/training}
models=$here/../models
python=${PYTHON:-/usr/bin/python3}

"$python" "$here/train.py" --minutes "$minutes" --out "$out"
"$python" "$here/export_gguf.py" --checkpoint "$out/checkpoint.pt" --out "$models"
rm -f "$out/scores.json"
"$python" "$here/../scenes/clip.py" --out "$out"
"$python" "$here/evaluate.py" --checkpoint "$out/checkpoint.pt" --models "$models" --images 500 --clip "$out" \
    ${LLAMA_MTMD_CLI:+--cli "$LLAMA_MTMD_CLI" --agreement 60} --json "$out/scores.json"
"$python" "$here/card.py" --checkpoint "$out/checkpoint.pt" --scores "$out/scores.json" --models "$models"
