# shellcheck shell=bash disable=SC2154,SC2086,SC2206,SC2207,SC1090,SC1091
# What samples/demo.sh and tests/run.sh share. Set `project`, the repository's folder, before sourcing this.
for part in say system packages build clips; do source "$project/samples/setup/$part.sh"; done

# set_up libraries|tools GROUP...: the machine has the packages of the groups, and what fetches llama.cpp if that
# (or its tools, too) must still be fetched.
set_up() {
  local llama=$1; shift
  require_supported_system
  install_packages "$@"
  # npm brings 400 packages: only when there is something to fetch
  command -v npm >/dev/null || bash "$project/cmake/provide_llama.sh" at-hand "$llama" -DGGML_NATIVE=ON || install_packages fetch
}
