#!/usr/bin/env bash
# Builds llama.cpp once into a cache and prints the folder that holds its lib/, include/ and bin/.
#
#   provide_llama.sh libraries [CMAKE OPTION...]   libllama, libmtmd, ggml
#   provide_llama.sh tools [CMAKE OPTION...]       the same, llama-mtmd-cli and llama-server, which only tests and the
#                                                  evaluation need
#   provide_llama.sh python                        prints a folder that holds gguf-py, which writes GGUF files;
#                                                  builds nothing
#   provide_llama.sh at-hand libraries|tools [CMAKE OPTION...]
#                                                  builds nothing; true when nothing need be fetched for that
#
# Environment: CC, CXX; SACCADE_LLAMA_SOURCE, a source tree to use in place of the pinned release;
# SACCADE_CACHE, the cache's folder (default ~/.cache/saccade, or below XDG_CACHE_HOME).
# The cache's key is the source, the options, the compiler and the CPU, so a cache may be shared or moved.
# An interrupted build goes on where it stopped: the finished folder appears by one rename, at the end.
set -euo pipefail

# The pinned source release: an npm package that carries llama.cpp's git history as a bundle.
readonly release=v0.5.0
readonly package=node-llama-cpp@3.22.1
readonly package_sha512=6e5b488a9b9699cd76dc7eed30880318a4ac4ab866865418795502e3c5d38d55bb5c624988927209d95333343f2e25a83e4183a5c2f816f883a60c3ba9f4e20f
readonly bundle=package/llama/gitRelease.bundle
# What only tests and the evaluation run.
readonly tools=(llama-mtmd-cli llama-server)

cache=$(realpath --canonicalize-missing "${SACCADE_CACHE:-${XDG_CACHE_HOME:-$(echo ~/.cache)}/saccade}")
readonly cache
readonly cc=${CC:-cc} cxx=${CXX:-c++}

say() { echo "llama.cpp: $*" >&2; }
fail() { say "$*"; exit 1; }

cpu_identity() {
  # model and instruction sets, which -march=native depends on; not the clock or the number of cores
  { uname -m; grep -m1 -E '^(model name|CPU part)' /proc/cpuinfo; grep -m1 -E '^(flags|Features)' /proc/cpuinfo; } 2>/dev/null || true
}

source_identity() {
  if [[ -z ${SACCADE_LLAMA_SOURCE:-} ]]; then
    echo "$package_sha512"
  else
    find "$SACCADE_LLAMA_SOURCE" -name .git -prune -o -type f -printf '%p %s %T@\n' | sort
  fi
}

# Instruction sets that llama.cpp is better built without, of those that the compiler knows:
# - AVX512-FP16: ggml's loops over f16 then take 128 numbers at a time, and attention heads of 64 fall to its scalar
#   ones: two to ten times slower (kv_bench), and sums in f16 besides;
# - AMX: GCC's _tile_loadconfig() says that it reads 8 of the configuration's 64 bytes, so the rest is optimised away and
#   the next tile instruction is illegal (seen with GCC 12; ggml-org/llama.cpp#26954).
avoided_instructions() {
  local flag
  for flag in -mno-avx512fp16 -mno-amx-tile -mno-amx-int8 -mno-amx-bf16; do
    "$cxx" "$flag" -x c++ -fsyntax-only /dev/null 2>/dev/null && printf ' %s' "$flag"
  done
  return 0
}

# fetch_archive: the pinned archive is in the cache and is the right one.
fetch_archive() {
  local work
  if [[ ! -e $archive ]]; then
    command -v npm >/dev/null ||
      fail "the command npm is missing, which fetches the source ($package). Install npm, or a llama package."
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    say "fetching $package (36 MB) with npm"
    (cd "$work" && npm pack --silent --ignore-scripts --fetch-retries=1 "$package" >npm.log 2>&1) || {
      sed 's/^/  /' "$work/npm.log" >&2; rm -rf "$work"
      fail "npm could not fetch $package. Is there a network, and does 'npm ping' answer?"
    }
    mv "$work"/*.tgz "$archive" && rm -rf "$work"
  fi
  if ! sha512sum --check --status <<<"$package_sha512  $archive"; then
    mv "$archive" "$archive.rejected"
    fail "$archive.rejected is not the pinned $package (its sha512 differs). Run again to fetch it anew."
  fi
}

# unpack_source DIR: the pinned release's source tree is at DIR.
unpack_source() {
  local source=$1 unpacked=$1.unpacking
  [[ -e $source ]] && return
  command -v git >/dev/null || fail "the command git is missing, which unpacks the source."
  fetch_archive
  rm -rf "$unpacked" && mkdir -p "$unpacked"
  tar -xzf "$archive" -C "$unpacked" "$bundle"
  git clone --quiet "$unpacked/$bundle" "$unpacked/source" 2>"$unpacked/git.log" ||
    { cat "$unpacked/git.log" >&2; fail "git could not unpack the source. Is the disk full?"; }
  mv "$unpacked/source" "$source" && rm -rf "$unpacked"
}

# One line for every 20 steps of ninja's "[done/all] …", so that a log stays readable.
show_progress() {
  local line
  while IFS= read -r line; do
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    ((BASH_REMATCH[1] % 20)) && ((BASH_REMATCH[1] < BASH_REMATCH[2])) || say "$1, ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
  done
}

# build WHAT TARGET...: the targets are built in $build.
build() {
  local what=$1 log=$build.log; shift
  cmake --build "$build" --parallel "$(nproc)" --target "$@" 2>&1 | tee -a "$log" | show_progress "$what" || {
    tail -n 30 "$log" >&2; fail "the build failed (log: $log). The cause stands above; a full disk is the usual one."
  }
}

configure() {
  cmake -S "$source" -B "$build" "${generator[@]}" "${options[@]}" "$@" >>"$build.log" 2>&1 ||
    { tail -n 30 "$build.log" >&2; fail "its CMake configuration failed (log: $build.log)."; }
}

build_libraries() {
  configure -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_TOOLS=OFF
  say "building the libraries, about 3 minutes on 2 cores, once ($prefix)"
  build "libraries" all
  rm -rf "$prefix.new"
  cmake --install "$build" --prefix "$prefix.new" >>"$build.log"
  mv "$prefix.new" "$prefix"
}

build_tools() {
  local tool
  configure -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_TOOLS=ON -DLLAMA_BUILD_SERVER=ON
  say "building ${tools[0]} and ${tools[1]} for the tests and the evaluation, about 5 minutes on 2 cores, once"
  build "tools" "${tools[@]}"
  mkdir -p "$prefix/bin"
  cp -a "$build"/bin/libllama-common.so* "$build"/bin/libllama-server-impl.so* "$prefix/lib/"
  for tool in "${tools[@]}"; do
    cp "$build/bin/$tool" "$prefix/bin/$tool.new"
    mv "$prefix/bin/$tool.new" "$prefix/bin/$tool"
  done
  # Nothing more is built from these; the archive stays, for another CPU or compiler.
  rm -rf "$build" "$cache/llama-$release.source"
}

# installed: an llama package stands where CMake looks for packages.
installed() {
  local prefix given=${CMAKE_PREFIX_PATH:-}
  for prefix in /usr /usr/local ${given//[:;]/ }; do
    compgen -G "$prefix/lib*/cmake/llama/llama-config.cmake" >/dev/null && return
    compgen -G "$prefix/lib/*/cmake/llama/llama-config.cmake" >/dev/null && return
  done
  return 1
}

