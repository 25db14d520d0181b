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

# hanet_precompile(<target> [FROM <owner>]): with HANET_PRECOMPILED, use the owner's headers.
function(hanet_precompile target)
  cmake_parse_arguments(arg "" "FROM" "" ${ARGN})
  if(NOT arg_FROM)
    set(arg_FROM hanet_precompiled)
  endif()
  if(HANET_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM ${arg_FROM})
  endif()
endfunction()
