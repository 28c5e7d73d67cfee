# shellcheck shell=bash disable=SC2154,SC2086,SC2206,SC2207,SC1090,SC1091
# Is this machine one on which the set-up can work?

# require_supported_system [OS-RELEASE FILE]: ends with a sentence on anything but Debian 12, unless SACCADE_ANY_OS=1.
require_supported_system() {
  local ID=unknown VERSION_ID='' PRETTY_NAME='' release=${1:-/etc/os-release}
  [[ ! -r $release ]] || source "$release"
  [[ $ID == debian && $VERSION_ID == 12 ]] && return
  [[ ${SACCADE_ANY_OS:-0} == 1 ]] && { say "${PRETTY_NAME:-this system} is not Debian 12; trying, since SACCADE_ANY_OS=1"; return; }
  fail "this set-up knows Debian 12, and this is ${PRETTY_NAME:-an unknown system}. SACCADE_ANY_OS=1 tries nevertheless; samples/setup/packages.sh lists what to install by hand, and why."
}

# require_space FOLDER MEGABYTES PURPOSE: ends with a sentence when the file system has less room than that.
require_space() {
  local folder=$1 needed=$2 purpose=$3 available
  while [[ ! -d $folder ]]; do folder=$(dirname "$folder"); done
  available=$(df --output=avail -BM "$folder" 2>/dev/null | tail -n 1 | tr -dc '0-9')
  [[ -z $available ]] || ((available >= needed)) ||
    fail "$purpose needs $(megabytes "$needed") in $folder and $(megabytes "$available") are free. Free some space and run this again."
}

# require_writable FOLDER PURPOSE
require_writable() {
  mkdir -p "$1" 2>/dev/null && [[ -w $1 ]] || fail "$2 goes into $1, which cannot be written. Change its owner, or run this as another user."
}
