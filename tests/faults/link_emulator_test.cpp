// A bad link between real sockets. What it did is judged by its own statistics, never by a clock.
#include "faults/link_emulator.h"
#include "faults/loopback.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <string>

namespace saccade::faults {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr timeval kPatience{60, 0};  // of a socket call, on a machine that is very busy

std::string counting(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
  return bytes;
}

// A blocking socket with patience.
class Socket {
 public:
  explicit Socket(FileDescriptor fd) : fd_(std::move(fd)) {
    for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
      ::setsockopt(fd_.get(), SOL_SOCKET, option, &kPatience, sizeof kPatience);
  }
  static Socket to(int port, int *error = nullptr) {
    Socket socket(FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    const auto address = loopback(port);
    const int result =
        ::connect(socket.fd_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address);
    if (error) *error = result == 0 ? 0 : errno;
    return socket;
  }

  bool send(const std::string &bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const auto n = ::send(fd_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    return true;
  }
  void send_end() { ::shutdown(fd_.get(), SHUT_WR); }
  // So many bytes, fewer when the other side ends or breaks off (then errno_ says how).
  std::string receive(std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t have = 0;
    errno_ = 0;
    while (have < size) {
      const auto n = ::recv(fd_.get(), bytes.data() + have, size - have, 0);
      if (n < 0) errno_ = errno;
      if (n <= 0) break;
      have += static_cast<std::size_t>(n);
    }
    bytes.resize(have);
    return bytes;
  }
  int last_error() const { return errno_; }
  int get() const { return fd_.get(); }

 private:
  FileDescriptor fd_;
  int errno_ = 0;
};

// Accepts connections and has each served on a thread of its own; ends when all connections have.
class Target {
 public:
  using Serve = std::function<void(Socket &)>;
  explicit Target(Serve serve) : serve_(std::move(serve)) {
    listener_ = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    auto address = loopback(0);
    socklen_t size = sizeof address;
    const auto any = reinterpret_cast<sockaddr *>(&address);
    EXPECT_EQ(::bind(listener_.get(), any, size), 0);
    EXPECT_EQ(::listen(listener_.get(), 256), 0);
    EXPECT_EQ(::getsockname(listener_.get(), any, &size), 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] {
      for (;;) {
        FileDescriptor connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection.valid()) return;
        servers_.emplace_back([this, socket = Socket(std::move(connection))]() mutable { serve_(socket); });
      }
    });
  }
  ~Target() {
    ::shutdown(listener_.get(), SHUT_RDWR);  // ends accept()
    acceptor_.join();
  }
  int port() const { return port_; }

 private:
  Serve serve_;
  FileDescriptor listener_;
  int port_ = 0;
  std::vector<std::jthread> servers_;
  std::jthread acceptor_;
};

void echo(Socket &socket) {
  for (;;) {
    char bytes[65536];
    const auto n = ::recv(socket.get(), bytes, sizeof bytes, 0);
    if (n <= 0 || !socket.send(std::string(bytes, static_cast<std::size_t>(n)))) break;
  }
  socket.send_end();
}

LinkEmulatorSettings to(const Target &target, const LinkState &state = {}) {
  return {.target_port = target.port(), .schedule = always(state)};
}

// Sends on a thread of its own, as an echo needs it, and gives what comes back until the end.
std::string echoed(int port, const std::string &bytes) {
  auto socket = Socket::to(port);
  const std::jthread sender([&] {
    socket.send(bytes);
    socket.send_end();
  });
  return socket.receive(bytes.size() + 1);
}

// If this fails, the emulator itself spoils or swaps what it forwards.
TEST(LinkEmulator, OrderAndContentSurviveABadLink) {
  const Target target(echo);
  const LinkEmulator link(to(
      target,
      both_ways(
          {.delay = milliseconds(2), .jitter = milliseconds(5), .loss = 0.02, .stall = milliseconds(10)})));
  const auto sent = counting(1000000);
  EXPECT_TRUE(echoed(link.port(), sent) == sent);
  const auto statistics = link.statistics();
  for (const auto &direction : {statistics.up, statistics.down}) {
    EXPECT_EQ(direction.line.bytes_entered, sent.size());
    EXPECT_EQ(direction.bytes_delivered, sent.size());
    EXPECT_GT(direction.line.units_held_back, 0U);
    EXPECT_GE(direction.line.last_due - direction.line.first_entered, milliseconds(2));
    EXPECT_GE(direction.earliest, Duration::zero()) << "something went out before it was due";
  }
}

// If this fails, a throughput measured over the emulated link is not that link's.
TEST(LinkEmulator, AllConnectionsTogetherGetTheRate) {
  const Target target(echo);
  LinkState state;
  state.down.rate = 4e6;
  const LinkEmulator link(to(target, state));
  const auto sent = counting(100000);
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&] { EXPECT_TRUE(echoed(link.port(), sent) == sent); });
    }
  }
  const auto down = link.statistics().down;
  EXPECT_NEAR(to_seconds(down.line.busy), 400000 / 4e6, 1e-4);
  EXPECT_GE(down.line.last_due - down.line.first_entered, down.line.busy);
  EXPECT_GE(down.earliest, Duration::zero());
  EXPECT_EQ(link.statistics().up.line.busy, Duration::zero());
}

