// SPDX-License-Identifier: Apache-2.0
//
// The HTTP side: GET /metrics, in the format that the caller prefers, and nothing else.
//
// civetweb is what prometheus-cpp's own Exposer serves with. That one writes one format whatever is
// asked for, so its server is used without it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "exporter/families.h"

class CivetServer;

namespace hanet::exporter {

class Server {
 public:
  /// Called by the server's threads, by several at once.
  using Collect = std::function<Families()>;

  /// Listens at "ADDRESS:PORT" ("[ADDRESS]:PORT" for IPv6).
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(const std::string& listen,
                                                             Collect collect);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

 private:
  class Metrics;
  class Welcome;
  Server();

  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Welcome> welcome_;
  std::unique_ptr<CivetServer> server_;  // last: stops first
};

}  // namespace hanet::exporter
