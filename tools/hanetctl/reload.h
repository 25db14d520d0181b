// SPDX-License-Identifier: Apache-2.0
//
// `hanetctl reload`, `confirm` and `diff` (spec O8). Each returns the exit code.
#pragma once

#include "asking.h"

namespace hanet::ctl {

/// Options::confirm_s: undone after so many seconds unless confirm() comes.
int reload(const Options& options);
int confirm(const Options& options);
/// What a reload of Options::file would change, or of hanetd's own file where that is empty.
int diff(const Options& options);

}  // namespace hanet::ctl
