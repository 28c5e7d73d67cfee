#include "masoverlay/mas_layer.h"

#include <pango/pangocairo.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>

namespace saccade::gst {
namespace {

constexpr double kTextShare = 1.0 / 30;  // of the picture's height; 12 pixels at 360
constexpr double kSmallestText = 9;      // pixels; smaller cannot be read
constexpr int kMostReasonLines = 2;
constexpr int kMostAnswerLines = 4;
constexpr int kCoolest = 6;  // of 255: below it a patch stays as it is

struct LayoutUnref {
  void operator()(PangoLayout *layout) const { g_object_unref(layout); }
};
using LayoutPtr = std::unique_ptr<PangoLayout, LayoutUnref>;

const PatchMap *map_of(const MasReport &report, HeatMap which) {
  switch (which) {
    case HeatMap::none: return nullptr;
    case HeatMap::change: return &report.change;
    case HeatMap::activity: return &report.activity;
    case HeatMap::keep: return &report.keep;
  }
  return nullptr;
}

struct Box {
  double x, y, width, height;
};

// Where patches lie in a picture of a size.
class Patches {
 public:
  Patches(PatchGrid grid, int width, int height)
      : grid_(grid),
        across_(static_cast<double>(width) / grid.columns),
        down_(static_cast<double>(height) / grid.rows) {}

  Box box(int patch) const {
    const int column = patch % grid_.columns;
    const int row = patch / grid_.columns;
    return {column * across_, row * down_, across_, down_};
  }
  Box centre(const TokenPosition &at) const { return {(at.x + 0.5) * across_, (at.y + 0.5) * down_, 0, 0}; }
  double smaller_side() const { return std::min(across_, down_); }

