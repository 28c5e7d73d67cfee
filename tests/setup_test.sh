#!/usr/bin/env bash
# When the set-up cannot go on, a person reads one sentence about what is wrong and what to do. Commands that
# would change the machine are replaced by stand-ins in a folder at the front of PATH.
set -uo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
failures=0

# stand_in NAME SCRIPT: the command NAME does SCRIPT.
stand_in() { mkdir -p "$work/bin"; printf '#!/bin/bash\n%s\n' "$2" >"$work/bin/$1"; chmod +x "$work/bin/$1"; }

# expect WHAT STATUS WORDS COMMAND...: COMMAND, with the set-up's functions at hand, ends with STATUS and says WORDS.
expect() {
  local what=$1 expected=$2 words=$3 said status=0; shift 3
  said=$(PATH="$work/bin:$PATH" project=$project SACCADE_CACHE="$work/cache" TMPDIR=$work \
    bash -c 'set -euo pipefail; source "$project/samples/setup/setup.sh"; "$@"' bash "$@" 2>&1) || status=$?
  if ((status == expected)) && grep -q -- "$words" <<<"$said"; then
    echo "ok: $what"
  else
    printf 'FAILED: %s\n  status %s, expected %s\n  expected words: %s\n%s\n' "$what" "$status" "$expected" "$words" "$said"
    failures=$((failures + 1))
  fi
  rm -rf "$work/bin"
}

printf 'ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04"\n' >"$work/ubuntu"
printf 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n' >"$work/debian"
expect "an unsupported system is named" 1 "knows Debian 12, and this is Ubuntu 24.04" require_supported_system "$work/ubuntu"
SACCADE_ANY_OS=1 expect "it is tried when asked for" 0 "is not Debian 12; trying" require_supported_system "$work/ubuntu"
expect "Debian 12 is silent" 0 "" require_supported_system "$work/debian"

stand_in df 'echo Avail; echo 150M'
expect "a full disk is named with what is needed" 1 "the build needs 1.9 GB in / and 150 MB are free" require_space / 2000 "the build"

stand_in dpkg-query 'echo "installed cmake"'
stand_in sudo '[[ $1 == -v ]] || exec "$@"'
stand_in apt-get 'case "$*" in *update*) exit 0 ;; esac; echo "E: Failed to fetch http://mirror/x.deb  Temporary failure resolving"; exit 100'
expect "a missing network is named" 1 "packages could not be fetched. Is there a network" install_packages build

stand_in dpkg-query 'echo "installed cmake"'
stand_in sudo '[[ $1 == -v ]] || exec "$@"'
stand_in apt-get 'case "$*" in
  *assume-no*) echo "Need to get 10.5 MB/900 MB of archives."; echo "After this operation, 1,345 MB of additional disk space will be used."; exit 1 ;;
  *) exit 0 ;; esac'
expect "what is installed, why and how much is told" 0 "11 MB to fetch, 1.3 GB on disk" install_packages build

stand_in dpkg-query 'for p; do [[ $p == -* ]] || echo "installed $p"; done'
stand_in apt-get 'echo "apt-get must not run"; exit 1'
expect "nothing happens when nothing is missing" 0 "" install_packages build libraries run render test

provide() { SACCADE_LLAMA_SOURCE='' expect "$1" 1 "$2" bash "$project/cmake/provide_llama.sh" libraries; }
stand_in npm 'echo "npm ERR! network"; exit 1'
provide "npm without a network is named" "npm could not fetch node-llama-cpp@"
mkdir -p "$work/cache" && echo "not the archive" >"$work/cache/node-llama-cpp-3.22.1.tgz"
provide "an archive that was tampered with is not used" "is not the pinned node-llama-cpp@"
[[ ! -e $work/cache/node-llama-cpp-3.22.1.tgz ]] || { echo "FAILED: the rejected archive is still there"; failures=1; }

exit $((failures > 0))
