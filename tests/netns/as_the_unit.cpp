// SPDX-License-Identifier: Apache-2.0
//
// as_the_unit UNIT BESIDES... -- PROGRAM ARGUMENT...: runs a program with the rights that a unit of
// systemd would give it, where no systemd runs; and besides with the right to write to these paths
// (/...), with these capabilities (cap_...), and to these system calls.
//
// What a sandbox takes away breaks the paths that are rarely taken: a card that comes back, a
// setting that has to be restored. So hanetd has the unit's rights in every test of networks, and
// not only in the one machine where it is installed. The unit's own file says which. Each of its
// settings about rights is either applied here or named below with the reason; one that is new is
// an error, so that nobody has to think of this program.
//
// What a group of system calls is systemd says itself (systemd-analyze syscall-filter). What the
// settings do to the kernel's interface is in systemd.exec(5), and how, in systemd's
// src/shared/seccomp-util.c. A group that is taken away after it was allowed, and a call that was
// named, work as there: in the order of the lines.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Words = std::vector<std::string>;
using Settings = std::vector<std::pair<std::string, std::string>>;  // in the order of the file

// Of the unit's section [Service]; none of them is a right that hanetd would miss here.
const std::set<std::string> kNoRights{
    "Type",
    "ExecCondition",
    "ExecStart",
    "ExecReload",
    "ExecStop",
    "WatchdogSec",
    "Restart",
    "RestartSec",
    "TasksMax",
    "RuntimeDirectory",
    "RuntimeDirectoryPreserve",
    "RestartPreventExitStatus",
    "StateDirectory",
    "TimeoutStopSec",
    "OOMPolicy",
    "OOMScoreAdjust",
};
const std::map<std::string, std::string> kNotApplied{
    {"LimitRTPRIO", "the test raises it, where that is allowed"},
    {"LimitMEMLOCK", "the test raises it, where that is allowed"},
    {"SupplementaryGroups", "there is no group hanet before hanet is installed"},
    {"UMask", "tests read what hanetd writes"},
    {"ProtectHome", "the programs under test may be there"},
    {"PrivateTmp", "labs and their files are there"},
    {"PrivateDevices",
     "what it does besides to capabilities and system calls stands in the unit, too"},
    {"ProtectControlGroups", "/sys is read-only by ReadOnlyPaths="},
    {"ProtectKernelModules", "CAP_SYS_MODULE and its calls are not in the lists"},
    {"SystemCallArchitectures", "a filter of libseccomp takes no other one"},
    {"SystemCallErrorNumber", "EPERM, below"},
};

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

