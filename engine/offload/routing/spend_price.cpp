#include "offload/routing/spend_price.h"

#include <algorithm>

#include "offload/routing/running_mean.h"

namespace saccade {

namespace {

constexpr double kHour = 3600;
constexpr double kSmoothing = 0.1;  // of the usual amount

}  // namespace

SpendPrice::SpendPrice(SpendSettings settings)
    : settings_{bounded(settings.cap_per_hour, 0, 1e18, 0), bounded(settings.eta, 0, 1e6, 0),
                bounded(settings.savings, 0, 1, 0)} {}

void SpendPrice::spent(double amount, Duration now) {
  if (!(amount >= 0)) return;
  pass_time(now);
  const double counted = std::min(amount, 1e18);
  typical_ = typical_ > 0 ? typical_ + kSmoothing * (counted - typical_) : counted;
  if (settings_.cap_per_hour > 0) raise(counted / settings_.cap_per_hour);
}

double SpendPrice::price(Duration now) {
  pass_time(now);
  return settings_.cap_per_hour > 0 ? std::max(0.0, raised_) : 0;
}

void SpendPrice::pass_time(Duration now) {
  // As numbers, since the difference of two durations may be none.
  if (last_ && now > *last_) raise(-std::min(1.0, (to_seconds(now) - to_seconds(*last_)) / kHour));
  if (!last_ || now > *last_) last_ = now;
}

void SpendPrice::raise(double share_of_cap) {
  const double saved_up = -settings_.savings * settings_.eta;
  raised_ = std::clamp(raised_ + settings_.eta * share_of_cap, saved_up, settings_.eta);
}

double SpendPrice::cost(double price, double typical, double amount) {
  return typical > 0 ? price * amount / typical : price;
}

}  // namespace saccade
