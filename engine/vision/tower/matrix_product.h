// Matrix products on oneDNN, in blocks of rows that stay in a core's cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace saccade::tower {

enum class Precision { fp32, int8 };

// Calls are made for multiples of this many rows, so that few kernels are needed; what is computed of the
// rows beyond those asked for is nobody's.
constexpr int kRowStep = 16;

// Numbers in a matrix.
constexpr std::size_t area(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

constexpr int padded_rows(int rows) { return (rows + kRowStep - 1) / kRowStep * kRowStep; }

// Until its end, oneDNN computes on the calling thread alone: a tower shares out its rows itself.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread &) = delete;
  OneThread &operator=(const OneThread &) = delete;

 private:
  int before_;
};

// How a matrix B (inner x outer) lies in memory.
struct MatrixLayout {
  int inner = 0;
  int outer = 0;
  std::ptrdiff_t inner_stride = 0;  // elements
  std::ptrdiff_t outer_stride = 0;
};

// B in the layout that oneDNN likes best on this machine.
class PackedMatrix {
 public:
  explicit PackedMatrix(std::size_t size);
  void *data() { return bytes_.get(); }
  const void *data() const { return bytes_.get(); }

 private:
  struct Free {
    void operator()(void *p) const;
  };
  std::unique_ptr<void, Free> bytes_;
};

// C = A B, with A of rows x inner without gaps, and C of rows x outer. fp32: all are float. int8: A is u8,
// B s8, C s32. Both must have padded_rows(rows) rows. Thread-safe; throws dnnl::error (a std::exception)
// while it is made when oneDNN has no such kernel.
class MatrixProduct {
 public:
  enum class Right { as_laid_out, packed };

  // most_rows: of a call.
  MatrixProduct(Precision precision, const MatrixLayout &layout, Right right, int most_rows);
  ~MatrixProduct();
  MatrixProduct(MatrixProduct &&) noexcept;
  MatrixProduct &operator=(MatrixProduct &&) noexcept;

  // Only of a product with Right::packed. `matrix`: float or std::int8_t, as laid out.
  PackedMatrix make_packed() const;  // memory for one
  void pack(const void *matrix, PackedMatrix &out) const;

  // right: as laid out, or a PackedMatrix's data().
  void run(const void *left, const void *right, int rows, void *out) const;

  // What oneDNN chose, for logs and for the test that it is none of its reference kernels.
  std::string kernel() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace saccade::tower
