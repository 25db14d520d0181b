# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Counting tests from ctest's JUnit report.
#
# ctest's own summary counts a skipped test as passed, and a summary that hides skips hides a test
# that never runs. The report tells them apart: a test case has status="run" (passed), "fail" or
# "notrun" (skipped, or disabled). gtest's output, kept in <system-out>, gives the reason.

# junit_counts FILE: "PASSED FAILED SKIPPED".
junit_counts() {
  awk '
    /<testcase / {
      if (/ status="run"/) passed++
      else if (/ status="fail"/) failed++
      else skipped++
    }
    END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# Undoes XML's escapes.
readonly JUNIT_PLAIN='
    function plain(text) {
      gsub(/&quot;/, "\"", text); gsub(/&apos;/, "\x27", text)
      gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&amp;/, "\\&", text)
      return text
    }
'

# junit_names FILE run|fail|notrun: names with the first line that says why, one test per line.
junit_names() {
  awk -v wanted="$2" "$JUNIT_PLAIN"'
    function tell() { if (name != "") print plain(name) (reason == "" ? "" : ": " plain(reason)) }
    /<testcase / {
      tell()
      name = ""; reason = ""
      if (index($0, " status=\"" wanted "\"")) {
        name = $0; sub(/.*<testcase name="/, "", name); sub(/".*/, "", name)
      }
    }
    name != "" && reason == "" && match($0, /skipped: /) { reason = substr($0, RSTART + RLENGTH) }
    END { tell() }' "$1"
}

# junit_failures FILE: each failed test with what it complained about first, or else the end of its
# output, for somebody who sees only the end of a log.
junit_failures() {
  awk -v most=15 "$JUNIT_PLAIN"'
    function tell(  at) {
      if (!first) first = count > most ? count - most + 1 : 1
      for (at = first; at <= count && at < first + most; at++) print "  " plain(line[at])
    }
    /<testcase / {
      failed = index($0, " status=\"fail\"") != 0
      name = $0; sub(/.*<testcase name="/, "", name); sub(/".*/, "", name)
      if (failed) print plain(name)
    }
    failed && /<system-out>/ { inside = 1; count = 0; first = 0; sub(/.*<system-out>/, "") }
    inside && /<\/system-out>/ { tell(); inside = failed = 0 }
    inside {
      line[++count] = $0
      if (!first && /: Failure|ERROR: |runtime error: |WARNING: ThreadSanitizer/) first = count
    }' "$1"
}

# junit_machines FILE: what the suites in virtual machines reported (tests/vm/guest/report.bash).
junit_machines() {
  awk "$JUNIT_PLAIN"'
    /<system-out>/ { sub(/.*<system-out>/, "") }
    /^hanet-vm: .* passed, / || /^  [A-Za-z\/]+[.].*: skipped: / { print plain($0) }' "$1"
}

# junit_reasons FILE: "COUNT REASON" of what was skipped, the most frequent first. What a reason says
# of one case, behind a colon or in brackets, is left out.
junit_reasons() {
  junit_names "$1" notrun | sed 's/^[^:]*: *//; s/ *[(:].*//' | sort | uniq -c | sort -k1,1rn |
    sed 's/^ *//'
}
