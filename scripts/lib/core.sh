# shellcheck shell=bash
# Builds the core and its tests with CMake and runs them. Sourced by scripts/suites.

# What the sanitizers and fuzz suites build, in $BUILD/sanitizers.
# shellcheck disable=SC2034
sanitizer_options=(-DBRAINSAIT_SANITIZE=ON -DBRAINSAIT_FUZZ=ON -DCMAKE_CXX_COMPILER=clang++)

# test_core FOLDER [CMake option...]: every GoogleTest case is one of ctest's and one of ours.
test_core() {
  local folder=$BUILD/$1 status=0
  shift
  cmake -S . -B "$folder" "$@"
  cmake --build "$folder" -j "$(nproc)"
  ctest --test-dir "$folder" -j "$(nproc)" --output-on-failure | awk -v results="$RESULTS" '
    { print; fflush() }
    /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
      name = $0
      sub(/^[^:]*: /, "", name)
      sub(/ \.\..*/, "", name)
      if (/ Passed +[0-9.]+ sec/) print "passed " name >>results
      else if (/\*\*\*Skipped/) print "skipped " name ": " >>results
      else print "failed " name >>results
    }' || status=$?
  return "$status"
}
