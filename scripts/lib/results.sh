# shellcheck shell=bash
# How a suite says what happened: one line per test in the file $RESULTS. Sourced by scripts/suites.
#   passed NAME      failed NAME      skipped NAME: REASON

passed() { echo "passed $*" >>"$RESULTS"; }
failed() { echo "failed $*" >>"$RESULTS"; }
skipped() { echo "skipped ${1//:/ }: ${2:-}" >>"$RESULTS"; }

# Counts the top level of TAP on standard input (pg_regress of 16 and later, prove --verbose, test/lint) and the
# lines of pg_regress of 15, and passes the text on. The name of a test file, as prove prints it, goes before the
# names of its tests.
count_tests() {
  awk -v results="$RESULTS" '
    function record(outcome, name) { print outcome " " name >>results }
    function record_skip(name, reason) {
      sub(/^# *[A-Za-z]* */, "", reason)
      gsub(/:/, " ", name)
      sub(/ +$/, "", name)
      print "skipped " name ": " reason >>results
    }
    { print; fflush() }
    /^[^ ].*\.pl \.+ *$/ { file = $1 ": "; next }
    /^(test|    ) .* \.\.\. (ok|FAILED)/ {
      record(/ \.\.\. ok/ ? "passed" : "failed", $1 == "test" ? $2 : $1)
      next
    }
    # The summary of prove names a file that ended badly although none of its tests failed.
    /^[^ ].*\.pl +\(Wstat: .* Failed: 0\)/ { record("failed", $1 " ended badly"); next }
    # A whole file that was skipped: prove says it in its own line when files run side by side.
    /^[^ ].*\.pl \.+ skipped: / { file = $1 ": "; sub(/^.* \.+ skipped: /, ""); record_skip(file, $0); next }
    /^1\.\.0 # *[Ss][Kk][Ii][Pp]/ { record_skip(file, substr($0, 6)); next }
    /^(not )?ok +([0-9]|-)/ {
      name = $0
      sub(/^(not )?ok *[0-9]* *[-+]? */, "", name)
      if (match(name, /# *[Ss][Kk][Ii][Pp]/)) {
        record_skip(file substr(name, 1, RSTART - 1), substr(name, RSTART))
        next
      }
      sub(/ +[0-9]+ ms *$/, "", name)
      record(/^not/ ? "failed" : "passed", file name)
    }'
}
