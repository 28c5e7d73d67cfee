#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#
#   tests/run.sh [--sanitize address,undefined | --sanitize thread] [--setup-only] [CTEST OPTION...]
#
# For example: tests/run.sh -R masgate      only the tests whose name has masgate in it
#              tests/run.sh -L static       only the checks of the sources and pages
# Runs from anywhere, and again without harm. SACCADE_CACHE names the folder of the llama.cpp build and of what clang-tidy has seen.
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$project/samples/setup/setup.sh"

preset=release setup_only=0
while (($#)); do
  case $1 in
    --sanitize)
      case ${2:-} in
        address,undefined) preset=asan ;;
        thread) preset=tsan ;;
        *) fail "--sanitize takes 'address,undefined' or 'thread'." ;;
      esac
      shift 2 ;;
    --setup-only) setup_only=1; shift ;;
    -h | --help) sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) break ;;
  esac
done

set_up tools build libraries run render test evaluate
configure_project "$preset" -DSACCADE_TESTS=ON
((setup_only)) && { say "everything is set up"; exit 0; }

render_street_clip
build_project "$preset" all
say "running the tests of build/$preset"
# The tests of a sanitized build are those of its own code: the checks of sources and pages are the same in each build.
# Those labelled slow are left out, too.
only=(); [[ $preset == release ]] || only=(--label-exclude 'static|whole-program|slow')
# One test per core at a time, for most of them keep no more than one busy, and often wait. They can: no verdict depends on
# the time that something takes, each listens on ports that the system gives it and writes to files of its own, and the one
# file that they share, GStreamer's registry, is only ever replaced as a whole. Those that use all cores themselves, or
# measure, have RUN_SERIAL.
cd "$project/build/$preset"
ctest --parallel "$(nproc)" --output-on-failure --no-tests=error --schedule-random "${only[@]}" "$@" ||
  fail "some tests failed, see above. 'cd build/$preset && ctest --rerun-failed --output-on-failure' runs those again."
say "all tests passed"
