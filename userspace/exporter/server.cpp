// SPDX-License-Identifier: Apache-2.0
//
// See server.h.
#include "exporter/server.h"

#include <CivetServer.h>
#include <fmt/format.h>
#include <netdb.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "core/clock.h"
#include "core/fd.h"
#include "exporter/open_metrics.h"

namespace hanet::exporter {
namespace {

// Each connection has a thread while it is served. One that sends nothing must not keep the others
// waiting for longer than a scrape may take.
const std::vector<std::string> kManners{
    "num_threads",       "4",  "request_timeout_ms", "2000", "keep_alive_timeout_ms", "500",
    "enable_keep_alive", "no", "tcp_nodelay",        "1"};

// hanetd writes its counters so often where nothing happens (daemon.cpp, kReconcile), and what
// happens is in a page no later than that. To make one takes milliseconds.
constexpr Nanoseconds kFresh = std::chrono::milliseconds(50);

struct Place {
  std::string host;
  std::string port;
};

Result<Place> parse(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos || colon + 1 == listen.size() || colon == 0)
    return failure(
        fmt::format("--listen {}: expected ADDRESS:PORT, such as 127.0.0.1:9798", listen));
  std::string host = listen.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return Place{.host = std::move(host), .port = listen.substr(colon + 1)};
}

// civetweb says only that it could not start. Whoever asks a moment before it learns why.
Status try_to_bind(const std::string& listen) {
  const Result<Place> place = parse(listen);
  if (!place) return std::unexpected(place.error());
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(place->host.c_str(), place->port.c_str(), &hints, &found);
      code != 0)
    return failure(fmt::format("--listen {}: {}", listen, ::gai_strerror(code)));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
  if (found->ai_family == AF_INET6 && mg_check_feature(MG_FEATURES_IPV6) == 0)
    return failure(fmt::format(
        "--listen {}: the civetweb of this system has no IPv6; listen at an IPv4 address", listen));
  const Fd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  constexpr int kYes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &kYes, sizeof(kYes));
  if (::bind(socket.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(socket.get(), 1) != 0)
    return errno_error(errno, fmt::format("listen at {}", listen));
  return {};
}

void answer(mg_connection* connection, std::string_view type, std::string_view body,
            bool with_body) {
  mg_send_http_ok(connection, std::string(type).c_str(), static_cast<long long>(body.size()));
  if (with_body) mg_write(connection, body.data(), body.size());
}

std::string text_of(const Families& families, Format format) {
  switch (format) {
    case Format::OpenMetrics:
      return OpenMetricsSerializer().Serialize(families);
    case Format::Text:
      break;
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace

class Server::Metrics : public CivetHandler {
 public:
  explicit Metrics(Collect collect) : collect_(std::move(collect)) {}
  bool handleGet(CivetServer*, mg_connection* connection) override {
    return serve(connection, true);
  }
  bool handleHead(CivetServer*, mg_connection* connection) override {
    return serve(connection, false);
  }

 private:
  struct Page {
    std::shared_ptr<const std::string> text;
    MonotonicTime made{};
  };

  // What is thrown would end the process: no C function passes it on.
  [[nodiscard]] bool serve(mg_connection* connection, bool with_body) {
    try {
      const char* accept = mg_get_header(connection, "Accept");
      const Format format = preferred_format(accept == nullptr ? "" : accept);
      answer(connection, content_type(format), *page(format), with_body);
    } catch (const std::exception& thrown) {
      mg_send_http_error(connection, 500, "%s", thrown.what());
    }
    return true;
  }
  // Whoever comes while it is made waits for it, in place of making it as well.
  [[nodiscard]] std::shared_ptr<const std::string> page(Format format) {
    const std::scoped_lock one(mutex_);
    Page& page = pages_[format];
    if (const MonotonicTime now = monotonic_now(); !page.text || now >= page.made + kFresh)
      page = {.text = std::make_shared<std::string>(text_of(collect_(), format)), .made = now};
    return page.text;
  }

  Collect collect_;
  std::mutex mutex_;
  std::map<Format, Page> pages_;
};

class Server::Welcome : public CivetHandler {
 public:
  bool handleGet(CivetServer*, mg_connection* connection) override {
    answer(connection, "text/plain; charset=utf-8",
           "hanet-exporter " HANET_VERSION ": what hanet counts is at /metrics\n", true);
    return true;
  }
};

Server::Server() = default;
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(const std::string& listen, Collect collect) {
  if (Status free = try_to_bind(listen); !free) return pass_on(free);
  std::unique_ptr<Server> server(new Server);
  server->metrics_ = std::make_unique<Metrics>(std::move(collect));
  server->welcome_ = std::make_unique<Welcome>();
  std::vector<std::string> options{"listening_ports", listen};
  options.insert(options.end(), kManners.begin(), kManners.end());
  try {
    server->server_ = std::make_unique<CivetServer>(options);
  } catch (const CivetException& thrown) {
    return failure(fmt::format("listen at {}: {}", listen, thrown.what()));
  }
  server->server_->addHandler("/metrics$", server->metrics_.get());
  server->server_->addHandler("/$", server->welcome_.get());
  return server;
}

}  // namespace hanet::exporter
