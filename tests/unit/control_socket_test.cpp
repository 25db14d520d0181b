// SPDX-License-Identifier: Apache-2.0
//
// The control socket alone: who may connect, and what a client may cost (O3, S5).
//
// The clients here break the rules that hanetctl keeps, so they write to the socket themselves.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/fd.h"
#include "daemon/control.h"

namespace hanet::daemon {
namespace {

class ControlSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "hanet-control-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::filesystem::path path() const { return directory_ / "control.sock"; }

  [[nodiscard]] Fd connect() const {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path().string(), address.sun_path);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }

  /// Answers with the request's length.
  void serve(ControlSocket& control) {
    control.serve(
        [&](const Json& request) {
          ++handled_;
          return Json{{"ok", true}, {"bytes", request.dump().size()}};
        },
        now_);
  }

  /// Sends all of it while the socket serves; false when the connection was closed before.
  bool send_while_served(ControlSocket& control, const Fd& client, const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t most = std::min<std::size_t>(bytes.size() - at, 1024);
      const ssize_t sent =
          ::send(client.get(), bytes.data() + at, most, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) at += static_cast<std::size_t>(sent);
      if (sent < 0 && errno != EAGAIN) return false;
      serve(control);
    }
    for (int round = 0; round < 100; ++round) serve(control);
    return true;
  }

  /// What has come; "closed" at the end of the connection.
  static std::string heard(const Fd& client) {
    std::array<char, 4096> buffer;
    const ssize_t got = ::recv(client.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return "closed";
    return got < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(got));
  }

  /// Connects so many, one after the other, each of which sends `request`.
  std::vector<Fd> connect_many(ControlSocket& control, int count, const std::string& request) {
    std::vector<Fd> clients;
    for (int i = 0; i < count; ++i) {
      now_ += std::chrono::milliseconds(1);
      clients.push_back(connect());
      const ssize_t sent =
          ::send(clients.back().get(), request.data(), request.size(), MSG_NOSIGNAL);
      EXPECT_EQ(sent, static_cast<ssize_t>(request.size()));
      serve(control);
    }
    return clients;
  }

  int handled_ = 0;
  MonotonicTime now_{std::chrono::hours(1)};

 private:
  std::filesystem::path directory_;
};

TEST_F(ControlSocketTest, S5_IsClosedToEverybodyElseWhateverTheUmaskIs) {
  const mode_t before = ::umask(0);
  Result<ControlSocket> control = ControlSocket::open(path(), ControlSocket::For::Root);
  EXPECT_EQ(::umask(before), 0U) << "the process keeps the one that it has";
  ASSERT_TRUE(control) << control.error().message;
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 07117U, 0U) << "mode " << std::oct << (status.st_mode & 07777U);
  EXPECT_EQ(status.st_uid, ::geteuid());
}