 private:
  PatchGrid grid_;
  double across_;
  double down_;
};

bool fits(const PatchMap &map, const PatchGrid &grid) {
  return grid.rows > 0 && grid.columns > 0 && map.size() == static_cast<std::size_t>(grid.count());
}

// From yellow to red, and less and less of the picture shines through.
void draw_heat(cairo_t *cairo, const PatchMap &map, const Patches &patches, double opacity) {
  for (int p = 0; p < static_cast<int>(map.size()); ++p) {
    const int heat = map[static_cast<std::size_t>(p)];
    if (heat < kCoolest) continue;
    const double share = heat / 255.0;
    const auto box = patches.box(p);
    cairo_rectangle(cairo, box.x, box.y, box.width, box.height);
    cairo_set_source_rgba(cairo, 1, 0.9 * (1 - share), 0.1, opacity * std::sqrt(share));
    cairo_fill(cairo);
  }
}

void draw_refreshed(cairo_t *cairo, const PatchMap &refresh, const Patches &patches) {
  const double line = std::clamp(patches.smaller_side() / 20, 1.0, 3.0);
  cairo_set_line_width(cairo, line);
  cairo_set_source_rgba(cairo, 0.1, 0.9, 1, 0.9);
  for (int p = 0; p < static_cast<int>(refresh.size()); ++p) {
    if (!refresh[static_cast<std::size_t>(p)]) continue;
    const auto box = patches.box(p);
    cairo_rectangle(cairo, box.x + line / 2, box.y + line / 2, box.width - line, box.height - line);
  }
  cairo_stroke(cairo);
}

void draw_kept(cairo_t *cairo, const TokenSet &tokens, const Patches &patches) {
  const double radius = std::clamp(patches.smaller_side() / 10, 1.5, 5.0);
  for (const auto &position : tokens.positions) {
    const auto at = patches.centre(position);
    cairo_new_sub_path(cairo);
    cairo_arc(cairo, at.x, at.y, radius, 0, 2 * M_PI);
  }
  cairo_set_source_rgba(cairo, 1, 1, 1, 0.9);
  cairo_fill_preserve(cairo);
  cairo_set_source_rgba(cairo, 0, 0, 0, 0.9);
  cairo_set_line_width(cairo, 1);
  cairo_stroke(cairo);
}

std::string scores(const MasReport &report, const TokenSet *tokens) {
  char text[200];
  std::snprintf(text, sizeof text, "MAS video %.2f, audio %.2f · %d of %d patches to refresh · route %s",
                report.mas_video, report.mas_audio, report.refresh_count(), report.grid.count(),
                to_string(report.route));
  std::string line = text;
  if (!tokens) return line;
  line += " · " + std::to_string(tokens->count()) + " of " + std::to_string(tokens->seen) + " tokens kept";
  if (!tokens->method.empty()) line += " by " + std::string(tokens->method);
  return line;
}

LayoutPtr lay_out(cairo_t *cairo, const std::string &text, double size, int width, int lines, bool strong) {
  LayoutPtr layout(pango_cairo_create_layout(cairo));
  PangoFontDescription *font = pango_font_description_from_string(strong ? "Sans Bold" : "Sans");
  pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
  pango_layout_set_font_description(layout.get(), font);
  pango_font_description_free(font);
  pango_layout_set_width(layout.get(), width * PANGO_SCALE);
  pango_layout_set_wrap(layout.get(), PANGO_WRAP_WORD_CHAR);
  pango_layout_set_height(layout.get(), -lines);
  pango_layout_set_ellipsize(layout.get(), PANGO_ELLIPSIZE_END);
  pango_layout_set_text(layout.get(), text.c_str(), static_cast<int>(text.size()));
  return layout;
}

int height_of(PangoLayout *layout) {
  int height = 0;
  pango_layout_get_pixel_size(layout, nullptr, &height);
  return height;
}

// A dark band with the layouts one below the other, its upper edge at `y`.
void draw_band(cairo_t *cairo, double y, int width, int margin, std::span<const LayoutPtr> layouts) {
  double height = 2.0 * margin;
  for (const auto &layout : layouts) height += height_of(layout.get());
  cairo_rectangle(cairo, 0, y, width, height);
  cairo_set_source_rgba(cairo, 0, 0, 0, 0.6);
  cairo_fill(cairo);
  cairo_set_source_rgba(cairo, 1, 1, 1, 1);
  double line = y + margin;
  for (const auto &layout : layouts) {
    cairo_move_to(cairo, margin, line);
    pango_cairo_show_layout(cairo, layout.get());
    line += height_of(layout.get());
  }
}

// What the gate says above, what the model says below.
void draw_text(cairo_t *cairo, const MasLayerFacts &facts, int width, int height) {
  const double size = std::max(kSmallestText, height * kTextShare);
  const int margin = static_cast<int>(size / 2);
  const int across = std::max(1, width - 2 * margin);
  if (facts.report) {
    const LayoutPtr layouts[] = {
        lay_out(cairo, scores(*facts.report, facts.tokens), size, across, kMostReasonLines, false),
        lay_out(cairo, facts.report->reason, size, across, kMostReasonLines, false)};
    draw_band(cairo, 0, width, margin, layouts);
  }
  if (!facts.answer.empty()) {
    const LayoutPtr layouts[] = {lay_out(cairo, facts.answer, 1.2 * size, across, kMostAnswerLines, true)};
    draw_band(cairo, height - height_of(layouts[0].get()) - 2.0 * margin, width, margin, layouts);
  }
}

void clear(cairo_t *cairo) {
  cairo_set_operator(cairo, CAIRO_OPERATOR_CLEAR);
  cairo_paint(cairo);
  cairo_set_operator(cairo, CAIRO_OPERATOR_OVER);
}

}  // namespace

Status MasLayer::draw(const MasLayerFacts &facts, const MasLayerStyle &style, int width, int height) {
  if (!surface_ || width != width_ || height != height_) {
    context_.reset();
    surface_.reset(cairo_image_surface_create(CAIRO_FORMAT_ARGB32, width, height));
    context_.reset(cairo_create(surface_.get()));
    width_ = width;
    height_ = height;
  }
  auto *cairo = context_.get();
  clear(cairo);
  if (facts.report) {
    const auto &grid = facts.report->grid;
    const auto *heat = map_of(*facts.report, style.heat_map);
    if (heat && fits(*heat, grid)) draw_heat(cairo, *heat, Patches(grid, width, height), style.opacity);
    if (style.patches && fits(facts.report->refresh, grid))
      draw_refreshed(cairo, facts.report->refresh, Patches(grid, width, height));
  }
  if (style.patches && facts.tokens && facts.tokens->grid.count() > 0) {
    draw_kept(cairo, *facts.tokens, Patches(facts.tokens->grid, width, height));
  }
  if (style.text) draw_text(cairo, facts, width, height);
  cairo_surface_flush(surface_.get());
  if (const auto status = cairo_status(cairo); status != CAIRO_STATUS_SUCCESS) {
    surface_.reset();
    return {StatusKind::exhausted, "cannot draw on a picture of " + std::to_string(width) + "x" +
                                       std::to_string(height) + " pixels: " + cairo_status_to_string(status)};
  }
  return {};
}

std::span<const std::uint8_t> MasLayer::pixels() const {
  const auto *data = surface_ ? cairo_image_surface_get_data(surface_.get()) : nullptr;
  const auto size = static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_) * 4;
  return data ? std::span<const std::uint8_t>(data, size) : std::span<const std::uint8_t>();
}

}  // namespace saccade::gst
