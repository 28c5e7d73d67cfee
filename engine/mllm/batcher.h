// Reads the prompts and writes the answers of several sessions at once. Internal to mllm.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/time.h"
#include "mllm/generation.h"
#include "mllm/kv_pool.h"
#include "mllm/stretch.h"

namespace saccade {

class Draft;

// A prompt, and the answer that is to grow behind it.
struct Request {
  std::vector<Stretch> prompt;  // not empty
  Generation *generation = nullptr;
  Draft *draft = nullptr;  // guesses where the generation expects nothing; null = nobody does
  int reserve = 0;         // tokens of prompt and answer together, never above the seat's max_cells
  bool sliding = false;    // see KvPool::keep
  int priority = 0;        // higher ones are begun and read first; answers that are begun grow side by side
  std::stop_token stop;    // honoured within one slice or one token
};

struct RequestReport {
  Status status;
  Duration waited{};    // until its turn came
  Duration prefill{};   // from then until the first word could be chosen
  Duration decode{};    // from then to the end
  int tokens_read = 0;  // of the prompt, each counted once; the others were in the cache already
  int guessed = 0;      // tokens of the answer that were guessed,
  int guessed_right = 0;
  std::vector<float> attention;  // of the prompt's last words to each stretch, see KvPool::attention
};

// A request on its way. What is not said to be the caller's is the batcher's until `done` was called.
struct Job {
  const Request *request = nullptr;  // the caller's
  std::uint64_t seat = 0;
  Clock::time_point arrived = Clock::now();
  RequestReport report;

  std::vector<Stretch> prompt;
  int lane = -1;
  std::size_t stretch = 0;  // of the prompt, that is read next;
  std::size_t offset = 0;   // so much of it is read
  Stretch pending;          // of the answer: its last token, and what is guessed to follow
  bool alone = false;       // an evaluation with others failed: whose fault was it?
  std::uint64_t turn = 0;   // when it last read some of its prompt
  Clock::time_point begun, read;

  bool writing() const { return stretch == prompt.size(); }
};

// Used by one thread at a time.
class Batcher {
 public:
  struct Listener {
    std::function<void(Job &)> grew;  // the answer has new text
    std::function<void(Job &)> done;  // the job is the caller's again, its report complete
  };

  Batcher(std::unique_ptr<KvPool> pool, Listener listener);

  // max_cells: tokens that its prompts and answers may hold; guesses: tokens that may be checked at once.
  void add_seat(std::uint64_t id, int max_cells, int guesses);
  void remove_seat(std::uint64_t id);  // that has no job

  void submit(Job &job);  // of a seat; one at a time
  bool idle() const { return waiting_.empty() && active_.empty(); }
  // Ends what was stopped, begins what fits, and reads a slice of every prompt and the next token of every
  // answer.
  void step();

 private:
  struct Seat {
    std::uint64_t id = 0;
    int max_cells = 0;
    int guesses = 0;
    int lane = -1;  // none yet
    std::uint64_t last_used = 0;
  };

  // What is read in one evaluation.
  struct Reading {
    std::vector<Job *> jobs;
    std::vector<Slice> slices;  // one each

    void add(Job &job, const Slice &slice) {
      jobs.push_back(&job);
      slices.push_back(slice);
    }
  };

  void end_stopped();
  void begin_what_fits();
  bool begin(Job &job);
  KvPoolSize size_for(const Job &job) const;
  Status resize(const KvPoolSize &size);
  bool make_room(const Job &job);
  Seat *idlest_other_than(const Job &job);
  int cells_of_others(const Job &job) const;
  int cells_of_seat(const Seat &seat) const;
  void start_reading(Job &job);

  std::vector<Job *> in_turn() const;
  Reading words();
  Reading prompts(bool pictures);
  void read(const Reading &reading);
  void failed(std::span<Job *const> jobs, const Status &status);
  void advance(Job &job, const Slice &slice, std::size_t first_output);
  void grow(Job &job, std::size_t first_output, std::size_t outputs);
  TextTokens guess_for(const Job &job);
  void finish(Job &job, Status status);

  Seat &seat_of(const Job &job);
  const Job *active_job_of(const Seat &seat) const;
  int free_lane() const;

  std::unique_ptr<KvPool> pool_;
  Listener listener_;
  std::vector<Seat> seats_;
  std::vector<Job *> waiting_;  // in the order in which they begin
  std::vector<Job *> active_;
  KvPoolSize most_;  // lanes and cells that there is memory for, as far as is known
  std::uint64_t clock_ = 0;
};

}  // namespace saccade
