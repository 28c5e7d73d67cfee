// What a cloudoffloadsink says of its segments and its link: upstream as events, to the application as
// messages and a signal. Thread-safe: called on the sender's threads.
#pragma once

#include <gst/gst.h>

#include <string>

#include "cloudoffloadsink/segment_sender.h"

namespace saccade::gst::cloud {

// sink: a cloudoffloadsink.
void report(GstElement *sink, const SegmentResult &result);
void report_growth(GstElement *sink, const SegmentBegin &segment, const std::string &text);
void report_kept(GstElement *sink, const SegmentBegin &segment, const Status &why);
void report_trouble(GstElement *sink, const Status &status);
void report_link(GstElement *sink, const CloudStatistics &now, bool changed, const std::string &reason);

// The caller owns it.
GstStructure *to_structure(const SenderStatistics &statistics);

}  // namespace saccade::gst::cloud
