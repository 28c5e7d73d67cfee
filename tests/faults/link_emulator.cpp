#include "faults/link_emulator.h"
#include "faults/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace saccade::faults {

namespace {

// Waits are no finer than this: a fast line would wake the thread for every unit.
constexpr Duration kGrain = std::chrono::microseconds(500);
constexpr Duration kPauseBeforeListeningAgain = std::chrono::milliseconds(10);
constexpr Duration kLongestWait = std::chrono::seconds(1);
constexpr std::size_t kReadBytes = 16 << 10;
constexpr std::size_t kMostOnWay = 8 << 20;  // bytes of one connection; room for 80 MB/s over 100 ms
constexpr int kReceiveBuffer =
    128 << 10;  // so that the system does not swallow what the line has no room for
constexpr int kBacklog = 256;

[[noreturn]] void fail(const char *what) { throw std::system_error(errno, std::generic_category(), what); }

FileDescriptor new_socket() {
  return FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

void set_option(const FileDescriptor &fd, int level, int name, int value) {
  ::setsockopt(fd.get(), level, name, &value, sizeof value);
}

// None when the port is taken.
FileDescriptor bound_to(int port) {
  auto fd = new_socket();
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  const auto address = loopback(port);
  if (!fd.valid() || ::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
    return {};
  return fd;
}

int port_of(const FileDescriptor &fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr *>(&address), &size) != 0)
    fail("cannot ask for the port");
  return ntohs(address.sin_port);
}

void close_with_reset(FileDescriptor &fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  fd.reset();
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

LinkEmulator::LinkEmulator(LinkEmulatorSettings settings)
    : settings_(std::move(settings)),
      keeper_(bound_to(settings_.listen_port)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      up_(settings_.seed),
      down_(settings_.seed + 1) {
  if (!keeper_.valid() || !wake_.valid()) fail("cannot listen on loopback");
  port_ = port_of(keeper_);
  open_door();
  if (!listener_.valid()) fail("cannot listen on loopback");
  state_ends_ = started_;
  take_state(started_);
  thread_ = std::jthread([this] { run(); });
}

LinkEmulator::~LinkEmulator() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
  while (!connections_.empty()) reset(connections_.begin()->first);
}

void LinkEmulator::set_state(const LinkState &state) {
  std::unique_lock lock(mutex_);
  asked_ = state;
  ::eventfd_write(wake_.get(), 1);
  applied_.wait(lock, [&] { return !asked_; });
}

LinkStatistics LinkEmulator::statistics() const {
  const std::lock_guard lock(mutex_);
  auto now = statistics_;
  now.up = up_.statistics;
  now.up.line = up_.line.statistics();
  now.down = down_.statistics;
  now.down.line = down_.line.statistics();
  now.open = connections_.size();
  return now;
}

void LinkEmulator::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = Clock::now();
    step(now);
    collect_watched(now);
    const auto next = time_to_next_event(now);
    const auto pause = next <= Duration::zero() ? Duration::zero() : std::clamp(next, kGrain, kLongestWait);
    lock.unlock();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(pause);
    const timespec timeout{static_cast<time_t>(seconds.count()),
                           static_cast<long>((pause - seconds).count())};
    ::ppoll(polled_.data(), polled_.size(), &timeout, nullptr);
    eventfd_t ignored = 0;
    ::eventfd_read(wake_.get(), &ignored);
    lock.lock();
    serve_ready(Clock::now());
  }
}

void LinkEmulator::step(TimePoint now) {
  move(up_, &Connection::up, now);
  move(down_, &Connection::down, now);
  remove_finished();
  take_state(now);
  if (!listener_.valid() && state_.door != LinkState::Door::cut) open_door();
}

// --- States
// -----------------------------------------------------------------------------------------------------

void LinkEmulator::take_state(TimePoint now) {
  if (asked_) {
    apply(*asked_, now);
    asked_.reset();
    by_schedule_ = false;
    state_ends_.reset();
    applied_.notify_all();
  } else if (by_schedule_ && state_ends_ && now >= *state_ends_) {
    const auto place = settings_.schedule.at(now - started_);
    apply(place.state, now);
    state_ends_.reset();
    if (place.lasts) state_ends_ = now + *place.lasts;
  }
}