Words words_of(const std::string& text) {
  std::istringstream stream(text);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

Settings read_service(const std::string& file) {
  std::ifstream unit(file);
  if (!unit) fail("open " + file);
  Settings settings;
  bool is_service = false;
  for (std::string line; std::getline(unit, line);) {
    if (line.starts_with('[')) is_service = line == "[Service]";
    const std::size_t equals = line.find('=');
    if (is_service && !line.starts_with('#') && equals != std::string::npos)
      settings.emplace_back(line.substr(0, equals), line.substr(equals + 1));
  }
  return settings;
}

// --- what it sees -------------------------------------------------------------------------------

/// Without a "-" in front, a path that is not there is an error.
void each_path(const std::string& paths, const auto& act) {
  for (std::string path : words_of(paths)) {
    const bool may_be_missing = path.starts_with('-');
    if (may_be_missing) path.erase(0, 1);
    if (may_be_missing && !std::filesystem::exists(path)) continue;
    act(path);
  }
}

void set_writable(const std::string& path, bool writable) {
  mount_attr attributes{};
  (writable ? attributes.attr_clr : attributes.attr_set) = MOUNT_ATTR_RDONLY;
  if (::mount_setattr(AT_FDCWD, path.c_str(), AT_RECURSIVE, &attributes, sizeof attributes) != 0)
    fail(fmt::format("make {} {}", path, writable ? "writable" : "read-only"));
}

/// systemd does it at boot; the sandbox must not, and nobody outside would see it. The lock: two
/// tests that begin at once would mount it twice, and the second mount hide the pins of the first.
void mount_bpf_file_system() {
  constexpr const char* kMountPoint = "/sys/fs/bpf";
  const int folder = ::open(kMountPoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || ::flock(folder, LOCK_EX) != 0) fail(fmt::format("lock {}", kMountPoint));
  struct statfs there{};
  if (::statfs(kMountPoint, &there) != 0) fail(fmt::format("look at {}", kMountPoint));
  if (there.f_type != BPF_FS_MAGIC &&
      ::mount("bpf", kMountPoint, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
    fail(fmt::format("mount the BPF file system on {}", kMountPoint));
  ::close(folder);
}

class Files {
 public:
  /// ProtectSystem=strict leaves these as they are.
  Files() : writable_{{"/dev", true}, {"/proc", true}} {}
  void apply(const std::string& key, const std::string& paths) {
    each_path(paths, [&](const std::string& path) {
      if (key == "InaccessiblePaths")
        hidden_.push_back(path);
      else
        writable_[path] = key == "ReadWritePaths";
    });
  }
  // What is below another one comes after it in the order of a map.
  void mount() const {
    if (::unshare(CLONE_NEWNS) != 0) fail("make a mount namespace");
    if (::mount("none", "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) fail("keep mounts here");
    for (const auto& [path, writable] : writable_) bind(path, path);
    set_writable("/", false);
    for (const auto& [path, writable] : writable_) set_writable(path, writable);
    for (const std::string& path : hidden_) bind("/dev/null", path);
  }

 private:
  static void bind(const std::string& from, const std::string& to) {
    if (::mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
      fail(fmt::format("bind {} to {}", from, to));
  }

  std::map<std::string, bool> writable_;  // or read-only
  Words hidden_;
};

// --- what it may ask the kernel for -------------------------------------------------------------

void keep_capabilities(const std::string& names) {
  std::set<cap_value_t> kept;
  for (const std::string& name : words_of(names)) {
    cap_value_t value = 0;
    if (::cap_from_name(name.c_str(), &value) != 0) fail("find " + name);
    kept.insert(value);
  }
  for (cap_value_t value = 0; ::prctl(PR_CAPBSET_READ, value) >= 0; ++value)
    if (!kept.contains(value) && ::prctl(PR_CAPBSET_DROP, value) != 0) fail("drop a capability");
}

/// "@group" to what is in it, which may be groups.
std::map<std::string, Words> read_groups() {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(
      ::popen("systemd-analyze --no-pager syscall-filter 2>/dev/null", "r"), ::pclose);
  if (!pipe) fail("run systemd-analyze");
  std::map<std::string, Words> groups;
  std::string group;
  std::array<char, 256> line;
  while (std::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
    const Words words = words_of(line.data());
    if (words.empty() || words.front().starts_with('#')) continue;
    if (line.front() == '@')
      group = words.front();
    else
      groups[group].push_back(words.front());
  }
  if (groups.empty()) throw std::runtime_error("systemd-analyze knows no system calls");
  return groups;
}

class Calls {
 public:
  /// A line of SystemCallFilter=.
  void apply(const std::string& line) {
    const bool removes = line.starts_with('~');
    for (const std::string& word : words_of(removes ? line.substr(1) : line)) change(word, removes);
  }
  void remove(const std::string& word) { change(word, true); }
  [[nodiscard]] std::set<std::string> allowed() const {
    std::set<std::string> all = allowed_;
    for (const std::string& call : groups_.at("@default")) all.insert(call);
    return all;
  }

 private:
  void change(const std::string& word, bool removes) {
    if (word.starts_with('@'))
      for (const std::string& inner : groups_.at(word)) change(inner, removes);
    else if (removes)
      allowed_.erase(word);
    else
      allowed_.insert(word);
  }

  std::map<std::string, Words> groups_ = read_groups();
  std::set<std::string> allowed_;
};

class Filter {
 public:
  explicit Filter(std::uint32_t otherwise) : context_(::seccomp_init(otherwise)) {
    if (context_ == nullptr) throw std::runtime_error("seccomp_init");
    ::seccomp_attr_set(context_, SCMP_FLTATR_CTL_NNP, 0);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  ~Filter() { ::seccomp_release(context_); }

  /// A call that this processor has not is none.
  void add(std::uint32_t action, const std::string& call, std::vector<scmp_arg_cmp> when = {}) {
    const int number = ::seccomp_syscall_resolve_name(call.c_str());
    if (number == __NR_SCMP_ERROR || number < 0) return;
    errno = -::seccomp_rule_add_array(context_, action, number, static_cast<unsigned>(when.size()),
                                      when.data());
    if (errno != 0) fail("filter " + call);
  }
  void load() {
    errno = -::seccomp_load(context_);
    if (errno != 0) fail("load a filter");
  }

 private:
  scmp_filter_ctx context_;
};

constexpr std::uint32_t kRefused = SCMP_ACT_ERRNO(EPERM);

scmp_arg_cmp masked(unsigned argument, std::uint64_t bits) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = bits, .datum_b = bits};
}

void refuse_writable_code(Filter& filter) {
  filter.add(kRefused, "mmap", {masked(2, PROT_EXEC | PROT_WRITE)});
  for (const char* call : {"mprotect", "pkey_mprotect"})
    filter.add(kRefused, call, {masked(2, PROT_EXEC)});
}

void refuse_namespaces(Filter& filter) {
  for (const std::uint64_t kind : {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                   CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET})
    for (const char* call : {"clone", "unshare"}) filter.add(kRefused, call, {masked(0, kind)});
  filter.add(kRefused, "setns");
  filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");  // its flags are in memory
}

void refuse_set_id_bits(Filter& filter) {
  for (const std::uint64_t bit : {S_ISUID, S_ISGID}) {
    for (const char* call : {"chmod", "fchmod", "mkdir", "mknod", "creat"})
      filter.add(kRefused, call, {masked(1, bit)});
    for (const char* call : {"fchmodat", "mkdirat", "mknodat"})
      filter.add(kRefused, call, {masked(2, bit)});
  }
}

// Everything below the highest that is none of them, as ranges would be.
void refuse_families(Filter& filter, const std::string& kept) {
  const std::map<std::string, int> numbers{{"AF_UNIX", AF_UNIX},
                                           {"AF_NETLINK", AF_NETLINK},
                                           {"AF_PACKET", AF_PACKET},
                                           {"AF_INET", AF_INET},
                                           {"AF_INET6", AF_INET6}};
  std::set<std::uint64_t> allowed;
  for (const std::string& name : words_of(kept))
    allowed.insert(static_cast<std::uint64_t>(numbers.at(name)));
  for (std::uint64_t family = 0; family < AF_MAX; ++family)
    if (!allowed.contains(family))
      filter.add(SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket",
                 {{.arg = 0, .op = SCMP_CMP_EQ, .datum_a = family, .datum_b = 0}});
}

// --- the whole unit -----------------------------------------------------------------------------

class Unit {
 public:
  explicit Unit(const Words& besides) {
    for (const std::string& one : besides)
      if (one.starts_with('/'))
        files_.apply("ReadWritePaths", one);
      else if (one.starts_with("cap_"))
        capabilities_ += " " + one;
      else
        calls_besides_.push_back(one);
  }

  void apply(const std::string& key, const std::string& value) {
    if (kNoRights.contains(key) || kNotApplied.contains(key)) return;
    if (key == "CapabilityBoundingSet")
      capabilities_ += " " + value;
    else if (key == "SystemCallFilter")
      calls_.apply(value);
    else if (key.ends_with("Paths"))
      files_.apply(key, value);
    else if (key == "RestrictAddressFamilies")
      refuse_families(refusals_, value);
    else if (key != "ProtectSystem" || value != "strict")
      apply_flag(key, value);
  }
  // In this order: what is needed for a step is still there.
  void enter() {
    files_.mount();
    keep_capabilities(capabilities_);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("set no_new_privs");
    refusals_.load();
    Filter allowed(kRefused);
    for (const std::string& refused : refused_calls_) calls_.remove(refused);
    for (const std::string& call : calls_besides_) calls_.apply(call);
    for (const std::string& call : calls_.allowed()) allowed.add(SCMP_ACT_ALLOW, call);
    allowed.load();
  }

 private:
  void apply_flag(const std::string& key, const std::string& value) {
    static const std::map<std::string, Words> kCalls{
        {"NoNewPrivileges", {}},
        {"ProtectClock", {"@clock"}},
        {"ProtectKernelLogs", {"syslog"}},
        {"ProtectHostname", {"sethostname", "setdomainname"}},
        {"LockPersonality", {"personality"}}};
    static const std::map<std::string, void (*)(Filter&)> kRefusals{
        {"MemoryDenyWriteExecute", refuse_writable_code},
        {"RestrictNamespaces", refuse_namespaces},
        {"RestrictSUIDSGID", refuse_set_id_bits}};
    const auto calls = kCalls.find(key);
    const auto refusal = kRefusals.find(key);
    if (value != "yes" || (calls == kCalls.end() && refusal == kRefusals.end()))
      throw std::runtime_error(fmt::format("{}={} of the unit is not known here", key, value));
    if (refusal != kRefusals.end()) return refusal->second(refusals_);
    refused_calls_.insert(refused_calls_.end(), calls->second.begin(), calls->second.end());
  }

  Files files_;
  Filter refusals_{SCMP_ACT_ALLOW};
  Calls calls_;
  std::string capabilities_;
  Words refused_calls_;
  Words calls_besides_;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
    const auto separator = std::ranges::find(arguments, std::string("--"));
    if (argc < 4 || arguments.end() - separator < 2)
      throw std::runtime_error("usage: as_the_unit UNIT BESIDES... -- PROGRAM ARGUMENT...");
    Unit unit(Words(arguments.begin() + 2, separator));
    for (const auto& [key, value] : read_service(arguments[1])) unit.apply(key, value);
    mount_bpf_file_system();
    unit.enter();
    ::execvp(separator[1], &separator[1]);
    fail(std::string("run ") + separator[1]);
  } catch (const std::exception& failed) {
    std::fprintf(stderr, "as_the_unit: %s\n", failed.what());
    return 126;
  }
}
