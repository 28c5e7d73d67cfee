#!/usr/bin/env bash
# Draws docs/images/annotated.png: the picture at second 24 of the rendered clip, as pipelines/annotate-to-file.launch
# writes it. Needs what samples/demo.sh has set up; run from anywhere.
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
