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

# junit_names FILE run|fail|notrun: names with the first line that says why, one test per line.
junit_names() {
  awk -v wanted="$2" '
    function plain(text) {
      gsub(/&quot;/, "\"", text); gsub(/&apos;/, "\x27", text)
      gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&amp;/, "\\&", text)
      return text
    }
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
