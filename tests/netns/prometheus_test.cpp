// SPDX-License-Identifier: Apache-2.0
//
// What is shipped for Prometheus, judged by Debian's own prometheus and promtool: the metrics, the
// alert rules, a fault whose alert fires and resolves, and every query of the dashboard (O5).
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "netns/exporter.h"

namespace hanet::test {
namespace {

constexpr std::uint16_t kPort = 9090;
const std::filesystem::path kRules = HANET_INSTALL_FILES "/prometheus/hanet.rules.yml";
const std::filesystem::path kDashboard = HANET_INSTALL_FILES "/grafana/hanet.json";
const std::filesystem::path kRulesTest = HANET_RULES_TEST;

std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

bool is_installed() {
  const Result<bench::Output> found =
      bench::run({"sh", "-c", "command -v prometheus && command -v promtool"}, kPatience);
  return found && found->exit_code == 0;
}

/// What promtool says, with the file as its standard input; "" if it has nothing to say.
std::string complaint(const std::string& command, const std::filesystem::path& input) {
  const Result<bench::Output> output = bench::run(
      {"sh", "-c", fmt::format("promtool {} <{}", command, input.string())}, 3 * kPatience);
  if (!output) return output.error().message;
  return output->exit_code == 0 ? output->error : fmt::format("{}{}", output->out, output->error);
}

#define SKIP_WITHOUT_PROMETHEUS() \
  if (!is_installed()) GTEST_SKIP() << "skipped: prometheus is not installed"

TEST(AlertRules, O5_AreValidAndEachFiresWhenItHasTo) {
  SKIP_WITHOUT_PROMETHEUS();
  EXPECT_EQ(complaint("check rules " + kRules.string(), "/dev/null"), "");
  std::string directory = testing::TempDir() + "hanet-rules-XXXXXX";
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::filesystem::path in = directory;
  std::filesystem::copy(kRules, in);
  std::filesystem::copy(kRulesTest, in);
  EXPECT_EQ(complaint("test rules " + (in / kRulesTest.filename()).string(), "/dev/null"), "");
  const std::string rules = content_of(kRules), tests = content_of(kRulesTest);
  for (std::size_t at = 0; (at = rules.find("- alert: ", at)) != std::string::npos;) {
    at += std::string_view("- alert: ").size();
    const std::string alert = rules.substr(at, rules.find('\n', at) - at);
    EXPECT_TRUE(tests.contains("alertname: " + alert + "\n        exp_alerts:"))
        << alert << " has no test in which it fires";
  }
  std::filesystem::remove_all(in);
}

class Prometheus : public ExporterTest {
 protected:
  void SetUp() override {
    ExporterTest::SetUp();
    if (IsSkipped()) return;
    SKIP_WITHOUT_PROMETHEUS();
  }
  void TearDown() override {
    if (HasFailure() && prometheus_) fmt::print("--- prometheus wrote:\n{}", content_of(log()));
    prometheus_.reset();
    ExporterTest::TearDown();
  }
  [[nodiscard]] std::filesystem::path log() const { return lab().directory() / "prometheus.log"; }

  void start_prometheus() {
    const std::filesystem::path config = lab().directory() / "prometheus.yml";
    std::ofstream(config) << fmt::format(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 200ms}}\n"
        "rule_files: ['{}']\n"
        "scrape_configs: [{{job_name: hanet, static_configs: [{{targets: ['127.0.0.1:{}']}}]}}]\n",
        kRules.string(), kExporterPort);
    Result<bench::Child> child = bench::Child::start(
        lab().in("host", {"prometheus", "--config.file", config.string(), "--storage.tsdb.path",
                          (lab().directory() / "tsdb").string(), "--web.listen-address",
                          fmt::format("127.0.0.1:{}", kPort)}),
        log());
    ASSERT_TRUE(child) << child.error().message;
    prometheus_ = std::make_unique<bench::Child>(std::move(*child));
  }
  [[nodiscard]] json ask(const std::string& target) const {
    return json::parse(http_get(host_netns(), kPort, target).body, nullptr, false);
  }
  [[nodiscard]] json query(const std::string& expression) const {
    return ask("/api/v1/query?query=" + percent_encoded(expression));
  }
  [[nodiscard]] std::size_t results(const std::string& expression) const {
    const json answer = query(expression);
    if (!answer.is_object() || answer.at("status") != "success") return 0;
    return answer.at("data").at("result").size();
  }
  /// "firing", "pending", or "" where there is none.
  [[nodiscard]] std::string state_of(const std::string& alert) const {
    const json answer = ask("/api/v1/alerts");
    if (!answer.is_object()) return {};
    for (const json& each : answer.at("data").at("alerts"))
      if (each.at("labels").at("alertname") == alert) return each.at("state");
    return {};
  }
  [[nodiscard]] testing::AssertionResult alert_is(const std::string& alert,
                                                  const std::string& state) {
    return await(fmt::format("the alert {} is '{}'", alert, state),
                 [&] { return state_of(alert) == state; });
  }

