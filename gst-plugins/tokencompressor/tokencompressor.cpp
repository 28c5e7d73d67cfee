/**
 * SECTION:element-tokencompressor
 * @title: tokencompressor
 *
 * Encodes pictures into visual tokens and keeps the few that matter.
 *
 *     gst-launch-1.0 videotestsrc num-buffers=5 ! tokencompressor ! fakesink
 */
#include "tokencompressor/tokencompressor.h"

#include <gst/video/video.h>

GST_DEBUG_CATEGORY_STATIC(token_compressor_debug);
#define GST_CAT_DEFAULT token_compressor_debug

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL)));

struct _SaccadeTokenCompressor {
  GstElement parent;
  GstPad *sink;
  GstPad *src;
};

G_DEFINE_FINAL_TYPE(SaccadeTokenCompressor, saccade_token_compressor, GST_TYPE_ELEMENT)
GST_ELEMENT_REGISTER_DEFINE(tokencompressor, "tokencompressor", GST_RANK_NONE, SACCADE_TYPE_TOKEN_COMPRESSOR)

static GstFlowReturn token_compressor_chain(GstPad *, GstObject *parent, GstBuffer *buffer) {
  return gst_pad_push(SACCADE_TOKEN_COMPRESSOR(parent)->src, buffer);
}

static void saccade_token_compressor_class_init(SaccadeTokenCompressorClass *klass) {
  GST_DEBUG_CATEGORY_INIT(token_compressor_debug, "tokencompressor", 0, "Saccade token compressor");
  auto *element = GST_ELEMENT_CLASS(klass);
  gst_element_class_add_static_pad_template(element, &sink_template);
  gst_element_class_add_static_pad_template(element, &src_template);
  gst_element_class_set_static_metadata(element, "Saccade token compressor", "Filter/Analyzer/Video",
                                        "Encodes pictures into visual tokens and keeps the few that matter",
                                        "Saccade");
}

static void saccade_token_compressor_init(SaccadeTokenCompressor *self) {
  self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sink, token_compressor_chain);
  GST_PAD_SET_PROXY_CAPS(self->sink);
  GST_PAD_SET_PROXY_ALLOCATION(self->sink);
  gst_element_add_pad(GST_ELEMENT(self), self->sink);
  self->src = gst_pad_new_from_static_template(&src_template, "src");
  GST_PAD_SET_PROXY_CAPS(self->src);
  gst_element_add_pad(GST_ELEMENT(self), self->src);
}
