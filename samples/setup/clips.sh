# shellcheck shell=bash disable=SC2154
# The clips that the demo, the pipelines and their tests watch, in build/clips.

# render_street_clip: build/clips/street60.avi and its truth, street60.json, are what samples/scenes draws now.
render_street_clip() {
  local clips=$project/build/clips drawn
  drawn=$(cat "$project"/samples/scenes/*.py | sha256sum)
  [[ -e $clips/street60.avi && -e $clips/street60.json && $(cat "$clips/drawn-by" 2>/dev/null) == "$drawn" ]] && return
  install_packages render
  require_writable "$clips" "the rendered clip"
  require_space "$clips" 100 "the rendered clip"
  rm -f "$clips/drawn-by"
  run_quietly "rendering the clip" "$clips/render.log" \
    /usr/bin/python3 "$project/samples/scenes/clip.py" --out "$clips" ||
    { tail -n 5 "$clips/render.log" >&2; fail "the clip could not be rendered, see above (log: $clips/render.log)."; }
  echo "$drawn" >"$clips/drawn-by"
}

# fetch_cctv_clip: build/clips/vtest.avi is there, pedestrians seen by a fixed camera, from Debian's opencv-doc.
# The package is unpacked and not installed: of its 270 MB the clip is 8.
fetch_cctv_clip() {
  local clips=$project/build/clips work
  [[ -e $clips/vtest.avi ]] && return
  command -v apt-get >/dev/null || fail "there is no apt-get on this system, which fetches vtest.avi (Debian's package opencv-doc)."
  require_writable "$clips" "the clip vtest.avi"
  require_space "$clips" 300 "fetching vtest.avi"
  work=$(mktemp -d "$clips/fetch.XXXXXX")
  say "fetching vtest.avi out of Debian's package opencv-doc (96 MB)"
  (cd "$work" && run_quietly "fetching" "$work/log" apt-get download -q opencv-doc) ||
    { tail -n 3 "$work/log" >&2; rm -rf "$work"; fail "opencv-doc could not be fetched. Is there a network? 'apt-get update' may help."; }
  dpkg-deb --fsys-tarfile "$work"/opencv-doc_*.deb |
    tar -x -C "$work" --strip-components=7 ./usr/share/doc/opencv-doc/examples/data/vtest.avi
  mv "$work/vtest.avi" "$clips/" && rm -rf "$work"
}
