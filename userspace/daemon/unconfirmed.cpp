// SPDX-License-Identifier: Apache-2.0
//
// See unconfirmed.h. The file: one JSON object.
#include "daemon/unconfirmed.h"

#include <fmt/format.h>

#include <system_error>

#include "core/background_file.h"
#include "core/json.h"
#include "core/log.h"
#include "core/private_file.h"

namespace hanet::daemon {
namespace {

constexpr std::size_t kMaxTexts = std::size_t{16} << 20;  // bytes: two configuration files, as JSON

}  // namespace

Status Unconfirmed::keep(const std::string& taken, const std::string& before) const {
  std::error_code ignored;  // writing tells what is wrong
  std::filesystem::create_directories(file_.parent_path(), ignored);
  return write_durably(file_, Json{{"taken", taken}, {"before", before}}.dump());
}

void Unconfirmed::forget() const {
  std::error_code failed;
  std::filesystem::remove(file_, failed);
  if (failed)
    log::warning("{} can not be removed ({}); the next start would take what it keeps",
                 file_.string(), failed.message());
}

std::optional<std::string> Unconfirmed::instead_of(const std::string& taken) const {
  const Result<std::optional<std::string>> bytes = read_private_file(file_, kMaxTexts);
  if (!bytes) log::warning("{} is not used: {}", file_.string(), bytes.error().message);
  if (!bytes || !*bytes) return std::nullopt;
  const Json kept = Json::parse(**bytes, nullptr, false);
  if (!kept.is_object() || kept.value("taken", "") != taken) return std::nullopt;
  return kept.value("before", "");
}

Result<config::Config> load_confirmed(const std::filesystem::path& file,
                                      const std::filesystem::path& directory) {
  Result<config::Config> config = config::load(file);
  if (!config) return config;
  const std::optional<std::string> text = Unconfirmed(directory).instead_of(config->text);
  if (!text) return config;
  Result<config::Config> before = config::parse(*text, file.string());
  if (!before) {
    log::warning("nobody confirmed the reload of {}, but what ran before can not run: {}",
                 file.string(), before.error().message);
    return config;
  }
  log::warning(
      "nobody confirmed the reload of {}, so what ran before it runs; 'hanetctl diff' shows the "
      "difference, 'hanetctl reload' takes the file",
      file.string());
  return before;
}

}  // namespace hanet::daemon