 private:
  std::unique_ptr<bench::Child> prometheus_;
};

TEST_F(Prometheus, O5_PromtoolHasNothingToSayOfTheMetrics) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  const std::filesystem::path file = lab().directory() / "scrape";
  std::ofstream(file) << scrape().body;
  EXPECT_EQ(complaint("check metrics", file), "");
}

TEST_F(Prometheus, O5_AnAlertFiresInAFaultAndResolves) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  ASSERT_NO_FATAL_FAILURE(start_prometheus());
  ASSERT_TRUE(await("prometheus has scraped", [&] { return results("hanet_up == 1") == 1; }));
  EXPECT_EQ(results("hanet_group_protected == 1"), 1U);
  EXPECT_EQ(state_of("HanetNoWorkingPath"), "");
  ASSERT_DONE(lab().fault("blackhole", "all"));
  EXPECT_TRUE(alert_is("HanetNoWorkingPath", "firing"));
  EXPECT_TRUE(alert_is("HanetNotProtected", "pending")) << "it has to last";
  ASSERT_DONE(lab().heal());
  EXPECT_TRUE(alert_is("HanetNoWorkingPath", ""));
  EXPECT_TRUE(alert_is("HanetNotProtected", ""));
  host().kill();
  EXPECT_TRUE(alert_is("HanetDown", "pending"));
  host().start();
  ASSERT_TRUE(all_ready());
  ASSERT_NO_FATAL_FAILURE(admit_nobody());
  EXPECT_TRUE(alert_is("HanetDown", ""));
}

TEST_F(Prometheus, O5_AFaultDoesNotResolveBecauseHanetdDies) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  ASSERT_NO_FATAL_FAILURE(start_prometheus());
  ASSERT_TRUE(await("prometheus has scraped", [&] { return results("hanet_up == 1") == 1; }));
  ASSERT_DONE(lab().fault("blackhole", "all"));
  EXPECT_TRUE(alert_is("HanetNoWorkingPath", "firing"));
  host().kill();
  EXPECT_TRUE(alert_is("HanetDown", "pending"));
  ASSERT_TRUE(await("nothing is shown", [&] { return results("hanet_group_condition") == 0; }));
  EXPECT_EQ(state_of("HanetNoWorkingPath"), "firing");
  ASSERT_DONE(lab().heal());
  host().start();
  ASSERT_TRUE(all_ready());
  ASSERT_NO_FATAL_FAILURE(admit_nobody());
  EXPECT_TRUE(alert_is("HanetNoWorkingPath", ""));
}

/// All expressions of a dashboard, as Grafana would ask them.
std::vector<std::string> expressions_of(const json& dashboard) {
  std::vector<std::string> all;
  const auto add = [&](std::string expression) {
    for (const auto& [variable, value] :
         {std::pair<std::string, std::string>{"$__rate_interval", "3s"},
          {"$__range", "60s"},
          {"$instance", ".+"},
          {"$group", ".+"}})
      for (std::size_t at = 0; (at = expression.find(variable, at)) != std::string::npos;)
        expression.replace(at, variable.size(), value);
    all.push_back(std::move(expression));
  };
  for (const json& panel : dashboard.at("panels"))
    for (const json& target : panel.at("targets")) add(target.at("expr"));
  for (const json& annotation : dashboard.at("annotations").at("list")) add(annotation.at("expr"));
  return all;
}

TEST_F(Prometheus, O5_EveryQueryOfTheDashboardHasAnAnswer) {
  ASSERT_NO_FATAL_FAILURE(bring_up_with_exporter());
  ASSERT_NO_FATAL_FAILURE(start_prometheus());
  ASSERT_TRUE(await("prometheus has scraped", [&] { return results("hanet_up == 1") == 1; }));
  ASSERT_DONE(lab().fault("blackhole"));
  ASSERT_TRUE(all_on("p1"));
  const std::vector<std::string> expressions = expressions_of(json::parse(content_of(kDashboard)));
  EXPECT_GT(expressions.size(), 15U);
  for (const std::string& expression : expressions) {
    SCOPED_TRACE(expression);
    EXPECT_EQ(query(expression).at("status"), "success") << query(expression).dump();
    EXPECT_TRUE(await("it has an answer", [&] { return results(expression) > 0; }));
  }
}

}  // namespace
}  // namespace hanet::test
