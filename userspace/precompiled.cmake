# SPDX-License-Identifier: Apache-2.0
#
# Most of a build's time goes into parsing the same headers again and again. A build that is made
# once and whole (the sanitizers') parses them once; the others do not, because there a forgotten
# #include has to show.

if(HANET_PRECOMPILED)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/precompiled.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "")
  set(headers
    <algorithm> <array> <chrono> <expected> <filesystem> <fstream> <functional> <map> <memory>
    <optional> <set> <span> <string> <string_view> <thread> <vector>
    <fmt/format.h> <fmt/ranges.h> <nlohmann/json.hpp>)
  set(libraries hanet_options fmt::fmt nlohmann_json::nlohmann_json)
  add_library(hanet_precompiled OBJECT ${source})
  target_link_libraries(hanet_precompiled PRIVATE ${libraries})
  target_precompile_headers(hanet_precompiled PRIVATE ${headers})
  add_library(hanet_precompiled_tests OBJECT ${source})
  target_link_libraries(hanet_precompiled_tests PRIVATE ${libraries} GTest::gtest GTest::gmock)
  target_precompile_headers(hanet_precompiled_tests
    PRIVATE ${headers} <gtest/gtest.h> <gmock/gmock.h>)
endif()

# hanet_precompile(<target> [FROM <owner>] [APART]): with HANET_PRECOMPILED, use the owner's headers;
# with HANET_UNITY, compile several sources at once unless they have to stay APART: two of them give
# a name of their own to different things, or include headers that do not go together.
function(hanet_precompile target)
  cmake_parse_arguments(arg "APART" "FROM" "" ${ARGN})
  if(NOT arg_FROM)
    set(arg_FROM hanet_precompiled)
  endif()
  if(HANET_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM ${arg_FROM})
  endif()
  if(HANET_UNITY AND NOT arg_APART)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6
      UNITY_BUILD_CODE_BEFORE_INCLUDE "// NOLINTNEXTLINE(bugprone-suspicious-include)")
  endif()
endfunction()
