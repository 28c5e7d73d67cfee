// Keeps what the cloud costs, in bytes or money, to a cap per hour, by dual ascent (as in network utility
// maximisation, Kelly et al. 1998): spending has a price that rises while more is spent than is allowed, and
// falls while less is,
//
//     price <- max(0, price + eta x (spent - allowed) / cap),   allowed = cap x time passed / hour,
//
// so only the segments that gain the most by the cloud go there, as many as the cap allows. What is not spent
// is saved up, to `savings` of the cap, for a rush; beyond that it is lost. Where no segment gains more than
// g by the cloud, the price keeps all away once g / eta of the cap is spent too much: that and the savings
// bound what an hour overspends, whatever arrives. Not thread-safe. Time is passed in, so tests need no
// clock.
#pragma once

#include <optional>

#include "base/time.h"

namespace saccade {

struct SpendSettings {
  double cap_per_hour = 0;  // in the unit that is spent; 0 = no cap, and the price stays zero
  double eta = 200;         // units of cost per cap spent too much: a hundredth of the cap raises it by 2
  double savings = 0.05;    // [0, 1], share of the cap that may be saved up: three minutes of it
};

class SpendPrice {
 public:
  explicit SpendPrice(SpendSettings settings);

  // `now` is since any fixed moment and never runs backwards (where it does, no time has passed). What is no
  // number or negative is not counted, and at most an hour's cap can be owed.
  void spent(double amount, Duration now);
  // Units of cost for an amount of `typical()`, >= 0.
  double price(Duration now);
  // The usual amount that one segment spends.
  double typical() const { return typical_; }
  // What spending `amount` costs: a price is for the typical amount.
  static double cost(double price, double typical, double amount);

 private:
  void pass_time(Duration now);
  void raise(double share_of_cap);

  SpendSettings settings_;
  double raised_ = 0;  // the price; below zero, what is saved up
  double typical_ = 0;
  std::optional<Duration> last_;
};

}  // namespace saccade
