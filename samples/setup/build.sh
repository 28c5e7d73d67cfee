# shellcheck shell=bash disable=SC2154,SC2086,SC2206,SC2207,SC1090,SC1091
# Configuring and building the project with one of CMakePresets.json.

# configure_project PRESET [CMAKE OPTION...]: build/PRESET is configured, and llama.cpp built in its cache if it was not.
configure_project() {
  local folder=$project/build/$1 preset=$1; shift
  require_writable "$folder" "the build"
  # llama.cpp's source and build, and our own
  [[ -e $folder/build.ninja ]] || require_space "$folder" 2000 "the build"
  # Configuring again takes a second or two and notices a cache that was moved or emptied since.
  say "configuring build/$preset"
  (cd "$project" && cmake --preset "$preset" "$@" >"$folder/configure.log") || {
    tail -n 20 "$folder/configure.log" >&2
    fail "build/$preset could not be configured; the cause stands above (log: $folder/configure.log)."
  }
}

# build_project PRESET TARGET...: the targets are built in build/PRESET.
build_project() {
  local folder=$project/build/$1 preset=$1; shift
  say "building build/$preset with $(nproc) jobs"
  cmake --build "$folder" --target "$@" || fail "build/$preset could not be built; the compiler's words stand above."
}