# provide_python: gguf-py of the same release is in the cache.
provide_python() {
  local found=$cache/llama-$release.python source=$cache/llama-$release.python-source
  [[ -n ${SACCADE_LLAMA_SOURCE:-} ]] && { echo "$SACCADE_LLAMA_SOURCE"; return; }
  if [[ ! -e $found ]]; then
    mkdir -p "$cache" 2>/dev/null || fail "cannot create the cache folder $cache. Set SACCADE_CACHE to one that can be written."
    exec 9>"$cache/lock"; flock 9
    if [[ ! -e $found ]]; then
      unpack_source "$source"
      rm -rf "$found.new" && mkdir -p "$found.new"
      cp -a "$source/gguf-py" "$source/LICENSE" "$found.new/" && mv "$found.new" "$found"
      rm -rf "$source"
    fi
  fi
  echo "$found"
}

usage() { sed -n '2,15p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2; }

ask_only=0
[[ ${1:-} == at-hand ]] && { ask_only=1; shift; }
[[ ${1:-} == libraries || ${1:-} == tools || ${1:-} == python ]] || usage
readonly wanted=$1 archive=$cache/${package/@/-}.tgz; shift
[[ $wanted == python ]] && { ((ask_only)) && usage; provide_python; exit; }
if ((ask_only)); then
  [[ -n ${SACCADE_LLAMA_SOURCE:-} || -e $archive ]] && exit 0
  [[ $wanted == libraries ]] && installed && exit 0
  command -v "$cc" >/dev/null && command -v "$cxx" >/dev/null || exit 1
fi
avoided=$(avoided_instructions)
options=(
  "-DCMAKE_C_FLAGS=${CFLAGS:-}$avoided" "-DCMAKE_CXX_FLAGS=${CXXFLAGS:-}$avoided"
  -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DCMAKE_INSTALL_LIBDIR=lib
  # what is built finds its neighbours wherever the cache is moved
  "-DCMAKE_INSTALL_RPATH=\$ORIGIN;\$ORIGIN/../lib" -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF
  -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_MTMD=ON -DLLAMA_OPENSSL=OFF
  -DMTMD_VIDEO=OFF -DGGML_OPENMP=OFF "$@")
key=$({ source_identity; printf '%s\n' "${options[@]}" "${CFLAGS:-}" "${CXXFLAGS:-}" "${LDFLAGS:-}"
        "$cc" --version; "$cxx" --version; cpu_identity; } | sha256sum | cut -c1-12)
version=$release; [[ -n ${SACCADE_LLAMA_SOURCE:-} ]] && version=source
readonly prefix=$cache/llama-$version-$key build=$cache/llama-$version-$key.build
generator=(); command -v ninja >/dev/null && generator=(-G Ninja)
options+=("-DCMAKE_C_COMPILER=$cc" "-DCMAKE_CXX_COMPILER=$cxx")

finished() {
  local tool
  [[ -e $prefix/lib/libmtmd.so ]] || return
  [[ $wanted == libraries ]] && return
  for tool in "${tools[@]}"; do [[ -x $prefix/bin/$tool ]] || return; done
}

if ((ask_only)); then finished; exit; fi
if ! finished; then
  mkdir -p "$cache" 2>/dev/null || fail "cannot create the cache folder $cache. Set SACCADE_CACHE to one that can be written."
  exec 9>"$cache/lock"
  flock --nonblock 9 || { say "another build is filling the cache, waiting for it"; flock 9; }
  source=${SACCADE_LLAMA_SOURCE:-$cache/llama-$release.source}
  [[ -n ${SACCADE_LLAMA_SOURCE:-} ]] || unpack_source "$source"
  [[ -e $prefix/lib/libmtmd.so ]] || build_libraries
  finished || build_tools
fi
echo "$prefix"
