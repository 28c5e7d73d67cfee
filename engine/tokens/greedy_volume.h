// The greedy maximum of a determinantal point process, by one Cholesky row a step (Chen et al.,
// arXiv 1709.05135). Not lazily: nearly all of the kernel would be asked for
// all the same.
#pragma once

#include <Eigen/Core>
#include <functional>
#include <vector>

namespace saccade {

// `rows` of the kernel's indices, in the order in which each adds most volume to those before; 1 <= rows <=
// size of the diagonal. column_of(i): column i of the kernel, positive semi-definite; asked for only once i
// is chosen, so that the kernel need never be held as a whole. Ties fall to the first.
std::vector<int> greedy_volume(const Eigen::VectorXf &diagonal, int rows,
                               const std::function<Eigen::VectorXf(Eigen::Index i)> &column_of);

}  // namespace saccade