// If this fails, a cut link still carries something, or never comes back.
TEST(LinkEmulator, ACutResetsAndRefusesUntilItIsMended) {
  const Target target(echo);
  LinkEmulator link(to(target));
  auto before = Socket::to(link.port());
  ASSERT_TRUE(before.send("hello"));
  ASSERT_EQ(before.receive(5), "hello");
  link.set_state({.door = LinkState::Door::cut});
  EXPECT_EQ(before.receive(1), "");
  EXPECT_EQ(before.last_error(), ECONNRESET);
  int error = 0;
  Socket::to(link.port(), &error);
  EXPECT_EQ(error, ECONNREFUSED);
  EXPECT_EQ(link.statistics().resets, 1U);
  link.set_state({});
  EXPECT_EQ(echoed(link.port(), "again"), "again");
}

// If this fails, a link that hangs looks like one that is cut, or leaks bytes.
TEST(LinkEmulator, AHangTakesConnectionsAndForwardsNothing) {
  const Target target(echo);
  LinkEmulator link(to(target));
  link.set_state({.door = LinkState::Door::hang});
  int error = -1;
  auto socket = Socket::to(link.port(), &error);
  EXPECT_EQ(error, 0);
  ASSERT_TRUE(socket.send("hello"));
  for (int i = 0; i < 10; ++i) link.set_state({.door = LinkState::Door::hang});  // each a round of its thread
  EXPECT_EQ(link.statistics().up.bytes_delivered, 0U);
  link.set_state({});
  EXPECT_EQ(socket.receive(5), "hello");
}

// If this fails, a link that begins to hang goes on with what it has read already.
TEST(LinkEmulator, AHangHoldsWhatIsOnItsWay) {
  const Target target(echo);
  LinkState slow;
  slow.up.rate = 1;
  LinkEmulator link(to(target, slow));
  auto socket = Socket::to(link.port());
  ASSERT_TRUE(socket.send("hello"));
  for (int i = 0; i < 60000 && link.statistics().up.line.bytes_entered < 5; ++i)
    std::this_thread::sleep_for(milliseconds(1));
  for (int i = 0; i < 10; ++i) link.set_state({.door = LinkState::Door::hang});  // and no limit to the rate
  EXPECT_EQ(link.statistics().up.line.bytes_left, 0U);
  EXPECT_EQ(link.statistics().up.bytes_delivered, 0U);
  link.set_state({});
  EXPECT_EQ(socket.receive(5), "hello");
}

// If this fails, a client's limit on silence is tested with gulps instead of a drip.
TEST(LinkEmulator, Drips) {
  const Target target(echo);
  LinkState state;
  ASSERT_TRUE(apply_word("down.drip=2kB/s", &state).ok());
  const LinkEmulator link(to(target, state));
  EXPECT_EQ(echoed(link.port(), counting(200)), counting(200));
  const auto down = link.statistics().down.line;
  EXPECT_GE(down.units, 10U) << "of twenty bytes each";
  EXPECT_NEAR(to_seconds(down.busy), 0.1, 1e-3);
}

// If this fails, a spoilt answer never reaches who must cope with it.
TEST(LinkEmulator, SpoilsBits) {
  const Target target(echo);
  LinkState state;
  state.down.corrupt = 0.001;
  const LinkEmulator link(to(target, state));
  const auto sent = counting(200000);
  const auto received = echoed(link.port(), sent);
  ASSERT_EQ(received.size(), sent.size());
  std::size_t spoilt = 0;
  for (std::size_t i = 0; i < sent.size(); ++i) spoilt += sent[i] != received[i] ? 1 : 0;
  EXPECT_GT(spoilt, 0U);
  EXPECT_EQ(spoilt, link.statistics().down.line.bits_flipped);
}

// If this fails, a connection starves among others or gets another's bytes.
TEST(LinkEmulator, ServesManyConnections) {
  const Target target(echo);
  LinkEmulatorSettings settings = to(target, both_ways({.delay = milliseconds(5), .rate = 20e6}));
  settings.queue_bytes = 16 << 10;  // far less than all of them send
  const LinkEmulator link(settings);
  std::vector<std::jthread> clients;
  std::atomic<int> good = 0;
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back([&, i] {
      const auto sent = counting(3000 + static_cast<std::size_t>(i)) + std::to_string(i);
      good += echoed(link.port(), sent) == sent ? 1 : 0;
    });
  }
  clients.clear();
  EXPECT_EQ(good, 100);
  EXPECT_EQ(link.statistics().connections, 100U);
  EXPECT_EQ(link.statistics().resets, 0U);
}

