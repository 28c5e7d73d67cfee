#!/usr/bin/env bash
# Draws docs/images/annotated.png: the picture at second 24 of the rendered clip, as pipelines/annotate-to-file.launch
# writes it; and masoverlay.png, a moment of the same clip with what the gate found. Needs what samples/demo.sh has
# set up; run from anywhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export GST_PLUGIN_PATH=${GST_PLUGIN_PATH:-$PWD/build/release/gst-plugins}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2046
gst-launch-1.0 -q $(sed "s|annotated.avi|$work/annotated.avi|" pipelines/annotate-to-file.launch)
gst-launch-1.0 -q filesrc location="$work/annotated.avi" ! avidemux ! jpegdec ! videorate ! video/x-raw,framerate=1/24 \
  ! identity eos-after=2 ! videoconvert ! pngenc compression-level=9 ! multifilesink location="$work/%d.png"
mv "$work/1.png" docs/images/annotated.png

pair="model=samples/models/saccade-edge-text.gguf mmproj=samples/models/saccade-edge-mmproj.gguf"
# shellcheck disable=SC2086
gst-launch-1.0 -q filesrc location=build/clips/street60.avi ! decodebin ! videorate ! video/x-raw,framerate=2/1 \
  ! masgate rows=12 columns=12 ! tee name=seen \
  seen. ! queue max-size-time=0 ! localmllm $pair prompt="Describe the scene." ! overlay.text \
  seen. ! queue max-size-time=0 ! identity sleep-time=300000 ! masoverlay name=overlay ! videoconvert ! identity eos-after=27 \
  ! pngenc compression-level=9 ! multifilesink location="$work/gate%d.png"
mv "$work/gate25.png" docs/images/masoverlay.png
