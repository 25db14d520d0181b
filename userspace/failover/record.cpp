// SPDX-License-Identifier: Apache-2.0
//
// See record.h.
#include "failover/record.h"

namespace hanet::failover {

const SwitchoverRecord& History::add(SwitchoverRecord record) {
  record.number = ++count_;
  records_.push_back(std::move(record));
  if (records_.size() > kKept) records_.pop_front();
  return records_.back();
}

}  // namespace hanet::failover
