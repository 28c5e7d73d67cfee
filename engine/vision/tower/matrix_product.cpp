#include "vision/tower/matrix_product.h"

#include <cstdlib>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

// OpenMP's own names, which its standard fixes. Its header comes with one compiler, and clang-tidy reads with
// another.
extern "C" {
int omp_get_max_threads();
void omp_set_num_threads(int threads);
}

namespace saccade::tower {
namespace {

constexpr std::size_t kAlignment = 64;

const dnnl::engine &cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream &stream_of_this_thread() {
  static thread_local dnnl::stream stream(cpu());
  return stream;
}

std::byte *scratch_of_this_thread(std::size_t size) {
  static thread_local std::vector<std::byte> scratch;
  if (scratch.size() < size) scratch.resize(size);
  return scratch.data();
}

// oneDNN's handles are not const, whatever is done with them.
void *handle(const void *data) { return const_cast<void *>(data); }

}  // namespace

OneThread::OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
OneThread::~OneThread() { omp_set_num_threads(before_); }

PackedMatrix::PackedMatrix(std::size_t size)
    : bytes_(std::aligned_alloc(kAlignment, (size + kAlignment - 1) / kAlignment * kAlignment)) {
  if (!bytes_) throw std::bad_alloc();
}

void PackedMatrix::Free::operator()(void *p) const { std::free(p); }

struct MatrixProduct::Impl {
  struct Kernel {
    dnnl::matmul matmul;
    dnnl::memory::desc left;
    dnnl::memory::desc out;
    dnnl::memory::desc scratch;
  };

  dnnl::memory::desc plain;
  dnnl::memory::desc right;     // as the kernels take it
  std::vector<Kernel> kernels;  // for kRowStep rows, twice as many, and so on
  dnnl::reorder packing;        // from plain to right
  std::string name;

  Kernel make(Precision precision, const MatrixLayout &layout, int rows) {
    using Type = dnnl::memory::data_type;
    const bool exact = precision == Precision::fp32;
    const dnnl::memory::desc left({rows, layout.inner}, exact ? Type::f32 : Type::u8,
                                  dnnl::memory::dims{layout.inner, 1});
    const dnnl::memory::desc out({rows, layout.outer}, exact ? Type::f32 : Type::s32,
                                 dnnl::memory::dims{layout.outer, 1});
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::matmul::primitive_desc chosen({left, right, out}, attributes, cpu());
    right = chosen.weights_desc();  // from the first kernel on, all take the same
    name = chosen.impl_info_str();
    return {dnnl::matmul(chosen), left, out, chosen.scratchpad_desc()};
  }
};

MatrixProduct::MatrixProduct(Precision precision, const MatrixLayout &layout, Right right, int most_rows)
    : impl_(std::make_unique<Impl>()) {
  using Type = dnnl::memory::data_type;
  const OneThread one;  // kernels are made for as many threads as there are
  const auto type = precision == Precision::fp32 ? Type::f32 : Type::s8;
  const dnnl::memory::dims size{layout.inner, layout.outer};
  impl_->plain = {size, type, dnnl::memory::dims{layout.inner_stride, layout.outer_stride}};
  impl_->right =
      right == Right::packed ? dnnl::memory::desc(size, type, dnnl::memory::format_tag::any) : impl_->plain;
  // The largest first: the layout is chosen for it.
  std::vector<Impl::Kernel> kernels;
  for (int rows = padded_rows(most_rows); rows > 0; rows -= kRowStep)
    kernels.push_back(impl_->make(precision, layout, rows));
  impl_->kernels.assign(kernels.rbegin(), kernels.rend());
  impl_->packing = dnnl::reorder(dnnl::reorder::primitive_desc(cpu(), impl_->plain, cpu(), impl_->right));
}

MatrixProduct::~MatrixProduct() = default;
MatrixProduct::MatrixProduct(MatrixProduct &&) noexcept = default;
MatrixProduct &MatrixProduct::operator=(MatrixProduct &&) noexcept = default;

PackedMatrix MatrixProduct::make_packed() const { return PackedMatrix(impl_->right.get_size()); }

void MatrixProduct::pack(const void *matrix, PackedMatrix &out) const {
  const OneThread one;
  dnnl::memory from(impl_->plain, cpu(), handle(matrix));
  dnnl::memory to(impl_->right, cpu(), out.data());
  impl_->packing.execute(stream_of_this_thread(), from, to);
}

void MatrixProduct::run(const void *left, const void *right, int rows, void *out) const {
  const auto &kernel = impl_->kernels[static_cast<std::size_t>(padded_rows(rows) / kRowStep - 1)];
  kernel.matmul.execute(
      stream_of_this_thread(),
      {{DNNL_ARG_SRC, {kernel.left, cpu(), handle(left)}},
       {DNNL_ARG_WEIGHTS, {impl_->right, cpu(), handle(right)}},
       {DNNL_ARG_DST, {kernel.out, cpu(), out}},
       {DNNL_ARG_SCRATCHPAD, {kernel.scratch, cpu(), scratch_of_this_thread(kernel.scratch.get_size())}}});
}

std::string MatrixProduct::kernel() const { return impl_->name; }

}  // namespace saccade::tower