// If this fails, the emulator takes all that a fast sender has into its memory, or loses it.
TEST(LinkEmulator, ASenderWaitsForRoomInTheQueue) {
  const Target target(echo);
  LinkState slow;
  slow.up.rate = 1000;
  LinkEmulatorSettings settings = to(target, slow);
  settings.queue_bytes = 64 << 10;
  LinkEmulator link(settings);
  const auto sent = counting(4 << 20);
  std::string received;
  std::jthread client([&] { received = echoed(link.port(), sent); });
  for (int i = 0; i < 60000 && link.statistics().up.times_full == 0; ++i)
    std::this_thread::sleep_for(milliseconds(1));
  const auto full = link.statistics().up;
  EXPECT_EQ(full.times_full, 1U);
  EXPECT_LE(full.line.longest_queue, settings.queue_bytes + (16 << 10))
      << "one read more than there is room for";
  link.set_state({});
  client.join();
  EXPECT_TRUE(received == sent);
}

// If this fails, a receiver that does not read lets the emulator's memory grow without end.
TEST(LinkEmulator, AReceiverThatDoesNotReadHoldsTheSenderUp) {
  std::atomic<bool> read = false;
  const Target target([&](Socket &socket) {
    while (!read) std::this_thread::sleep_for(milliseconds(1));
    echo(socket);
  });
  const LinkEmulator link(to(target));
  const auto sent = counting(32 << 20);
  std::string received;
  std::jthread client([&] { received = echoed(link.port(), sent); });
  constexpr std::size_t kMost =
      (8 << 20) + (16 << 10);  // one read more than a connection may have on its way
  for (int i = 0; i < 60000 && link.statistics().up.most_on_way < (8 << 20); ++i)
    std::this_thread::sleep_for(milliseconds(1));
  EXPECT_GE(link.statistics().up.most_on_way, std::size_t{8} << 20);
  read = true;
  client.join();
  EXPECT_LE(link.statistics().up.most_on_way, kMost);
  EXPECT_TRUE(received == sent);
}

// If this fails, a request that ends with its connection's sending side never gets its answer.
TEST(LinkEmulator, ForwardsTheEndOfOneDirection) {
  const Target target([](Socket &socket) {
    const auto all = socket.receive(100);  // until the end
    socket.send("got " + std::to_string(all.size()));
  });
  const LinkEmulator link(to(target, both_ways({.delay = milliseconds(3)})));
  EXPECT_EQ(echoed(link.port(), "12345"), "got 5");
}

// If this fails, a client waits for ever for a server that is not there.
TEST(LinkEmulator, ResetsWhenNobodyListensAtTheTarget) {
  int port = 0;
  { port = Target(echo).port(); }
  const LinkEmulator link({.target_port = port});
  auto socket = Socket::to(link.port());
  EXPECT_EQ(socket.receive(1), "");
  EXPECT_EQ(socket.last_error(), ECONNRESET);
}

// If this fails, a test that fails in its middle hangs in the emulator's destructor.
TEST(LinkEmulator, StopsWhileBusy) {
  for (const auto door : {LinkState::Door::open, LinkState::Door::hang}) {
    const Target target(echo);
    std::vector<std::jthread> clients;
    std::atomic<int> ended = 0;
    {
      LinkEmulator link(to(target, both_ways({.delay = milliseconds(1), .rate = 1e6})));
      for (int i = 0; i < 8; ++i) {
        clients.emplace_back([&, port = link.port()] {
          const auto sent = counting(16 << 20);
          ended += echoed(port, sent).size() < sent.size() ? 1 : 0;
        });
      }
      for (int i = 0; i < 60000 && link.statistics().down.bytes_delivered == 0; ++i)
        std::this_thread::sleep_for(milliseconds(1));
      EXPECT_GT(link.statistics().down.bytes_delivered, 0U);
      link.set_state({.door = door});
    }
    clients.clear();
    EXPECT_EQ(ended, 8);
  }
}

// If this fails, a schedule's states come in another order, or only the first one does.
TEST(LinkEmulator, FollowsItsSchedule) {
  const Target target(echo);
  LinkSchedule schedule;
  schedule.steps = {{Duration::zero(), {.door = LinkState::Door::hang}}, {milliseconds(30), {}}};
  const auto begin = Clock::now();
  const LinkEmulator link({.target_port = target.port(), .schedule = schedule});
  EXPECT_EQ(echoed(link.port(), "x"), "x");
  EXPECT_GE(link.statistics().up.line.first_entered - begin, milliseconds(30)) << "it hung so long";
}

}  // namespace
}  // namespace saccade::faults
