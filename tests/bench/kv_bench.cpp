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
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kv_bench_cache.h"
#include "process_figures.h"

namespace saccade {
namespace {

constexpr int kMostPlainUnified = 8;  // of 32 sequences each multiplies by all others' cells, for minutes
constexpr int kMostRounds = 9;
constexpr int kLeastRounds = 3;
constexpr double kEnoughSeconds = 2;  // of the processor, for one column of one table
constexpr double kMostSeconds = 10;   // fewer rounds than the least ones where they would take longer

// What other processes took of the machine since this was made, in cores.
class Others {
 public:
  double cores() const {
    const double wall = milliseconds_of(CLOCK_MONOTONIC) - start_;
    return std::max(0.0, busy_ms() - busy_ - (milliseconds_of(CLOCK_PROCESS_CPUTIME_ID) - own_)) / wall;
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

  double start_ = milliseconds_of(CLOCK_MONOTONIC);
  double own_ = milliseconds_of(CLOCK_PROCESS_CPUTIME_ID);
  double busy_ = busy_ms();
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
  const double start = milliseconds_of(CLOCK_PROCESS_CPUTIME_ID);
  for (int round = 0; round < kMostRounds; ++round) {
    const double spent = 1e-3 * (milliseconds_of(CLOCK_PROCESS_CPUTIME_ID) - start);
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