void LinkEmulator::apply(const LinkState &state, TimePoint now) {
  state_ = state;
  up_.line.set_state(state.up, now);
  down_.line.set_state(state.down, now);
  if (state.door == LinkState::Door::cut) shut_door();
}

void LinkEmulator::open_door() {
  auto listener = bound_to(port_);
  if (!listener.valid()) return;
  set_option(listener, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  if (::listen(listener.get(), kBacklog) == 0) listener_ = std::move(listener);
}

void LinkEmulator::shut_door() {
  listener_.reset();
  while (!connections_.empty()) reset(connections_.begin()->first);
}

// --- Bytes
// ------------------------------------------------------------------------------------------------------

void LinkEmulator::move(Direction &direction, Way Connection::*way, TimePoint now) {
  if (state_.door == LinkState::Door::hang) return;
  while (auto unit = direction.line.leave(now)) {
    auto &of = connections_.at(unit->connection).*way;
    unit->due = of.last_due = std::max(unit->due, of.last_due);
    of.flying.push_back(std::move(*unit));
  }
  note_fullness(direction);
  std::vector<Id> broken;
  for (auto &[id, connection] : connections_) {
    const bool is_up = way == &Connection::up;
    if (is_up && connection.connecting) continue;
    const auto &to = is_up ? connection.target : connection.client;
    if (!deliver(direction, connection.*way, to.get(), now)) broken.push_back(id);
  }
  for (const Id id : broken) reset(id);
}

// False when the receiver is gone.
bool LinkEmulator::deliver(Direction &direction, Way &way, int to, TimePoint now) {
  while (!way.blocked && !way.flying.empty() && way.flying.front().due <= now) {
    if (!send_oldest(direction, way, to, now)) return false;
  }
  return true;
}

bool LinkEmulator::send_oldest(Direction &direction, Way &way, int to, TimePoint now) {
  const auto &unit = way.flying.front();
  const std::size_t left = unit.bytes.size() - way.sent;
  const auto n = left == 0 ? 0 : ::send(to, unit.bytes.data() + way.sent, left, MSG_NOSIGNAL);
  if (n < 0) {
    way.blocked = would_block();
    return way.blocked;
  }
  const auto sent = static_cast<std::size_t>(n);
  auto &statistics = direction.statistics;
  statistics.bytes_delivered += sent;
  statistics.latest = std::max(statistics.latest, Duration(now - unit.due));
  statistics.earliest = std::min(statistics.earliest, Duration(now - unit.due));
  way.on_way -= sent;
  way.sent += sent;
  if (sent < left) return true;
  if (unit.end) {
    ::shutdown(to, SHUT_WR);
    way.ended = true;
  }
  way.flying.pop_front();
  way.sent = 0;
  return true;
}

// False when the sender is gone.
bool LinkEmulator::read_some(Direction &direction, Way &way, int from, Id id, TimePoint now) {
  std::array<std::uint8_t, kReadBytes> buffer;
  const auto n = ::recv(from, buffer.data(), buffer.size(), 0);
  if (n < 0) return would_block();
  if (n == 0) {
    way.read_to_end = true;
    direction.line.enter_end(id, now);
    return true;
  }
  const auto size = static_cast<std::size_t>(n);
  direction.line.enter(id, std::span(buffer).first(size), now);
  way.on_way += size;
  direction.statistics.most_on_way = std::max(direction.statistics.most_on_way, way.on_way);
  note_fullness(direction);
  return true;
}

void LinkEmulator::note_fullness(Direction &direction) {
  const std::size_t queued = direction.line.queued();
  if (!direction.full && queued >= settings_.queue_bytes) {
    direction.full = true;
    ++direction.statistics.times_full;
  } else if (queued <= settings_.queue_bytes / 2) {
    direction.full = false;
  }
}

bool LinkEmulator::may_read(const Direction &direction, const Connection &connection, const Way &way,
                            TimePoint now) const {
  return state_.door == LinkState::Door::open && now >= connection.opens && !way.read_to_end &&
         !direction.full && way.on_way < kMostOnWay;
}

// --- Sockets
// ----------------------------------------------------------------------------------------------------

short LinkEmulator::events_of(const Connection &connection, bool is_client, TimePoint now) const {
  if (!is_client && connection.connecting) return POLLOUT;
  const bool reads = is_client ? may_read(up_, connection, connection.up, now)
                               : may_read(down_, connection, connection.down, now);
  const bool writes =
      state_.door == LinkState::Door::open && (is_client ? connection.down : connection.up).blocked;
  return static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

void LinkEmulator::collect_watched(TimePoint now) {
  polled_.assign({{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}});
  watched_.clear();
  for (const auto &[id, connection] : connections_) {
    for (const bool is_client : {true, false}) {
      const short events = events_of(connection, is_client, now);
      if (events == 0) continue;  // not even asked whether it hung up, which would come at once and for ever
      polled_.push_back({(is_client ? connection.client : connection.target).get(), events, 0});
      watched_.push_back({id, is_client});
    }
  }
}

Duration LinkEmulator::time_to_next_event(TimePoint now) const {
  auto next = now + kLongestWait;
  const auto consider = [&](TimePoint event) { next = std::min(next, event); };
  if (asked_) consider(now);
  if (state_ends_) consider(*state_ends_);
  if (!listener_.valid() && state_.door != LinkState::Door::cut) consider(now + kPauseBeforeListeningAgain);
  if (state_.door != LinkState::Door::open) return next - now;
  for (const auto *line : {&up_.line, &down_.line}) {
    if (const auto departure = line->next_departure()) consider(*departure);
  }
  for (const auto &[id, connection] : connections_) {
    if (connection.opens > now) consider(connection.opens);
    for (const auto *way : {&connection.up, &connection.down}) {
      const bool waits = way->blocked || (way == &connection.up && connection.connecting);
      if (!waits && !way->flying.empty()) consider(way->flying.front().due);
    }
  }
  return next - now;
}

void LinkEmulator::serve_ready(TimePoint now) {
  // Not always the same connection finds room in the queue.
  ++turn_;
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    const std::size_t at = (turn_ + i) % watched_.size();
    const short ready = polled_[at + 2].revents;
    const auto found = connections_.find(watched_[at].id);
    if (ready == 0 || found == connections_.end()) continue;
    if (!serve(found->first, found->second, watched_[at].is_client, ready, now)) reset(watched_[at].id);
  }
  if ((polled_[1].revents & POLLIN) != 0) accept_connections(now);
}

// False when the connection is broken.
bool LinkEmulator::serve(Id id, Connection &connection, bool is_client, short ready, TimePoint now) {
  const int fd = (is_client ? connection.client : connection.target).get();
  if (!is_client && connection.connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    connection.connecting = false;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }
  // What can be sent is sent by the next step.
  if ((ready & ~POLLIN) != 0) (is_client ? connection.down : connection.up).blocked = false;
  auto &direction = is_client ? up_ : down_;
  auto &way = is_client ? connection.up : connection.down;
  if ((ready & ~POLLOUT) == 0 || !may_read(direction, connection, way, now)) return true;
  return read_some(direction, way, fd, id, now);
}

void LinkEmulator::accept_connections(TimePoint now) {
  if (!listener_.valid()) return;
  for (int taken = 0; taken < kBacklog; ++taken) {
    FileDescriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.valid()) return;
    take_connection(std::move(client), now);
  }
}

void LinkEmulator::take_connection(FileDescriptor client, TimePoint now) {
  ++statistics_.connections;
  auto target = new_socket();
  const auto address = loopback(settings_.target_port);
  const bool begun = target.valid() && (::connect(target.get(), reinterpret_cast<const sockaddr *>(&address),
                                                  sizeof address) == 0 ||
                                        errno == EINPROGRESS);
  for (const auto *fd : {&client, &target}) set_option(*fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(target, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  const Id id = ++last_id_;
  auto &connection = connections_[id];
  connection.client = std::move(client);
  connection.target = std::move(target);
  connection.opens = now + state_.up.delay + state_.down.delay;
  if (!begun) reset(id);
}

void LinkEmulator::reset(Id id) {
  const auto found = connections_.find(id);
  close_with_reset(found->second.client);
  close_with_reset(found->second.target);
  connections_.erase(found);
  up_.line.forget(id);
  down_.line.forget(id);
  ++statistics_.resets;
}

void LinkEmulator::remove_finished() {
  std::erase_if(connections_,
                [](const auto &entry) { return entry.second.up.ended && entry.second.down.ended; });
}

}  // namespace saccade::faults
