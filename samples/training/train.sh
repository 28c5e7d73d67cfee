#!/bin/sh
# From nothing to a model's files and card in one command, resumable at any point:
#   SACCADE_LLAMA_SOURCE=llama.cpp LLAMA_MTMD_CLI=llama-mtmd-cli sh samples/training/train.sh edge [minutes] [folder]
#   SACCADE_LLAMA_SOURCE=llama.cpp LLAMA_MTMD_CLI=llama-mtmd-cli sh samples/training/train.sh cloud [minutes] [folder]
# The cloud model starts from the edge model's weights, so edge comes first; a run takes both cores of a
# two-core machine and about 6 GB of memory, or a GPU if PyTorch finds one.
# Needs Debian's python3-torch, python3-numpy, python3-opencv and python3-matplotlib. With libopenblas0 scoring (full
# precision) is quicker than with the reference BLAS; training runs in bf16 through oneDNN and does not mind.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
model=${1:?edge or cloud}
runs=${3:-$here/../../build/training}
out=$runs/$model
models=$here/../models
python=${PYTHON:-/usr/bin/python3}

case $model in
edge) set -- --minutes "${2:-150}" --practice 0.08 ;;
cloud) set -- --minutes "${2:-180}" --practice 0.45 --practice-minutes 30 --replay 0.5 --from "$runs/edge/checkpoint.pt" ;;
*) echo "train.sh: there is no model $model; say edge or cloud." >&2; exit 2 ;;
esac
mkdir -p "$out"
if [ "$model" = cloud ]; then   # one tokenizer for both
    cp "$runs/edge/tokenizer.json" "$out/tokenizer.json"
fi
"$python" "$here/train.py" --model "$model" --out "$out" "$@"
"$python" "$here/export_gguf.py" --checkpoint "$out/checkpoint.pt" --out "$models"
rm -f "$out/scores.json"
"$python" "$here/evaluate.py" --checkpoint "$out/checkpoint.pt" --models "$models" --scenes 300 \
    ${LLAMA_MTMD_CLI:+--cli "$LLAMA_MTMD_CLI" --agreement 60} --json "$out/scores.json"
"$python" "$here/curves.py" --run "$out" --name "saccade-$model" --out "$models/saccade-$model-curves.png"
"$python" "$here/calibrate.py" --model "$model" --models "$models" --out "$out"   # needs GST_PLUGIN_PATH
"$python" "$here/card.py" --run "$out" --models "$models"
