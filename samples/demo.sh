#!/usr/bin/env bash
# Installs what is missing, builds, and answers a video stream with the model that ships with the project.
#
#   samples/demo.sh                 a rendered street, 60 s: every answer is judged against what was drawn
#   samples/demo.sh --cctv          a real clip, pedestrians seen by a fixed camera: no accuracy is claimed
#   samples/demo.sh OPTION...       your own clip and questions; 'samples/demo.sh --help' lists saccade-demo's options
#
# Runs from anywhere, and again without harm. SACCADE_CACHE names the folder of the llama.cpp build.
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$project/samples/setup/setup.sh"

set_up libraries build libraries run
configure_project release -DSACCADE_TESTS=OFF
build_project release saccade-demo gstsaccade

if (($# == 0)); then
  render_street_clip
  set -- --clip "$project/build/clips/street60.avi" --timeline "$project/build/clips/street60.json"
elif [[ $1 == --cctv ]]; then
  shift
  fetch_cctv_clip
  set -- --clip "$project/build/clips/vtest.avi" --prompt "How many people are there?" "$@"
fi
export GST_PLUGIN_PATH=$project/build/release/gst-plugins${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
export SACCADE_MODELS=${SACCADE_MODELS:-$project/samples/models}
exec "$project/build/release/samples/demo/saccade-demo" "$@"
