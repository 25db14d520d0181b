// SPDX-License-Identifier: Apache-2.0
//
// toml++ as this program uses it; never include it directly.
//
// Its switches must be equal in every translation unit. Without exceptions a syntax error is a
// value like every other error here. It is compiled once (config.cpp defines TOML_IMPLEMENTATION),
// because it takes seconds per inclusion otherwise; the distribution's libtomlplusplus.so is not
// linked, as it is built with exceptions.
//
// Its assertions are switched off in every build type. In 3.3 some of them can be reached by what a
// file says ("[[[a]]]", see github.com/marzer/tomlplusplus/pull/301), and the code behind them
// reports a proper syntax error: with assertions a wrong file would abort the program, and with
// NDEBUG and Clang it would be undefined behaviour, because they become __builtin_assume. So NDEBUG
// is hidden while the library is read.
//
// Tables are destroyed recursively, so the depth of a document has to be bounded. The library
// bounds nested values; a dotted key counts as one value at any depth, which is why config.cpp
// bounds the length of a line.
#pragma once

#pragma push_macro("NDEBUG")
#undef NDEBUG
#define TOML_ASSERT(expr) static_cast<void>(0)
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")
