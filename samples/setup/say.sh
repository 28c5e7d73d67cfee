# shellcheck shell=bash disable=SC2154,SC2086,SC2206,SC2207,SC1090,SC1091
# How the two commands talk: short lines, and one sentence when they cannot go on.
# Sourced by samples/demo.sh and tests/run.sh.

say() { printf '%s\n' "saccade: $*"; }

fail() { printf '%s\n' "saccade: $*" >&2; exit 1; }

# megabytes N: N MB as people say it.
megabytes() { (($1 >= 1024)) && printf '%d.%d GB' $(($1 / 1024)) $(($1 % 1024 * 10 / 1024)) || printf '%d MB' "$1"; }

# run_quietly WHAT LOG COMMAND...: true when the command is; its output goes to LOG, a person sees that time passes.
run_quietly() {
  local what=$1 log=$2 started=$SECONDS; shift 2
  "$@" >"$log" 2>&1 </dev/null &
  local job=$! status=0
  trap 'kill "$job" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$job" 2>/dev/null; do
    sleep 1
    (((SECONDS - started) % 20)) || say "$what, $((SECONDS - started)) s so far"
  done
  wait "$job" || status=$?
  trap - INT TERM
  return "$status"
}
