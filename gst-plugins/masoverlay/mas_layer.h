// A report of the gate, drawn for people onto a transparent layer that lies over the picture.
#pragma once

#include <cairo.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "sparsity/mas_report.h"
#include "tokens/token_set.h"

namespace saccade::gst {

enum class HeatMap { none, change, activity, keep };

struct MasLayerStyle {
  HeatMap heat_map = HeatMap::change;
  double opacity = 0.6;  // of the hottest patch, [0, 1]
  bool patches = true;   // outlines of the patches to refresh, dots where the kept tokens are
  bool text = true;      // scores, reason and answer
};

struct MasLayerFacts {
  const MasReport *report = nullptr;  // null: nothing is known about this frame
  const TokenSet *tokens = nullptr;   // null: no tokens travel with this frame
  std::string answer;                 // UTF-8; empty = none yet
};

// Text is laid out by Pango, in whatever script it is. Not thread-safe; the layer is reused from frame to
// frame.
class MasLayer {
 public:
  // Draws anew. Fails with exhausted when there is none for a picture of this size.
  Status draw(const MasLayerFacts &facts, const MasLayerStyle &style, int width, int height);

  // Rows of `width` pixels of 4 bytes without padding: native-endian ARGB, colours multiplied by alpha.
  std::span<const std::uint8_t> pixels() const;

 private:
  struct SurfaceDestroy {
    void operator()(cairo_surface_t *surface) const { cairo_surface_destroy(surface); }
  };
  struct ContextDestroy {
    void operator()(cairo_t *context) const { cairo_destroy(context); }
  };

  std::unique_ptr<cairo_surface_t, SurfaceDestroy> surface_;
  std::unique_ptr<cairo_t, ContextDestroy> context_;
  int width_ = 0;
  int height_ = 0;
};

}  // namespace saccade::gst
