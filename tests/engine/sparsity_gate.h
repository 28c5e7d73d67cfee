// A gate with a clock, for tests.
#pragma once

#include <gtest/gtest.h>

#include "sparsity/mas_gate.h"
#include "sparsity_pictures.h"

namespace saccade::test {

inline constexpr const char *kEncoder = "encoder";

// A gate with a clock: 10 frames per second unless told otherwise.
class Gate {
 public:
  explicit Gate(MasGateSettings settings = {}) : gate(settings) {}

  MasReport look(const Picture &picture, const SoundReading &sound = {}) {
    auto report = gate.look(picture.frame(now), sound);
    EXPECT_TRUE(report.ok()) << report.status().message();
    now += ms(100);
    return report.value();
  }
  // Looks, and has the encoder encode what was asked for.
  MasReport look_and_encode(const Picture &picture) {
    const auto report = look(picture);
    if (report.needed) gate.committed(report.frame, report.refresh, kEncoder);
    return report;
  }

  MasGate gate;
  StreamTime now{};
};

// Every change counts at once.
inline MasGateSettings grid(int rows, int columns) {
  return {.grid = {rows, columns}, .motion_interval = Duration::zero()};
}

}  // namespace saccade::test
