# SPDX-License-Identifier: Apache-2.0
#
# Most of a build's time goes into parsing the same headers again and again: with these two, the
# product is built in a third of it. Tests always parse them once, the product does so in the presets.
# A build without a preset, as packages are made, does neither: there a forgotten #include shows.

# hanet_precompiled_headers(<name> [LIBRARIES <...>] [HEADERS <...>]): what most files include, with
# the options of the folder that calls it, which have to be those of whoever uses it.
function(hanet_precompiled_headers name)
  cmake_parse_arguments(arg "" "" "LIBRARIES;HEADERS" ${ARGN})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "")
  add_library(${name} OBJECT ${source})
  target_link_libraries(${name}
    PRIVATE hanet_options fmt::fmt nlohmann_json::nlohmann_json ${arg_LIBRARIES})
  target_precompile_headers(${name} PRIVATE
    <algorithm> <array> <chrono> <expected> <filesystem> <fstream> <functional> <map> <memory>
    <optional> <set> <span> <string> <string_view> <thread> <vector>
    <fmt/format.h> <fmt/ranges.h> <nlohmann/json.hpp> ${arg_HEADERS})
endfunction()

if(HANET_PRECOMPILED)
  hanet_precompiled_headers(hanet_precompiled)
endif()

# hanet_precompile(<target> [FROM <owner>] [APART]): use the owner's headers, where there is one; with
# HANET_UNITY compile several sources at once unless they have to stay APART: two of them give a name
# of their own to different things, or include headers that do not go together.
function(hanet_precompile target)
  cmake_parse_arguments(arg "APART" "FROM" "" ${ARGN})
  if(NOT arg_FROM)
    set(arg_FROM hanet_precompiled)
  endif()
  if(TARGET ${arg_FROM})
    target_precompile_headers(${target} REUSE_FROM ${arg_FROM})
  endif()
  if(HANET_UNITY AND NOT arg_APART)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6
      UNITY_BUILD_CODE_BEFORE_INCLUDE "// NOLINTNEXTLINE(bugprone-suspicious-include)")
  endif()
endfunction()
