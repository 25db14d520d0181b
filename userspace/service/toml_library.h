// SPDX-License-Identifier: Apache-2.0
//
// toml++ as this program uses it; never include it directly.
//
// Its switches must be equal in every translation unit. Without exceptions a syntax error is a
// value like every other error here. Compiled once (config.cpp defines TOML_IMPLEMENTATION),
// because the library takes seconds per inclusion otherwise; the distribution's libtomlplusplus.so
// is not linked, as it is built with exceptions.
#pragma once

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>
