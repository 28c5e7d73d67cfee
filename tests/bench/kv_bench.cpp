// How a scheduler of several sessions should lay out libllama's cache: one for all sequences or one for each,
// with flash attention or without, in half floats or in bytes. Prints Markdown tables; what stands in one
// table was measured in turns. "150/8" is eight sequences that hold 150 tokens each.
//
//   build/release/tests/bench/kv_bench TEXT.gguf THREADS [TEXT.gguf THREADS]...
//
// The columns, in tokens per second unless they say ms; median (smallest to largest):
//   decode     one token of every sequence in each llama_decode
//   in turn    the same without batching: one sequence after the other, of at most four
//   every 2nd  one token of every second sequence in each llama_decode
//   prefill    64 new tokens of every sequence in one llama_decode
//   in turn    the same, one sequence after the other, of at most four
//   mixed      64 new tokens of one sequence and one token of each other one, in one llama_decode
//   apart      the same in two
//   memory     what the process grew by, from before the context was made until all of this had run in it
//   made in    llama_init_from_model
// On one thread all times are the processor's, which other processes hardly disturb; on more they are the
// clock's, and worth nothing while anybody else computes: libllama's threads spin while one of them waits for
// a core. A model of 10 million parameters takes about two minutes, one of 130 million about ten. A scattered
// cache is one in which the cells of sequences alternate, as they do after some minutes of use.
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <llama-cpp.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace saccade {
namespace {

constexpr int kNewTokens = 64;        // of one sequence's prefill
constexpr int kDecodeSteps = 4;       // of one measurement
constexpr int kInTurn = 4;            // sequences; more of them in turn tell nothing new
constexpr int kScatteredRun = 16;     // neighbouring cells of one sequence: about an answer
constexpr int kMostPlainUnified = 8;  // of 32 sequences each multiplies by all others' cells, for minutes
constexpr int kUbatch = 512;
constexpr int kMostRounds = 9;
constexpr int kLeastRounds = 3;
constexpr double kEnoughSeconds = 2;  // of the processor, for one column of one table
constexpr double kMostSeconds = 10;   // fewer rounds than the least ones where they would take longer

struct Layout {
  const char *name;
  bool unified;
  bool flash;
  ggml_type type;
  bool scattered = false;
};

struct Load {
  int held;
  int sequences;
};

[[noreturn]] void fail(const std::string &sentence) {
  std::fprintf(stderr, "kv_bench: %s\n", sentence.c_str());
  std::exit(1);
}

double now_ms(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

// What other processes took of the machine since this was made, in cores.
class Others {
 public:
  double cores() const {
    const double wall = now_ms(CLOCK_MONOTONIC) - start_;
    return std::max(0.0, busy_ms() - busy_ - (now_ms(CLOCK_PROCESS_CPUTIME_ID) - own_)) / wall;
  }

 private:
  static double busy_ms() {
    long user = 0, nice = 0, system = 0, idle = 0, waiting = 0, interrupts = 0, soft = 0, stolen = 0;
    auto *file = std::fopen("/proc/stat", "r");
    if (!file || std::fscanf(file, "cpu %ld %ld %ld %ld %ld %ld %ld %ld", &user, &nice, &system, &idle,
                             &waiting, &interrupts, &soft, &stolen) != 8)
      fail("cannot read /proc/stat");
    std::fclose(file);
    return 1e3 * static_cast<double>(user + nice + system + interrupts + soft + stolen) /
           static_cast<double>(sysconf(_SC_CLK_TCK));
  }

  double start_ = now_ms(CLOCK_MONOTONIC);
  double own_ = now_ms(CLOCK_PROCESS_CPUTIME_ID);
  double busy_ = busy_ms();
};

double resident_mebibytes() {
  long all = 0;
  long resident = 0;
  auto *file = std::fopen("/proc/self/statm", "r");
  if (!file || std::fscanf(file, "%ld %ld", &all, &resident) != 2) fail("cannot read /proc/self/statm");
  std::fclose(file);
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

class Batch {
 public:
  void add(llama_token token, llama_pos position, llama_seq_id sequence, bool wanted) {
    tokens_.push_back(token);
    positions_.push_back(position);
    sequences_.push_back(sequence);
    wanted_.push_back(wanted);
  }

  llama_batch view() {
    counts_.assign(tokens_.size(), 1);
    pointers_.clear();
    for (auto &sequence : sequences_) pointers_.push_back(&sequence);
    llama_batch batch{};
    batch.n_tokens = static_cast<std::int32_t>(tokens_.size());
    batch.token = tokens_.data();
    batch.pos = positions_.data();
    batch.n_seq_id = counts_.data();
    batch.seq_id = pointers_.data();
    batch.logits = wanted_.data();
    return batch;
  }

 private:
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<llama_seq_id> sequences_;
  std::vector<std::int8_t> wanted_;
  std::vector<std::int32_t> counts_;
  std::vector<llama_seq_id *> pointers_;
};

// A context in one layout in which every sequence holds so many tokens. What a measurement adds, it takes
// away again.
class Cache {
 public:
  Cache(llama_model *model, const Layout &layout, const Load &load, int threads)
      : layout_(layout),
        load_(load),
        clock_(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC),
        words_(llama_vocab_n_tokens(llama_model_get_vocab(model))) {
    const double before = resident_mebibytes();
    auto parameters = llama_context_default_params();
    const auto sequences = static_cast<std::uint32_t>(load.sequences);
    const auto each = static_cast<std::uint32_t>(load.held + kNewTokens);
    parameters.n_ctx = sequences * each;  // libllama rounds up to 256, for each sequence unless unified
    parameters.n_batch = std::max<std::uint32_t>(kUbatch, sequences * kNewTokens);
    parameters.n_ubatch = kUbatch;
    parameters.n_seq_max = sequences;
    parameters.n_outputs_max = sequences;
    parameters.n_threads = threads;
    parameters.n_threads_batch = threads;
    parameters.kv_unified = layout.unified;
    parameters.flash_attn_type =
        layout.flash ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    parameters.type_k = layout.type;
    parameters.type_v = layout.type;
    parameters.no_perf = true;
    made_in_ms_ = milliseconds([&] { context_.reset(llama_init_from_model(model, parameters)); });
    if (!context_) fail(std::string("libllama makes no context in the layout ") + layout.name);
    memory_ = llama_get_memory(context_.get());
    fill();
    decode();
    mixed();
    const int fit = std::min(load.sequences, kUbatch / kNewTokens);
    milliseconds_and_back([&] { read_next(every(0, 1, fit), kNewTokens, load.held); });
    mebibytes_ = resident_mebibytes() - before;
  }

  const Layout &layout() const { return layout_; }
  double made_in_ms() const { return made_in_ms_; }
  double mebibytes() const { return mebibytes_; }

  double decode() { return decode_every(1); }
  double decode_second() { return decode_every(2); }

  double decode_in_turn() {
    const int count = std::min(load_.sequences, kInTurn);
    return per_second(count * kDecodeSteps, [&] {
      for (int s = 0; s < count; ++s)
        for (int step = 0; step < kDecodeSteps; ++step) read_next({s}, 1, load_.held + step);
    });
  }

  double prefill() {
    return per_second(load_.sequences * kNewTokens, [&] { read_next(all(0, 1), kNewTokens, load_.held); });
  }

  double prefill_in_turn() {
    const int count = std::min(load_.sequences, kInTurn);
    return per_second(count * kNewTokens, [&] {
      for (int s = 0; s < count; ++s) read_next({s}, kNewTokens, load_.held);
    });
  }

  double mixed() {
    return milliseconds_and_back([&] {
      Batch batch;
      add(batch, 0, kNewTokens, load_.held);
      for (int s = 1; s < load_.sequences; ++s) add(batch, s, 1, load_.held);
      read(batch);
    });
  }

  double read_some(int tokens) {
    return milliseconds_and_back([&] { read_next({0}, tokens, load_.held); });
  }

  double apart() {
    return milliseconds_and_back([&] {
      read_next({0}, kNewTokens, load_.held);
      if (load_.sequences > 1) read_next(all(1, 1), 1, load_.held);
    });
  }

  // One token of sequence 0 after one cell of it was taken away and the later ones moved up by one.
  double decode_after_shift() {
    llama_memory_seq_rm(memory_, 0, 5, 6);
    llama_memory_seq_add(memory_, 0, 6, -1, -1);
    return milliseconds([&] { read_next({0}, 1, load_.held - 1); });  // it holds as many as before
  }

  // The last sequence becomes a copy of the first; nothing is computed before the next llama_decode.
  double copy_sequence() {
    const auto last = load_.sequences - 1;
    llama_memory_seq_rm(memory_, last, -1, -1);
    return milliseconds([&] { llama_memory_seq_cp(memory_, 0, last, -1, -1); });
  }

  void use(ggml_threadpool_t pool) { llama_attach_threadpool(context_.get(), pool, pool); }

 private:
  static std::vector<llama_seq_id> every(int first, int step, int count) {
    std::vector<llama_seq_id> sequences;
    for (int s = first; s < count; s += step) sequences.push_back(s);
    return sequences;
  }

  std::vector<llama_seq_id> all(int first, int step) const { return every(first, step, load_.sequences); }

  double decode_every(int step_of_sequences) {
    const auto sequences = all(0, step_of_sequences);
    return per_second(static_cast<int>(sequences.size()) * kDecodeSteps, [&] {
      for (int step = 0; step < kDecodeSteps; ++step) read_next(sequences, 1, load_.held + step);
    });
  }

  void add(Batch &batch, llama_seq_id sequence, int count, int first) const {
    for (int i = 0; i < count; ++i) {
      const auto token = (first + i) * 7919 % words_;
      batch.add(token, first + i, sequence, i + 1 == count);
    }
  }

  void read_next(const std::vector<llama_seq_id> &sequences, int count, int first) {
    Batch batch;
    for (const auto sequence : sequences) add(batch, sequence, count, first);
    read(batch);
  }

  void read(Batch &batch) {
    const auto code = llama_decode(context_.get(), batch.view());
    if (code) fail("llama_decode says " + std::to_string(code) + " in the layout " + layout_.name);
    llama_synchronize(context_.get());
  }

  double milliseconds(const std::function<void()> &work) const {
    const double start = now_ms(clock_);
    work();
    return now_ms(clock_) - start;
  }

  double milliseconds_and_back(const std::function<void()> &work) {
    const double ms = milliseconds(work);
    for (int s = 0; s < load_.sequences; ++s) llama_memory_seq_rm(memory_, s, load_.held, -1);
    return ms;
  }

  double per_second(int tokens, const std::function<void()> &work) {
    return 1e3 * tokens / milliseconds_and_back(work);
  }

  void fill() {
    for (int first = 0; first < load_.held; first += kUbatch)
      read_next({0}, std::min(kUbatch, load_.held - first), first);
    std::vector<std::uint8_t> state(llama_state_seq_get_size(context_.get(), 0));
    llama_state_seq_get_data(context_.get(), state.data(), state.size(), 0);
    for (int s = 1; s < load_.sequences; ++s)
      if (!llama_state_seq_set_data(context_.get(), state.data(), state.size(), s))
        fail("a sequence's state cannot be copied");
    if (layout_.scattered) scatter();
  }

  // Run r of the cells of a sequence goes to the sequence r places further. All hold the same.
  void scatter() {
    const int count = load_.sequences;
    for (int s = 0; s < count; ++s) {
      llama_memory_seq_cp(memory_, s, count + s, -1, -1);  // libllama has 256 sequences in a unified cache
      llama_memory_seq_rm(memory_, s, -1, -1);
    }
    for (int s = 0; s < count; ++s) {
      for (int first = 0; first < load_.held; first += kScatteredRun)
        llama_memory_seq_cp(memory_, count + s, (s + first / kScatteredRun) % count, first,
                            first + kScatteredRun);
      llama_memory_seq_rm(memory_, count + s, -1, -1);
    }
  }

  Layout layout_;
  Load load_;
  clockid_t clock_;
  std::int32_t words_;
  llama_context_ptr context_;
  llama_memory_t memory_ = nullptr;
  double made_in_ms_ = 0;
  double mebibytes_ = 0;
};

double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return 0.5 * (values[(values.size() - 1) / 2] + values[values.size() / 2]);
}

std::string in_words(const std::vector<double> &values) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  char text[64];
  const char *format = *most < 100 ? "%.1f (%.1f–%.1f)" : "%.0f (%.0f–%.0f)";
  std::snprintf(text, sizeof text, format, middle(values), *least, *most);
  return text;
}

std::vector<Layout> layouts_of(int sequences) {
  if (sequences == 1)  // unified or not is then the same
    return {{"flash f16", true, true, GGML_TYPE_F16},
            {"plain f16", true, false, GGML_TYPE_F16},
            {"flash q8_0", true, true, GGML_TYPE_Q8_0}};
  std::vector<Layout> layouts{{"unified, flash f16", true, true, GGML_TYPE_F16},
                              {"unified, flash f16, scattered", true, true, GGML_TYPE_F16, true},
                              {"unified, flash q8_0", true, true, GGML_TYPE_Q8_0},
                              {"each its own, flash f16", false, true, GGML_TYPE_F16},
                              {"each its own, plain f16", false, false, GGML_TYPE_F16},
                              {"each its own, flash q8_0", false, true, GGML_TYPE_Q8_0}};
  if (sequences <= kMostPlainUnified)
    layouts.insert(layouts.begin() + 2, {"unified, plain f16", true, false, GGML_TYPE_F16});
  return layouts;
}

using Caches = std::vector<std::unique_ptr<Cache>>;

Caches make_caches(llama_model *model, const std::vector<Layout> &layouts, const Load &load, int threads) {
  Caches caches;
  for (const auto &layout : layouts) caches.push_back(std::make_unique<Cache>(model, layout, load, threads));
  return caches;
}

// One list of figures for each cache, measured in turns.
std::vector<std::vector<double>> in_rounds(Caches &caches, const std::function<double(Cache &)> &measure) {
  std::vector<std::vector<double>> values(caches.size());
  const double start = now_ms(CLOCK_PROCESS_CPUTIME_ID);
  for (int round = 0; round < kMostRounds; ++round) {
    const double spent = 1e-3 * (now_ms(CLOCK_PROCESS_CPUTIME_ID) - start);
    if (round >= kLeastRounds && spent > kEnoughSeconds) break;
    if (round && spent * (round + 1) / round > kMostSeconds) break;
    for (std::size_t i = 0; i < caches.size(); ++i) values[i].push_back(measure(*caches[i]));
  }
  return values;
}

void print_row(const std::string &name, const std::vector<std::string> &cells) {
  std::printf("| %s |", name.c_str());
  for (const auto &cell : cells) std::printf(" %s |", cell.c_str());
  std::printf("\n");
  std::fflush(stdout);
}

void measure_layouts(llama_model *model, int threads) {
  std::printf(
      "\n| held/sequences, layout | decode | in turn | every 2nd | prefill | in turn | mixed, ms | apart, ms "
      "| "
      "memory, MiB | made in, ms |\n|---|---|---|---|---|---|---|---|---|---|\n");
  for (const int sequences : {1, 8, 32}) {
    for (const int held : {150, 600}) {
      auto caches = make_caches(model, layouts_of(sequences), {held, sequences}, threads);
      std::vector<std::vector<std::string>> rows(caches.size());
      std::vector columns{&Cache::decode};
      if (sequences > 1) columns.insert(columns.end(), {&Cache::decode_in_turn, &Cache::decode_second});
      columns.push_back(&Cache::prefill);
      if (sequences > 1)
        columns.insert(columns.end(), {&Cache::prefill_in_turn, &Cache::mixed, &Cache::apart});
      for (const auto column : columns) {
        const auto values = in_rounds(caches, [&](Cache &cache) { return (cache.*column)(); });
        for (std::size_t i = 0; i < caches.size(); ++i) {
          rows[i].push_back(in_words(values[i]));
          if (sequences == 1) rows[i].insert(rows[i].end(), column == &Cache::decode ? 2 : 3, "");
        }
      }
      for (std::size_t i = 0; i < caches.size(); ++i) {
        rows[i].push_back(std::to_string(std::lround(caches[i]->mebibytes())));
        rows[i].push_back(in_words({caches[i]->made_in_ms()}));
        print_row(std::to_string(held) + "/" + std::to_string(sequences) + ", " + caches[i]->layout().name,
                  rows[i]);
      }
    }
  }
}

// What moving and copying cells costs. "shift" is llama_memory_seq_add over one sequence: the time of the
// next llama_decode, of one token, less that of one without it.
void measure_operations(llama_model *model, int threads) {
  std::printf(
      "\n| held/sequences, layout | one token, ms | with shift, ms | copying a sequence, ms | and the next "
      "token, ms |\n|---|---|---|---|---|\n");
  for (const int sequences : {1, 8, 32}) {
    const Load load{600, sequences};
    auto layouts = layouts_of(sequences);
    std::erase_if(layouts, [](const Layout &layout) { return !layout.flash || layout.scattered; });
    auto caches = make_caches(model, layouts, load, threads);
    const auto one = in_rounds(caches, [](Cache &cache) { return cache.read_some(1); });
    std::vector<std::vector<double>> copies(caches.size()), nexts(caches.size());
    if (sequences > 1) {
      nexts = in_rounds(caches, [&](Cache &cache) {
        const auto at = static_cast<std::size_t>(
            std::find_if(caches.begin(), caches.end(), [&](const auto &c) { return c.get() == &cache; }) -
            caches.begin());
        copies[at].push_back(cache.copy_sequence());
        return cache.read_some(1);
      });
    }
    const auto shifted = in_rounds(caches, [](Cache &cache) { return cache.decode_after_shift(); });
    for (std::size_t i = 0; i < caches.size(); ++i)
      print_row("600/" + std::to_string(sequences) + ", " + caches[i]->layout().name,
                {in_words(one[i]), in_words(shifted[i]), sequences > 1 ? in_words(copies[i]) : "",
                 sequences > 1 ? in_words(nexts[i]) : ""});
  }
}

// Batches of one sequence that holds 600: where an attention kernel begins to fit.
void measure_sizes(llama_model *model, int threads) {
  auto caches = make_caches(model, layouts_of(1), {600, 1}, threads);
  const std::vector sizes{1, 2, 8, 32, 63, 64};
  std::vector<std::vector<std::string>> rows(caches.size());
  std::printf("\n| 600/1, ms |");
  for (const int size : sizes) std::printf(" %d tokens |", size);
  std::printf("\n|---|---|---|---|---|---|---|\n");
  for (const int size : sizes) {
    const auto values = in_rounds(caches, [&](Cache &cache) { return cache.read_some(size); });
    for (std::size_t i = 0; i < caches.size(); ++i) rows[i].push_back(in_words(values[i]));
  }
  for (std::size_t i = 0; i < caches.size(); ++i) print_row(caches[i]->layout().name, rows[i]);
}

// libllama makes its threads anew for every graph unless it is given a pool.
void measure_threads(llama_model *model, int threads) {
  auto *registry = ggml_backend_dev_backend_reg(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
  const auto make = reinterpret_cast<decltype(&ggml_threadpool_new)>(
      ggml_backend_reg_get_proc_address(registry, "ggml_threadpool_new"));
  const auto end = reinterpret_cast<decltype(&ggml_threadpool_free)>(
      ggml_backend_reg_get_proc_address(registry, "ggml_threadpool_free"));
  if (!make || !end) return;
  auto parameters = ggml_threadpool_params_default(threads);
  auto *pool = make(&parameters);
  const std::vector<Layout> layouts{{"threads anew", true, true, GGML_TYPE_F16},
                                    {"a pool", true, true, GGML_TYPE_F16}};
  auto caches = make_caches(model, layouts, {150, 1}, threads);
  caches[1]->use(pool);
  const auto decode = in_rounds(caches, [](Cache &cache) { return cache.decode(); });
  const auto prefill = in_rounds(caches, [](Cache &cache) { return cache.prefill(); });
  std::printf("\n| 150/1 | decode | prefill |\n|---|---|---|\n");
  for (std::size_t i = 0; i < caches.size(); ++i)
    print_row(layouts[i].name, {in_words(decode[i]), in_words(prefill[i])});
  caches.clear();
  end(pool);
}

void measure(const char *path, int threads) {
  llama_model_ptr model(llama_model_load_from_file(path, llama_model_default_params()));
  if (!model) fail(std::string("cannot load ") + path);
  std::printf("\n%s, threads: %d, %s\n", path, threads,
              threads == 1 ? "processor time" : "time on the clock");
  const Others others;
  measure_sizes(model.get(), threads);
  measure_layouts(model.get(), threads);
  measure_operations(model.get(), threads);
  if (threads > 1) measure_threads(model.get(), threads);
  std::printf("\nOther processes took %.2f cores meanwhile.\n", others.cores());
}

}  // namespace
}  // namespace saccade

int main(int count, char **words) {
  if (count < 3 || count % 2 == 0) saccade::fail("say: TEXT.gguf THREADS [TEXT.gguf THREADS]...");
  mallopt(M_MMAP_THRESHOLD, 1 << 20);  // what a context frees is the next one's to grow by again
  llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
  llama_backend_init();
  std::printf("libllama %s, %s\n", llama_version(), llama_print_system_info());
  for (int i = 1; i < count; i += 2) saccade::measure(words[i], std::atoi(words[i + 1]));
  return 0;
}
