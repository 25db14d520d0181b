// SPDX-License-Identifier: Apache-2.0
//
// See unconfirmed.h. The file: one JSON object.
#include "daemon/unconfirmed.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <system_error>
#include <utility>

#include "core/json.h"
#include "core/log.h"
#include "core/private_file.h"

namespace hanet::daemon {
namespace {

constexpr std::size_t kMaxTexts = std::size_t{16} << 20;  // bytes: two configuration files, as JSON
constexpr std::chrono::seconds kDisk{2};                  // the watchdog waits for ten

struct Texts {
  std::string taken, before;
};

std::optional<Texts> texts_in(const std::string& content) {
  const Json kept = Json::parse(content, nullptr, false);
  if (!kept.is_object() || !kept.contains("taken") || !kept.contains("before") ||
      !kept["taken"].is_string() || !kept["before"].is_string())
    return std::nullopt;
  return Texts{.taken = kept["taken"].get<std::string>(),
               .before = kept["before"].get<std::string>()};
}

Status write_or_remove(const std::filesystem::path& file, const std::string& content) {
  std::error_code failed;
  std::filesystem::create_directories(file.parent_path(), failed);
  if (!content.empty()) return write_durably(file, content);
  if (!std::filesystem::remove(file, failed) && failed)
    return errno_error(failed.value(), "remove " + file.string());
  return sync_directory(file.parent_path());
}

}  // namespace

Unconfirmed::Unconfirmed(const std::filesystem::path& directory)
    : file_(directory / "unconfirmed", write_or_remove) {
  Result<std::optional<std::string>> bytes = read_private_file(file_.file(), kMaxTexts);
  if (!bytes)
    log::warning("{} is not used: {}", file_.file().string(), bytes.error().message);
  else if (*bytes)
    kept_ = std::move(**bytes);
}

Result<std::vector<Candidate>> Unconfirmed::candidates(const std::filesystem::path& file) {
  std::vector<Candidate> all;
  Result<config::Config> wanted = config::load(file);
  if (!wanted) return pass_on(wanted);
  const std::optional<Texts> texts = texts_in(kept_);
  if (texts && texts->taken == wanted->text) {
    Result<config::Config> before = config::parse(texts->before, file_.file().string());
    if (before)
      if (Status keys = config::load_keys(*before); !keys) before = pass_on(keys);
    if (before)
      all.push_back({.config = std::move(*before), .is_way_back = true});
    else
      log::error("what ran before the reload that nobody confirmed can not run: {}",
                 before.error().message);
  } else {
    if (Status forgotten = forget(); !forgotten) log::warning("{}", forgotten.error().message);
  }
  all.push_back({.config = std::move(*wanted)});
  return all;
}

Status Unconfirmed::store(std::string content) {
  if (Status begun = file_.write(std::move(content)); !begun) return begun;
  if (!file_.wait(kDisk))
    return failure(
        fmt::format("the disk did not take {} within {} s", file_.file().string(), kDisk.count()));
  if (std::optional<Error> failed = file_.take_failure())
    return std::unexpected(std::move(*failed));
  return {};
}

Status Unconfirmed::keep(const std::string& taken, const std::string& before) {
  const std::string content = Json{{"taken", taken}, {"before", before}}.dump();
  if (Status kept = store(content); !kept) return kept;
  previous_ = std::exchange(kept_, content);
  return {};
}

void Unconfirmed::take_back() {
  kept_ = previous_;
  if (Status stored = store(kept_); !stored) log::warning("{}", stored.error().message);
}

Status Unconfirmed::forget() {
  if (kept_.empty()) return {};
  if (Status removed = store(""); !removed) return removed;
  kept_.clear();
  return {};
}

}  // namespace hanet::daemon
