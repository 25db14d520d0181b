// SPDX-License-Identifier: Apache-2.0
//
// A file that is written in the background: what is in it in the end, what a disk that hangs costs
// whoever writes, and how a failure is told (O10).
#include "core/background_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <iterator>
#include <vector>

namespace hanet {
namespace {

using namespace std::chrono_literals;

class BackgroundFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "hanet-background-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  [[nodiscard]] std::filesystem::path path() const { return directory_ / "file"; }
  [[nodiscard]] std::string content() const {
    std::ifstream stream(path());
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::filesystem::path directory_;
};

TEST_F(BackgroundFileTest, O10_TheLastContentIsInThePrivateFile) {
  BackgroundFile file(path());
  for (int i = 0; i <= 100; ++i) ASSERT_TRUE(file.write(std::to_string(i)));
  ASSERT_TRUE(file.wait(30s));
  EXPECT_EQ(content(), "100");
  EXPECT_FALSE(file.take_failure());
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(BackgroundFileTest, O10_AFailureIsToldOnceAndTheNextContentIsTried) {
  BackgroundFile file(directory_ / "nowhere" / "file");
  ASSERT_TRUE(file.write("lost"));
  ASSERT_TRUE(file.wait(30s));
  const std::optional<Error> failed = file.take_failure();
  ASSERT_TRUE(failed);
  EXPECT_TRUE(failed->message.contains("nowhere/file.new: No such file")) << failed->message;
  EXPECT_FALSE(file.take_failure());
  std::filesystem::create_directory(directory_ / "nowhere");
  ASSERT_TRUE(file.write("kept"));
  ASSERT_TRUE(file.wait(30s));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "nowhere" / "file"));
}

TEST_F(BackgroundFileTest, O10_ADiskThatHangsHoldsNobodyUpAndGetsTheLastContentLater) {
  std::promise<void> answers;
  const std::shared_future<void> disk = answers.get_future().share();
  std::promise<void> began;
  std::vector<std::string> written;
  BackgroundFile file(path(), [&, is_first = true](const auto&, const std::string& text) mutable {
    if (std::exchange(is_first, false)) began.set_value();
    disk.wait();
    written.push_back(text);
    return Status();
  });
  ASSERT_TRUE(file.write("first"));
  began.get_future().wait();
  // Here whoever writes would stand, if it waited for the disk.
  ASSERT_TRUE(file.write("second"));
  ASSERT_TRUE(file.write("third"));
  EXPECT_FALSE(file.wait(10ms)) << "the witness: the disk hangs";
  answers.set_value();
  ASSERT_TRUE(file.wait(30s));
  EXPECT_EQ(written, (std::vector<std::string>{"first", "third"}));
}

TEST_F(BackgroundFileTest, O10_AThreadThatIsStuckIsLeftBehind) {
  struct Disk {
    std::promise<void> answers;
    std::shared_future<void> disk = answers.get_future().share();
    std::promise<void> ended;
  };
  const auto disk = std::make_shared<Disk>();
  {
    BackgroundFile file(path(), [disk](const auto&, const std::string&) {
      disk->disk.wait();
      disk->ended.set_value();
      return Status();
    });
    ASSERT_TRUE(file.write("never"));
  }  // and here it would be waited for
  disk->answers.set_value();
  EXPECT_EQ(disk->ended.get_future().wait_for(30s), std::future_status::ready);
}

}  // namespace
}  // namespace hanet
