// SPDX-License-Identifier: Apache-2.0
//
// What another program says, for facts that only it can tell, such as the rules of a firewall.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace hanet {

/// Runs a program (looked up in PATH) to its end and returns its standard output. Error::code is
/// ENOENT if there is no such program; with another exit code than 0 the message is what it wrote
/// to standard error. Not for hanetd: it waits.
[[nodiscard]] Result<std::string> output_of(const std::vector<std::string>& command);

}  // namespace hanet
