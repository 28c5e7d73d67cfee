// What goes through a tower's layers together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "vision/tower/tower.h"

namespace saccade::tower {

// Position `index` (or token, where rows are tokens) of the picture of this lane.
struct Spot {
  int lane;
  int index;
};

// Rows of one or more pictures, each in its lane, one after the other.
struct Pass {
  struct Lane {
    EncodeJob *job;  // null once it was stopped
    int patches;
  };

  std::vector<Lane> lanes;
  std::vector<Spot> spots;             // of the rows: patches, and each picture's class token after them
  std::vector<std::vector<int>> also;  // of the rows: further patches that they stand for
  std::vector<float> stream;           // spots x width, the residual stream
  std::vector<float> queries;          // likewise, of the layer that comes next

  std::span<float> row(std::vector<float> &of, int index) const {
    const auto width = of.size() / spots.size();
    return {&of[static_cast<std::size_t>(index) * width], width};
  }
  const Spot &spot(int index) const { return spots[static_cast<std::size_t>(index)]; }
  EncodeJob &job(int lane) const { return *lanes[static_cast<std::size_t>(lane)].job; }
  TowerMemory &memory_of(int index) const { return job(spot(index).lane).memory; }

  template <typename Visit>
  void for_positions(int index, const Visit &visit) const {
    visit(spot(index).index);
    for (const int position : also[static_cast<std::size_t>(index)]) visit(position);
  }

  // The lane's rows.
  std::pair<int, int> range_of(int lane) const {
    const auto first = std::ranges::find(spots, lane, &Spot::lane);
    const auto last =
        std::find_if(first, spots.end(), [lane](const Spot &spot) { return spot.lane != lane; });
    return {static_cast<int>(first - spots.begin()), static_cast<int>(last - spots.begin())};
  }

  void remove_rows(const std::vector<bool> &gone) {
    const auto width = stream.size() / spots.size();
    std::size_t to = 0;
    for (std::size_t from = 0; from < spots.size(); ++from) {
      if (gone[from]) continue;
      for (auto *rows : {&stream, &queries})
        std::copy_n(rows->begin() + static_cast<std::ptrdiff_t>(from * width), width,
                    rows->begin() + static_cast<std::ptrdiff_t>(to * width));
      spots[to] = spots[from];
      if (to != from) also[to] = std::move(also[from]);
      ++to;
    }
    spots.resize(to);
    also.resize(to);
    stream.resize(to * width);
    queries.resize(to * width);
  }

  // Rows from `first` on that lie in the same lane, at most `most`.
  int run_of(int first, int most) const {
    int length = 1;
    while (length < most && spot(first + length).lane == spot(first).lane) ++length;
    return length;
  }

  void take_out(int lane) {
    const auto [first, last] = range_of(lane);
    std::vector<bool> gone(spots.size());
    std::fill(gone.begin() + first, gone.begin() + last, true);
    remove_rows(gone);
    lanes[static_cast<std::size_t>(lane)].job = nullptr;
  }
};

}  // namespace saccade::tower
