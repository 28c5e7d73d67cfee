#!/usr/bin/env bash
# Installs what is missing, builds, and answers a video stream with the model that ships with the project.
#
#   samples/demo.sh [OPTION OF saccade-demo...]
#
# Runs from anywhere, and again without harm. SACCADE_CACHE names the folder of the llama.cpp build.
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$project/samples/setup/setup.sh"

set_up libraries build libraries run
configure_project release -DSACCADE_TESTS=OFF
build_project release saccade-demo gstsaccade

export GST_PLUGIN_PATH=$project/build/release/gst-plugins${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}
export SACCADE_MODELS=${SACCADE_MODELS:-$project/samples/models}
exec "$project/build/release/samples/demo/saccade-demo" "$@"