TEST_F(ControlSocketTest, O3_ARequestInManyPiecesIsAnsweredOnce) {
  Result<ControlSocket> control = ControlSocket::open(path(), ControlSocket::For::Root);
  ASSERT_TRUE(control) << control.error().message;
  const Fd client = connect();
  const std::string text(60'000, 'x');
  ASSERT_TRUE(send_while_served(*control, client, "{\"command\":\"" + text + "\"}\n"));
  EXPECT_EQ(handled_, 1);
  EXPECT_TRUE(heard(client).contains("\"ok\":true")) << "nearly as long as a request may be";
}

TEST_F(ControlSocketTest, S5_WhoSendsManyRequestsAtOnceGetsOneAnswerARound) {
  ControlSocket control = *ControlSocket::open(path(), ControlSocket::For::Readers);
  const Fd client = connect();
  std::string many;
  for (int i = 0; i < 100; ++i) many += "{}\n";
  ASSERT_EQ(::send(client.get(), many.data(), many.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(many.size()));
  for (int round = 1; round <= 100; ++round) {
    serve(control);
    EXPECT_EQ(handled_, round);
  }
  serve(control);
  EXPECT_EQ(handled_, 100);
}

TEST_F(ControlSocketTest, S5_ARequestWithoutEndIsCutOffAndOthersAreServed) {
  Result<ControlSocket> control = ControlSocket::open(path(), ControlSocket::For::Root);
  ASSERT_TRUE(control) << control.error().message;
  const Fd endless = connect();
  const Fd honest = connect();
  EXPECT_FALSE(send_while_served(*control, endless, std::string(std::size_t{1} << 20, 'x')))
      << "a megabyte was taken without a word";
  EXPECT_EQ(heard(endless), "closed");
  EXPECT_EQ(handled_, 0);
  ASSERT_TRUE(send_while_served(*control, honest, "{\"command\":\"status\"}\n"));
  EXPECT_TRUE(heard(honest).contains("\"ok\":true"));
}

TEST_F(ControlSocketTest, S5_WhoAsksNothingMakesRoomForWhoDoesTheOldestFirst) {
  Result<ControlSocket> control = ControlSocket::open(path(), ControlSocket::For::Root);
  ASSERT_TRUE(control) << control.error().message;
  const std::vector<Fd> idle = connect_many(*control, 80, "");
  for (std::size_t at = 0; at < idle.size(); ++at)
    EXPECT_EQ(heard(idle[at]), at < 80 - 64 ? "closed" : "") << at;
  const std::vector<Fd> honest = connect_many(*control, 1, "{\"command\":\"status\"}\n");
  EXPECT_TRUE(heard(honest.front()).contains("\"ok\":true")) << "64 idle clients are no lock";
}

TEST_F(ControlSocketTest, S5_WhoAsksNothingForAWhileIsDroppedAndWhoWatchesIsNot) {
  Result<ControlSocket> control = ControlSocket::open(path(), ControlSocket::For::Root);
  ASSERT_TRUE(control) << control.error().message;
  const std::vector<Fd> idle = connect_many(*control, 1, "{\"comm");
  const std::vector<Fd> watcher = connect_many(*control, 1, "{\"command\":\"watch\"}\n");
  const std::vector<Fd> asks = connect_many(*control, 1, "{\"command\":\"status\"}\n");
  EXPECT_TRUE(heard(watcher.front()).contains("\"ok\":true"));
  now_ += std::chrono::seconds(9);
  ASSERT_TRUE(send_while_served(*control, asks.front(), "{\"command\":\"status\"}\n"));
  EXPECT_EQ(heard(idle.front()), "");
  now_ += std::chrono::seconds(9);
  serve(*control);
  EXPECT_EQ(heard(idle.front()), "closed");
  EXPECT_TRUE(heard(asks.front()).contains("\"ok\":true")) << "it asked meanwhile";
  EXPECT_EQ(heard(asks.front()), "");
  now_ += std::chrono::hours(1);
  serve(*control);
  control->broadcast({{"event", "alarm"}});
  control->flush();
  EXPECT_TRUE(heard(watcher.front()).contains("alarm"));
}

TEST_F(ControlSocketTest, S5_ThoseWhoWatchLeaveRoomForThoseWhoAsk) {
  Result<ControlSocket> control = ControlSocket::open(path(), ControlSocket::For::Root);
  ASSERT_TRUE(control) << control.error().message;
  const std::vector<Fd> watchers = connect_many(*control, 80, "{\"command\":\"watch\"}\n");
  std::ptrdiff_t watching = 0;
  for (const Fd& watcher : watchers) watching += heard(watcher).contains("\"ok\":true") ? 1 : 0;
  EXPECT_EQ(watching, 48);
  const std::vector<Fd> honest = connect_many(*control, 1, "{\"command\":\"status\"}\n");
  EXPECT_TRUE(heard(honest.front()).contains("\"ok\":true"));
}

}  // namespace
}  // namespace hanet::daemon
