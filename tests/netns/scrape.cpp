// SPDX-License-Identifier: Apache-2.0
//
// See scrape.h. Of HTTP/1.0, because there an answer is in one piece and ends with the connection.
#include "netns/scrape.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cctype>
#include <cstdlib>
#include <sstream>

#include "core/fd.h"
#include "netns/inside.h"

namespace hanet::test {
namespace {

std::string talk(std::uint16_t port, const std::string& request) {
  constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return {};
  std::string answer;
  std::array<char, 65536> buffer;
  for (ssize_t got = 0; (got = ::recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0;)
    answer.append(buffer.data(), static_cast<std::size_t>(got));
  return answer;
}

}  // namespace

Response http_get(const std::string& netns, std::uint16_t port, const std::string& target,
                  const std::string& head) {
  std::string answer;
  inside(netns, [&] {
    answer = talk(port, fmt::format("GET {} HTTP/1.0\r\nHost: localhost\r\n"
                                    "Connection: close\r\n{}\r\n",
                                    target, head));
  });
  const std::size_t end = answer.find("\r\n\r\n");
  if (end == std::string::npos) return {};
  return {.status = std::atoi(answer.substr(answer.find(' ') + 1, 3).c_str()),
          .head = answer.substr(0, end),
          .body = answer.substr(end + 4)};
}

std::string percent_encoded(const std::string& text) {
  std::string encoded;
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (std::isalnum(code) != 0)
      encoded += byte;
    else
      encoded += fmt::format("%{:02X}", code);
  }
  return encoded;
}

Samples samples_of(const std::string& text) {
  Samples samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t end = line.rfind(' ');
    samples[line.substr(0, end)] = std::strtod(line.c_str() + end + 1, nullptr);
  }
  return samples;
}

}  // namespace hanet::test
