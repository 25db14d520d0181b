// SPDX-License-Identifier: Apache-2.0
//
// One JSON for all that hanetd writes: what people read and what it keeps for itself. Fields stay
// in the order in which the code names them.
#pragma once

#include <nlohmann/json.hpp>

namespace hanet {

using Json = nlohmann::ordered_json;

}  // namespace hanet
